// Mappings and the ends of files: the last partial page, growth, truncation, holes, private copies, who sees what when.
#include "memory.h"

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static char *shared, *private;
static int file;

static void show(const char *title)
{
	printf("%s: size %ld", title, (long)lseek(file, 0, SEEK_END));
	for (int i = 0; i < 6; i++) {
		int code = PROBE(shared + i * PAGE);
		printf(code ? " (%d" : " (%d", code ? -code : shared[i * PAGE]);
		code = PROBE(private + i * PAGE);
		printf(" %d)", code ? -code : private[i * PAGE]);
	}
	puts("");
	fflush(stdout);
}

static void exercise(const char *kind)
{
	int status;
	char bytes[8 * PAGE];
	printf("== %s\n", kind);
	memset(bytes, 1, sizeof bytes);
	REQUIRE(pwrite(file, bytes, 2 * PAGE + 100, 0) == 2 * PAGE + 100);
	shared = mmap(NULL, 6 * PAGE, RW, MAP_SHARED, file, 0);
	private = mmap(NULL, 6 * PAGE, RW, MAP_PRIVATE, file, 0);
	REQUIRE(shared != MAP_FAILED && private != MAP_FAILED);
	show("fresh");
	// The last partial page.
	printf("behind the end: %d %d\n", shared[2 * PAGE + 99], shared[2 * PAGE + 100]);
	shared[2 * PAGE + 200] = 7;
	private[2 * PAGE + 201] = 8;
	printf("written there: %d, size %ld\n", shared[2 * PAGE + 200], (long)lseek(file, 0, SEEK_END));
	printf("read: %ld\n", (long)pread(file, bytes, sizeof bytes, 2 * PAGE));
	REQUIRE(ftruncate(file, 2 * PAGE + 300) == 0);
	REQUIRE(pread(file, bytes, 300, 2 * PAGE) == 300);
	printf("growth within the page shows %d; %d in the mapping, %d in the copy\n", bytes[200], shared[2 * PAGE + 200],
	       private[2 * PAGE + 201]);
	// Growth by write(2) far behind the end, and by the mapping's pages.
	shared[2 * PAGE + 400] = 9;
	REQUIRE(pwrite(file, "x", 1, 4 * PAGE + 1) == 1);
	printf("after a write behind the page: %d\n", shared[2 * PAGE + 400]);
	show("grown");
	shared[3 * PAGE] = 3;
	private[3 * PAGE + 1] = 4;
	printf("a hole written: %d, copied: %d\n", pread(file, bytes, 1, 3 * PAGE) == 1 ? bytes[0] : -1, private[3 * PAGE]);
	shared[3 * PAGE] = 5;
	printf("the copy stays: %d\n", private[3 * PAGE]);
	// Truncation to the middle of a page, then growth again: zeroes.
	private[PAGE + 10] = 42;
	REQUIRE(ftruncate(file, PAGE + 5) == 0);
	show("cut");
	printf("the page that is cut: %d %d, copy %d %d %d\n", shared[PAGE + 4], shared[PAGE + 5], private[PAGE + 4],
	       private[PAGE + 5], private[PAGE + 10]);
	REQUIRE(ftruncate(file, 5 * PAGE) == 0);
	show("grown again");
	printf("%d %d %d\n", shared[PAGE + 5], shared[2 * PAGE], private[PAGE + 10]);
	// Cut to nothing under a writer.
	REQUIRE(ftruncate(file, 0) == 0);
	show("empty");
	printf("poke: %d\n", POKE(shared));
	REQUIRE(ftruncate(file, 3 * PAGE) == 0);
	show("zeroes");
	// Holes.
	memset(shared, 6, 3 * PAGE);
	private[PAGE] = 5;
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE / 2, 2 * PAGE) == 0)
		printf("punched: %d %d %d %d, copies %d %d\n", shared[PAGE / 2 - 1], shared[PAGE / 2], shared[2 * PAGE],
		       shared[2 * PAGE + PAGE / 2], private[PAGE], private[2 * PAGE]);
	else
		printf("no holes\n");
	SHOW(madvise(shared, PAGE, MADV_REMOVE));
	printf("removed: %d\n", shared[0]);
	// Processes at once: each sees the other's writes, by mapping and by read.
	int there[2], back[2];
	char byte;
	REQUIRE(pipe(there) == 0 && pipe(back) == 0);
	pid_t child = start_child();
	if (child == 0) {
		for (int i = 0; i < 4; i++) {
			REQUIRE(read(there[0], &byte, 1) == 1 && shared[10] == byte);
			REQUIRE(pread(file, &byte, 1, 10) == 1 && shared[10] == byte);
			byte++;
			if (i % 2)
				shared[11] = byte;
			else
				REQUIRE(pwrite(file, &byte, 1, 11) == 1);
			REQUIRE(write(back[1], &byte, 1) == 1);
		}
		REQUIRE(ftruncate(file, PAGE) == 0);
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		byte = 10 + i;
		if (i % 2)
			REQUIRE(pwrite(file, &byte, 1, 10) == 1);
		else
			shared[10] = byte;
		REQUIRE(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
		REQUIRE(byte == 11 + i && shared[11] == byte && pread(file, &byte, 1, 11) == 1 && byte == shared[11]);
	}
	REQUIRE(waitpid(child, &status, 0) == child && status == 0);
	show("a child has cut it");
	// write(2) from a mapping of the file itself, and read(2) into it.
	REQUIRE(ftruncate(file, 4 * PAGE) == 0);
	memcpy(shared, "0123456789", 10);
	printf("write: %ld\n", (long)pwrite(file, shared, PAGE, 3 * PAGE + 5));
	printf("%.15s\n", shared + 3 * PAGE + 5);
	printf("read: %ld\n", (long)pread(file, shared + PAGE, 3 * PAGE, 0));
	printf("%.15s\n", shared + PAGE);
	printf("read behind: %ld", (long)pread(file, shared + 4 * PAGE, PAGE, 0));
	printf(" %s\n", strerrorname_np(errno));
	printf("write across the end: %ld\n", (long)pwrite(file, shared + 3 * PAGE, 2 * PAGE, 0));
	REQUIRE(munmap(shared, 6 * PAGE) == 0 && munmap(private, 6 * PAGE) == 0 && close(file) == 0);
}

int main(void)
{
	catch_faults();
	char name[] = "file_ends-XXXXXX";
	file = mkstemp(name);
	REQUIRE(file >= 0 && unlink(name) == 0);
	exercise("a file");
	file = memfd_create("ends", 0);
	exercise("memfd");
	file = open("/dev/shm/file_ends", O_RDWR | O_CREAT | O_EXCL, 0600);
	REQUIRE(file >= 0 && unlink("/dev/shm/file_ends") == 0);
	exercise("tmpfs");
	return 0;
}
