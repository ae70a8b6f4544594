/* openat2(2): what resolves, and what may not. */
#include "check.h"
#include <linux/openat2.h>

static long try(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0)
        close((int)fd);
    return fd == -1 ? -1 : 0;
}

int main(void)
{
    NEED(mkdir("tree", 0755));
    NEED(mkdir("tree/below", 0755));
    put_file("tree/file", "x");
    put_file("outside", "y");
    NEED(symlink("file", "tree/link"));
    NEED(symlink("../outside", "tree/escape"));
    NEED(symlink("/file", "tree/absolute"));
    NEED(symlink("/proc/self/exe", "tree/magic"));
    int tree = (int)NEED(open("tree", O_PATH | O_DIRECTORY));

    SHOW(try(tree, "file", O_RDONLY, 0, 0));
    SHOW(try(tree, "link", O_RDONLY, 0, 0));
    SHOW(try(tree, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
    SHOW(try(tree, "link", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
    SHOW(try(tree, "escape", O_RDONLY, 0, 0));
    SHOW(try(tree, "escape", O_RDONLY, 0, RESOLVE_BENEATH));
    SHOW(try(tree, "../outside", O_RDONLY, 0, RESOLVE_BENEATH));
    SHOW(try(tree, "below/../file", O_RDONLY, 0, RESOLVE_BENEATH));
    SHOW(try(tree, "absolute", O_RDONLY, 0, RESOLVE_BENEATH));
    SHOW(try(tree, "/", O_RDONLY, 0, RESOLVE_BENEATH));
    SHOW(try(tree, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT));
    SHOW(try(tree, "../../file", O_RDONLY, 0, RESOLVE_IN_ROOT));
    SHOW(try(tree, "/file", O_RDONLY, 0, RESOLVE_IN_ROOT));
    SHOW(try(tree, "/outside", O_RDONLY, 0, RESOLVE_IN_ROOT));
    SHOW(try(tree, "magic", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    SHOW(try(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    SHOW(try(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_XDEV));
    SHOW(try(tree, "new", O_CREAT | O_WRONLY, 0640, RESOLVE_BENEATH));
    struct stat st;
    NEED(stat("tree/new", &st));
    printf("%o\n", st.st_mode);

    SHOW(try(tree, "file", O_RDONLY, 0644, 0));
    SHOW(try(tree, "new2", O_CREAT | O_WRONLY, 010000, 0));
    SHOW(try(tree, "file", UINT64_C(1) << 40, 0, 0));
    SHOW(try(tree, "file", O_RDONLY, 0, 0x1000));
    SHOW(try(tree, "file", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    SHOW(try(tree, "file", O_PATH | O_WRONLY, 0, 0));
    struct open_how how = {0};
    SHOW(syscall(SYS_openat2, tree, "file", &how, 8L));
    struct {
        struct open_how how;
        uint64_t more;
    } larger = {.more = 1};
    SHOW(syscall(SYS_openat2, tree, "file", &larger, sizeof larger));
    larger.more = 0;
    TRY(syscall(SYS_openat2, tree, "file", &larger, sizeof larger));
    return 0;
}
