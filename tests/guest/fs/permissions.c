/* access(2), chmod(2), chown(2), and what a user without privileges may do. */
#include "check.h"

static void show_mode(const char *path)
{
    struct stat st;
    NEED(lstat(path, &st));
    printf("%s: %o\n", path, st.st_mode);
    fflush(stdout);
}

int main(void)
{
    umask(022);
    put_file("f", "text");
    NEED(mkdir("d", 0777));
    show_mode("f");
    show_mode("d");
    SHOW(chmod("f", 04751));
    show_mode("f");
    SHOW(access("f", R_OK | W_OK | X_OK));
    SHOW(access("f", F_OK));
    SHOW(access("missing", F_OK));
    SHOW(access("f", 8));
    SHOW(access("f/", F_OK));
    SHOW(faccessat(AT_FDCWD, "f", X_OK, AT_EACCESS));
    SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", X_OK, 0x8000));
    int fd = (int)NEED(open("f", O_RDWR));
    SHOW(fchmod(fd, 0600));
    show_mode("f");
    SHOW(chmod("missing", 0600));
    NEED(symlink("f", "link"));
    SHOW(chmod("link", 0640));
    show_mode("f");
    show_mode("link");
    SHOW(fchmodat(AT_FDCWD, "d", 01777, 0));
    show_mode("d");
    SHOW(chown("f", -1, -1));
    SHOW(lchown("link", -1, -1));
    SHOW(fchown(fd, getuid(), getgid()));
    SHOW(chown("missing", 0, 0));
    SHOW(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
    SHOW(fchownat(fd, "", -1, -1, 0x8000));

    umask(0);
    NEED(close(open("open", O_CREAT | O_WRONLY, 0666)));
    show_mode("open");
    SHOW(umask(0777));
    NEED(close(open("closed", O_CREAT | O_WRONLY, 0666)));
    show_mode("closed");
    SHOW(umask(022));

    if (getuid() != 0) {
        printf("the rest needs root\n");
        return 0;
    }
    /* Root may do all but run what nobody may run. */
    NEED(chmod("f", 0));
    SHOW(access("f", R_OK | W_OK));
    SHOW(access("f", X_OK));
    NEED(chown("d", 1000, 1000));
    NEED(chmod("d", 0755));
    NEED(chmod(".", 0755));
    put_file("secret", "s");
    NEED(chmod("secret", 0600));
    put_file("groups", "g");
    NEED(chown("groups", 0, 1000));
    NEED(chmod("groups", 0640));
    put_file("suid", "s");
    NEED(chmod("suid", 06755));
    SHOW(chown("suid", 1000, 1000));
    show_mode("suid");
    NEED(chmod("suid", 06755));
    NEED(mkdir("sticky", 0777));
    NEED(chmod("sticky", 01777));
    put_file("sticky/root", "r");
    NEED(mkdir("shared", 0777));
    NEED(chown("shared", 0, 2000));
    NEED(chmod("shared", 02777));
    pid_t child = start_child();
    if (child == 0) {
        NEED(setgid(1000));
        NEED(setuid(1000));
        SHOW(open("secret", O_RDONLY));
        TRY(open("groups", O_RDONLY));
        SHOW(open("groups", O_WRONLY));
        SHOW(open("new", O_CREAT | O_WRONLY, 0600));
        SHOW(chmod("secret", 0666));
        SHOW(chown("suid", 0, -1));
        SHOW(chown("suid", -1, 0));
        SHOW(chown("suid", -1, 1000));
        NEED(chmod("suid", 06755));
        int own = (int)NEED(open("suid", O_WRONLY));
        NEED(write(own, "x", 1));
        show_mode("suid");
        SHOW(unlink("sticky/root"));
        SHOW(rename("sticky/root", "sticky/mine"));
        TRY(open("sticky/own", O_CREAT | O_WRONLY, 0600));
        SHOW(unlink("sticky/own"));
        NEED(close((int)NEED(open("shared/file", O_CREAT | O_WRONLY, 0600))));
        struct stat st;
        NEED(stat("shared/file", &st));
        printf("group %u\n", st.st_gid);
        NEED(mkdir("shared/directory", 0755));
        show_mode("shared/directory");
        SHOW(chdir("d"));
        SHOW(mkdir("mine", 0));
        SHOW(open("mine/x", O_CREAT | O_WRONLY, 0600));
        SHOW(access("mine", X_OK));
        SHOW(mknod("node", S_IFCHR | 0666, 0x103));
        SHOW(mknod("fifo", S_IFIFO | 0666, 0));
        SHOW(chroot("."));
        SHOW(link("../secret", "hard"));
        exit(0);
    }
    show_child("child", child);
    return 0;
}
