// Copy-on-write among generations, and what private copies see of later writes to their file.
#include "memory.h"

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static void set(char *at, int value)
{
	at[0] = at[PAGE - 1] = (char)value;
}

static int get(char *at)
{
	REQUIRE(at[0] == at[PAGE - 1]);
	return at[0];
}

// A tree of processes: each writes its own number, and finds it unchanged when its children are gone.
static void generation(char *memory, char *shared, int number, int depth)
{
	REQUIRE(get(memory) == number / 2 && get(memory + PAGE) == 77);
	set(memory, number);
	if (number % 3 == 0)
		set(memory + PAGE, 78);
	__atomic_fetch_add((int *)shared, number, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2 && depth > 0; i++) {
		pid_t child = start_child();
		if (child == 0) {
			set(memory + PAGE, 77);
			generation(memory, shared, 2 * number + i, depth - 1);
			_exit(0);
		}
		int status;
		if (i == 1 || number % 2 == 0)
			REQUIRE(waitpid(child, &status, 0) == child && status == 0);
		REQUIRE(get(memory) == number && get(memory + PAGE) == (number % 3 == 0 ? 78 : 77));
	}
	int status;
	while (waitpid(-1, &status, 0) > 0)
		REQUIRE(status == 0);
	REQUIRE(get(memory) == number);
}

int main(void)
{
	catch_faults();
	char *memory = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(memory != MAP_FAILED && shared != MAP_FAILED);
	set(memory + PAGE, 77);
	generation(memory, shared, 1, 4);
	printf("a tree of 31 processes: %d\n", *(int *)shared);

	// The last reference: parents that end before their children.
	int status, done[2];
	char byte = 0;
	REQUIRE(pipe(done) == 0);
	pid_t parent = start_child();
	if (parent == 0) {
		set(memory + 2 * PAGE, 5);
		for (int i = 0; i < 3; i++)
			if (fork() == 0) {
				while (getppid() == parent)
					usleep(1000);
				REQUIRE(get(memory + 2 * PAGE) == 5);
				set(memory + 2 * PAGE, 6 + i);
				REQUIRE(get(memory + 2 * PAGE) == 6 + i);
				byte = 1;
				REQUIRE(write(done[1], &byte, 1) == 1);
				_exit(0);
			}
		parent = getpid();
		_exit(0);
	}
	REQUIRE(waitpid(parent, &status, 0) == parent && status == 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(read(done[0], &byte, 1) == 1);
	printf("orphans: %d\n", get(memory + 2 * PAGE));

	// A child's page that is never written is the parent's old one.
	set(memory + 3 * PAGE, 1);
	int there[2], back[2];
	REQUIRE(pipe(there) == 0 && pipe(back) == 0);
	pid_t child = start_child();
	if (child == 0) {
		REQUIRE(read(there[0], &byte, 1) == 1);
		byte = (char)get(memory + 3 * PAGE);
		REQUIRE(write(back[1], &byte, 1) == 1);
		_exit(0);
	}
	set(memory + 3 * PAGE, 2);
	REQUIRE(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
	printf("the parent wrote %d, the child has %d\n", get(memory + 3 * PAGE), byte);
	show_child("child", child);

	// The kernel's copies break sharing, too; a buffer that read(2) fills belongs to the reader alone.
	child = start_child();
	if (child == 0) {
		int zero = open("/dev/zero", O_RDONLY);
		REQUIRE(read(zero, memory + 3 * PAGE, PAGE) == PAGE && get(memory + 3 * PAGE) == 0);
		_exit(0);
	}
	show_child("reader", child);
	printf("%d\n", get(memory + 3 * PAGE));

	// Protection: a page that may not be written is not copied, and comes back writable.
	REQUIRE(mprotect(memory, 4 * PAGE, PROT_READ) == 0);
	child = start_child();
	if (child == 0) {
		printf("code %d\n", POKE(memory));
		REQUIRE(mprotect(memory, 4 * PAGE, RW) == 0);
		set(memory, 99);
		printf("child %d\n", get(memory));
		fflush(stdout);
		_exit(0);
	}
	show_child("protected", child);
	printf("parent %d\n", get(memory));
	REQUIRE(mprotect(memory, 4 * PAGE, RW) == 0);
	set(memory, 98);
	printf("parent %d\n", get(memory));

	// Private mappings of a file: what is not copied follows the file; what is copied does not. Through fork, too.
	int file = memfd_create("cow", 0);
	REQUIRE(file >= 0 && ftruncate(file, 4 * PAGE) == 0);
	char *one = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, file, 0), *two = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0);
	REQUIRE(one != MAP_FAILED && two != MAP_FAILED);
	(void)*(volatile char *)(one + PAGE);
	set(one, 10);
	for (int i = 0; i < 4; i++)
		set(two + i * PAGE, 20 + i);
	printf("%d %d %d %d\n", one[0], one[PAGE], one[2 * PAGE], one[3 * PAGE]);
	child = start_child();
	if (child == 0) {
		set(one + PAGE, 30);
		set(two + 2 * PAGE, 31);
		printf("child %d %d %d %d\n", one[0], one[PAGE], one[2 * PAGE], one[3 * PAGE]);
		fflush(stdout);
		_exit(0);
	}
	show_child("copies", child);
	set(two + PAGE, 40);
	printf("%d %d %d %d\n", one[0], one[PAGE], one[2 * PAGE], one[3 * PAGE]);
	REQUIRE(pwrite(file, "A", 1, 3 * PAGE) == 1);
	printf("%c\n", one[3 * PAGE]);
	// A private page of read-only memory that mprotect makes writable is a copy, not the file.
	char *three = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 3 * PAGE);
	printf("%c\n", three[0]);
	REQUIRE(mprotect(three, PAGE, RW) == 0);
	three[0] = 'B';
	printf("%c %c\n", three[0], two[3 * PAGE]);
	return 0;
}
