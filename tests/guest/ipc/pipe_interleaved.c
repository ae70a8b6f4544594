/* Many writers on one pipe: writes up to PIPE_BUF are never torn, pipe(7). */
#include "check.h"

enum { WRITERS = 5, RECORDS = 200 };

int main(void)
{
    int ends[2];
    NEED(pipe(ends));
    pid_t children[WRITERS];
    for (int writer = 0; writer < WRITERS; writer++) {
        children[writer] = start_child();
        if (children[writer] == 0) {
            char record[PIPE_BUF];
            memset(record, 'a' + writer, sizeof record);
            for (int i = 0; i < RECORDS; i++)
                NEED(write(ends[1], record, sizeof record));
            _exit(0);
        }
    }
    close(ends[1]);
    static char record[PIPE_BUF];
    size_t have = 0;
    int torn = 0, counts[WRITERS] = {0};
    ssize_t length;
    while ((length = read(ends[0], record + have, sizeof record - have)) > 0) {
        have += (size_t)length;
        if (have < sizeof record)
            continue;
        have = 0;
        counts[record[0] - 'a']++;
        for (size_t i = 1; i < sizeof record; i++)
            torn += record[i] != record[0];
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        printf("writer %d: %d records\n", writer, counts[writer]);
        show_child("it", children[writer]);
    }
    SHOW(torn);
    return 0;
}
