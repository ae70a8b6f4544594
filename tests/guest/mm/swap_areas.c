// swapon(2) and swapoff(2) are for the superuser.
#include "memory.h"
#include <sys/swap.h>
#include <sys/syscall.h>

int main(void)
{
	if (geteuid() == 0)
		REQUIRE(syscall(SYS_setresuid, 1000, 1000, 1000) == 0);
	REQUIRE_FAILS(swapon("/nowhere", 0), EPERM);
	REQUIRE_FAILS(swapoff("/nowhere"), EPERM);
	OK("EPERM for others");
	return 0;
}
