// process_vm_readv(2), process_vm_writev(2): partial transfers, vectors, errors and their order.
#include "memory.h"
#include <sys/prctl.h>
#include <sys/uio.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)
#define READV(...) SHOW(process_vm_readv(peer, __VA_ARGS__))
#define WRITEV(...) SHOW(process_vm_writev(peer, __VA_ARGS__))

int main(void)
{
	char *shared = mmap(NULL, 16 * PAGE, RW, PLAIN, -1, 0);
	REQUIRE(shared != MAP_FAILED && munmap(shared + 2 * PAGE, PAGE) == 0);
	REQUIRE(mprotect(shared + 4 * PAGE, PAGE, PROT_NONE) == 0 && mprotect(shared + 5 * PAGE, PAGE, PROT_READ) == 0);
	int go[2];
	REQUIRE(pipe(go) == 0);
	pid_t peer = start_child();
	if (peer == 0) {
		char byte;
		memset(shared, 'c', 2 * PAGE);
		memset(shared + 6 * PAGE, 'd', 10 * PAGE);
		close(go[1]);
		kill(getpid(), SIGSTOP);
		REQUIRE(read(go[0], &byte, 1) == 0);
		printf("the child has %c %c %d %c\n", shared[0], shared[PAGE], shared[3 * PAGE], shared[6 * PAGE]);
		fflush(stdout);
		_exit(0);
	}
	REQUIRE(waitpid(peer, NULL, WUNTRACED) == peer);
	static char buffer[16 * 4096];
	struct iovec all = { buffer, sizeof buffer }, page = { buffer, PAGE }, none = { NULL, 0 };
	struct iovec whole = { shared, 16 * PAGE }, start = { shared, 2 * PAGE }, hole = { shared + 2 * PAGE, PAGE };
	struct iovec edge = { shared + 2 * PAGE - 10, 20 }, forbidden = { shared + 4 * PAGE, PAGE }, bad = { (void *)16, 10 };
	READV(&all, 1, &start, 1, 0);
	printf("%c%c\n", buffer[0], buffer[2 * PAGE - 1]);
	READV(&all, 1, &whole, 1, 0);
	READV(&all, 1, &hole, 1, 0);
	READV(&all, 1, &edge, 1, 0);
	READV(&all, 1, &forbidden, 1, 0);
	READV(&page, 1, &start, 1, 0);
	struct iovec pieces[] = { { shared, 5 }, { NULL, 0 }, { shared + PAGE, 7 }, { shared + 2 * PAGE, 3 }, { shared, 100 } };
	READV(&all, 1, pieces, 5, 0);
	READV(&all, 1, pieces, 3, 0);
	READV(&all, 1, pieces + 3, 2, 0);
	struct iovec parts[] = { { buffer, 3 }, { buffer + 100, 4 }, { buffer + 200, 1000 } };
	READV(parts, 3, pieces, 3, 0);
	printf("%.3s %.4s %.5s\n", buffer, buffer + 100, buffer + 200);
	// Errors.
	READV(&all, 1, &start, 1, 1);
	READV(NULL, 0, NULL, 0, 0);
	READV(&none, 1, &start, 1, 0);
	READV(&all, 1, &none, 1, 0);
	READV(&all, 1, NULL, 0, 0);
	READV(&all, 1, NULL, 1, 0);
	READV(NULL, 1, &start, 1, 0);
	READV(&all, 2000, &start, 1, 0);
	READV(&all, 1, &start, 2000, 0);
	READV(&all, -1UL, &start, 1, 0);
	struct iovec endless = { shared, -1 };
	READV(&all, 1, &endless, 1, 0);
	READV(&endless, 1, &start, 1, 0);
	READV(&bad, 1, &start, 1, 0);
	READV((struct iovec[]){ { buffer, 10 }, { (void *)16, 10 } }, 2, &start, 1, 0);
	READV(&all, 1, &bad, 1, 0);
	WRITEV(&all, 1, &bad, 1, 0);
	READV(&all, 1, (struct iovec *)16, 1, 0);
	SHOW(process_vm_readv(0x7ffffff0, &all, 1, &start, 1, 0));
	SHOW(process_vm_readv(-1, &all, 1, &start, 1, 0));
	SHOW(process_vm_readv(0x7ffffff0, &none, 1, &start, 1, 0));
	SHOW(process_vm_readv(0x7ffffff0, &all, 1, &start, 1, 1));
	SHOW(process_vm_readv(getpid(), &page, 1, &(struct iovec){ &none, sizeof none }, 1, 0));
	// Writing: protection counts.
	memset(buffer, 'w', sizeof buffer);
	WRITEV(&(struct iovec){ buffer, 10 }, 1, &start, 1, 0);
	WRITEV(&(struct iovec){ buffer, PAGE }, 1, &(struct iovec){ shared + 5 * PAGE, PAGE }, 1, 0);
	WRITEV(&all, 1, &(struct iovec){ shared + 3 * PAGE, 3 * PAGE }, 1, 0);
	WRITEV(&all, 1, &(struct iovec){ shared + 2 * PAGE - 4, 8 }, 1, 0);
	WRITEV(&(struct iovec){ (void *)16, 10 }, 1, &start, 1, 0);
	WRITEV((struct iovec[]){ { buffer, 10 }, { (void *)16, 10 } }, 2, &(struct iovec){ shared + 6 * PAGE, 100 }, 1, 0);
	printf("the parent keeps %d %d\n", shared[0], shared[PAGE]);
	fflush(stdout);
	// Who may.
	int status;
	IN_CHILD(status, {
		if (geteuid() == 0)
			REQUIRE(setresuid(65534, 65534, 65534) == 0);
		else
			prctl(PR_SET_DUMPABLE, 0);
		if (getuid() == 65534)
			READV(&all, 1, &start, 1, 0);
		fflush(stdout);
	});
	REQUIRE(kill(peer, SIGCONT) == 0 && close(go[1]) == 0);
	show_child("child", peer);
	SHOW(process_vm_readv(peer, &all, 1, &start, 1, 0));
	// A zombie has no memory.
	pid_t zombie = start_child();
	if (zombie == 0)
		_exit(0);
	siginfo_t info;
	REQUIRE(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
	SHOW(process_vm_readv(zombie, &all, 1, &start, 1, 0));
	REQUIRE(waitpid(zombie, NULL, 0) == zombie);
	return 0;
}
