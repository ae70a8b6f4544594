// Mappings of files: private copies, sharing, the end of the file, files that grow and shrink.
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	catch_faults();
	char name[] = "/tmp/file_mappings-XXXXXX", buffer[PAGE], byte;
	int file = mkstemp(name), status;
	REQUIRE(file >= 0);
	memset(buffer, 'a', sizeof buffer);
	REQUIRE(write(file, buffer, PAGE) == PAGE && write(file, "bcd", 3) == 3);

	char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0);
	char *private = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, file, 0);
	REQUIRE(shared != MAP_FAILED && private != MAP_FAILED);
	REQUIRE(shared[0] == 'a' && shared[PAGE + 2] == 'd' && shared[PAGE + 3] == 0 && shared[2 * PAGE - 1] == 0);
	REQUIRE(PROBE(shared + 2 * PAGE) == BUS_ADRERR && fault_signal == SIGBUS && fault_address == shared + 2 * PAGE);
	REQUIRE(PROBE(private + 3 * PAGE) == BUS_ADRERR);
	OK("the last page is filled up with zeroes; behind it is SIGBUS");

	private[0] = 'P';
	REQUIRE(shared[0] == 'a' && pread(file, &byte, 1, 0) == 1 && byte == 'a');
	shared[0] = 'S';
	REQUIRE(private[0] == 'P' && pread(file, &byte, 1, 0) == 1 && byte == 'S');
	REQUIRE(private[PAGE] == 'b');
	shared[PAGE] = 'S';
	REQUIRE(private[PAGE] == 'S');
	OK("a private page is a copy from the first write on");

	IN_CHILD(status, shared[1] = 'C'; private[1] = 'C');
	REQUIRE(status == 0 && shared[1] == 'C' && private[1] == 'a');
	OK("processes share a file's pages");

	shared[PAGE + 100] = 'x';
	REQUIRE(fstat(file, &(struct stat){ 0 }) == 0 && lseek(file, 0, SEEK_END) == PAGE + 3);
	REQUIRE(ftruncate(file, 3 * PAGE) == 0);
	REQUIRE(PROBE(shared + 2 * PAGE) == 0 && shared[2 * PAGE] == 0 && PROBE(shared + 3 * PAGE) == BUS_ADRERR);
	OK("a file that grows becomes accessible");

	shared[2 * PAGE] = 'y';
	private[2 * PAGE + 1] = 'z';
	REQUIRE(ftruncate(file, PAGE + 10) == 0);
	REQUIRE(PROBE(shared + 2 * PAGE) == BUS_ADRERR && PROBE(private + 2 * PAGE) == BUS_ADRERR);
	REQUIRE(private[0] == 'P' && shared[PAGE + 100] == 0);
	REQUIRE(ftruncate(file, 3 * PAGE) == 0 && shared[2 * PAGE] == 0 && private[2 * PAGE + 1] == 0);
	OK("a file that shrinks takes its pages from all mappings, private copies too");

	char *far = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 100 * PAGE);
	REQUIRE(far != MAP_FAILED && PROBE(far) == BUS_ADRERR);
	char *second = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, PAGE);
	REQUIRE(second != MAP_FAILED && second[0] == 'S');
	int pipes[2];
	REQUIRE(pipe(pipes) == 0);
	REQUIRE_FAILS(write(pipes[1], far, 1), EFAULT);
	OK("offsets; the kernel gets EFAULT where a program gets SIGBUS");

	REQUIRE(close(file) == 0 && unlink(name) == 0);
	REQUIRE(shared[0] == 'S');
	shared[0] = 'T';
	REQUIRE(shared[0] == 'T');
	OK("a mapping outlives its descriptor and its name");

	int memory = memfd_create("test", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, 2 * PAGE) == 0);
	char *first = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, memory, 0);
	char *again = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, memory, 0);
	REQUIRE(first != MAP_FAILED && again != MAP_FAILED);
	first[PAGE] = 5;
	REQUIRE(again[PAGE] == 5);
	REQUIRE(pwrite(memory, "q", 1, 0) == 1 && again[0] == 'q');
	OK("memfd_create");
	return 0;
}
