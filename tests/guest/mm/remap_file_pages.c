// remap_file_pages(2), as Linux emulates it.
#include "memory.h"
#include <sys/mman.h>

#define PAGE 4096L

int main(void)
{
	volatile char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		at[i * PAGE] = '0' + i;
	REQUIRE(remap_file_pages((void *)at, PAGE, 0, 3, 0) == 0);
	REQUIRE(at[0] == '3' && at[3 * PAGE] == '3');
	at[0] = 'x';
	REQUIRE(at[3 * PAGE] == 'x');
	OK("a page of the object appears at another address");
	char *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_FAILS(remap_file_pages(own, PAGE, 0, 0, 0), EINVAL);
	REQUIRE_FAILS(remap_file_pages((void *)at, PAGE, PROT_READ, 0, 0), EINVAL);
	REQUIRE_FAILS(remap_file_pages((void *)at, 0, 0, 0, 0), EINVAL);
	OK("errors of remap_file_pages");
	return 0;
}
