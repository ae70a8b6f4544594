/* sendmmsg(2), recvmmsg(2). */
#include "check.h"
#include <sys/socket.h>

int main(void)
{
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    char out[4][8] = {"one", "three", "", "seventh"}, in[6][8];
    struct iovec pieces[6];
    struct mmsghdr messages[6] = {0};
    for (int i = 0; i < 4; i++) {
        pieces[i] = (struct iovec){out[i], strlen(out[i])};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    SHOW(sendmmsg(pair[0], messages, 4, 0));
    for (int i = 0; i < 4; i++)
        printf("sent %u\n", messages[i].msg_len);
    for (int i = 0; i < 6; i++) {
        pieces[i] = (struct iovec){in[i], 4};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &pieces[i], .msg_iovlen = 1}};
    }
    SHOW(recvmmsg(pair[1], messages, 6, MSG_WAITFORONE, NULL));
    for (int i = 0; i < 4; i++)
        printf("received %u flags %#x\n", messages[i].msg_len, messages[i].msg_hdr.msg_flags);
    SHOW(recvmmsg(pair[1], messages, 6, MSG_DONTWAIT, NULL));
    SHOW(recvmmsg(pair[1], messages, 0, 0, NULL));
    SHOW(recvmmsg(0, messages, 1, 0, NULL));
    SHOW(recvmmsg(pair[1], messages, 1, 0, &(struct timespec){0, -1}));
    NEED(send(pair[0], "late", 4, 0));
    SHOW(recvmmsg(pair[1], messages, 6, 0, &(struct timespec){0, 0}));
    SHOW(sendmmsg(pair[0], (struct mmsghdr *)(intptr_t)8, 1, 0));
    close(pair[1]);
    pieces[0].iov_len = 1;
    SHOW(sendmmsg(pair[0], messages, 2, MSG_NOSIGNAL));
    return 0;
}
