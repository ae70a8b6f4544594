/* rename(2), renameat2(2): what replaces what, and what may not. */
#include "check.h"

int main(void)
{
    put_file("a", "a");
    put_file("b", "b");
    SHOW(rename("a", "c"));
    SHOW(access("a", F_OK));
    show_file("c");
    SHOW(rename("c", "b"));
    show_file("b");
    SHOW(rename("missing", "x"));
    SHOW(rename("b", "nowhere/x"));
    NEED(mkdir("d", 0755));
    NEED(mkdir("e", 0755));
    put_file("e/inside", "i");
    SHOW(rename("b", "d"));
    SHOW(rename("d", "b"));
    SHOW(rename("d", "e"));
    SHOW(rename("e", "d"));
    show_file("d/inside");
    SHOW(rename("d", "d/below"));
    SHOW(rename("d", "d"));
    NEED(link("b", "b2"));
    SHOW(rename("b", "b2"));
    SHOW(access("b", F_OK));
    SHOW(rename("b/", "z"));
    SHOW(rename(".", "z"));
    SHOW(rename("d/..", "z"));
    put_file("n1", "1");
    put_file("n2", "2");
    SHOW(renameat2(AT_FDCWD, "n1", AT_FDCWD, "n2", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "n1", AT_FDCWD, "n2", RENAME_EXCHANGE));
    show_file("n1");
    show_file("n2");
    SHOW(renameat2(AT_FDCWD, "n1", AT_FDCWD, "missing", RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "n1", AT_FDCWD, "n3", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "n2", AT_FDCWD, "n3", 0x80));
    SHOW(renameat2(AT_FDCWD, "n2", AT_FDCWD, "n3", RENAME_EXCHANGE | RENAME_NOREPLACE));

    /* An open file follows its inode, not its name. */
    int fd = (int)NEED(open("n2", O_RDONLY));
    SHOW(rename("n3", "n2"));
    char byte;
    SHOW(read(fd, &byte, 1));
    printf("%c\n", byte);
    struct stat st;
    NEED(fstat(fd, &st));
    SHOW(st.st_nlink);
    return 0;
}
