/* What forwarding costs when it is compiled: the yardstick of `snug bench forward` (lab/bench/forwarding/command.py).
 *
 * The same system calls and the same libsrtp as the server's path, and nothing else: no table of peers, no
 * check of a header, no cache, no timers. Built when the bench runs, by the system's compiler, and called in
 * the bench's own process. `protect` and `unprotect` are libsrtp's, out of the wheel of pylibsrtp.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SOL_UDP_ 17

enum { BATCH = 64, SLOTS = 512, STRIDE = 1408, RUN = 8, DATAGRAM = 2048 };

typedef int (*srtp_call)(void *session, void *packet, int *length);

static unsigned char inbox[BATCH][DATAGRAM];
static unsigned char outbox[SLOTS][STRIDE];
static struct mmsghdr incoming[BATCH], outgoing[SLOTS];
static struct iovec in_vector[BATCH], out_vector[SLOTS];
static union {
    struct cmsghdr head;
    unsigned char bytes[CMSG_SPACE(sizeof(uint16_t))];
} control[SLOTS];

/* Send the first `count` messages; how many of their packets went. */
static long send_all(int fd, int count) {
    long sent = 0;
    int at = 0;
    while (at < count) {
        int n = sendmmsg(fd, outgoing + at, count - at, MSG_DONTWAIT);
        if (n < 0) {
            if (errno == EINTR) continue;
            return sent; /* full: a network may lose packets */
        }
        for (int i = at; i < at + n; i++) sent += (long)outgoing[i].msg_hdr.msg_iovlen;
        at += n;
    }
    return sent;
}

/* Forward `packets` datagrams that come to `fd` to each of `fan_out` receivers; how many were sent, or -1: the
 * feeder was silent for `patience` ms. For each `ack` that have come a byte goes to `credit`. `run`: packets of
 * one size for one receiver that may share a message (UDP_SEGMENT), at most 8; 1: each is a message of its own.
 */
long snug_loop(int fd, int credit, long packets, long ack, int run, uintptr_t unprotect_at, uintptr_t protect_at,
               void *inbound, void **outbound, const struct sockaddr_in *receivers, int fan_out, int patience) {
    srtp_call unprotect = (srtp_call)unprotect_at, protect = (srtp_call)protect_at;
    long received = 0, acknowledged = 0, sent = 0;
    int sizes[BATCH], messages, slots;

    if (fan_out < 1 || fan_out > SLOTS || run < 1 || run > RUN) return -1;
    for (int i = 0; i < BATCH; i++) {
        in_vector[i].iov_base = inbox[i];
        in_vector[i].iov_len = DATAGRAM;
        memset(&incoming[i], 0, sizeof incoming[i]);
        incoming[i].msg_hdr.msg_iov = &in_vector[i];
        incoming[i].msg_hdr.msg_iovlen = 1;
    }
    while (received < packets) {
        int count = recvmmsg(fd, incoming, BATCH, MSG_DONTWAIT, NULL);
        if (count < 0) {
            struct pollfd wait = {fd, POLLIN, 0};
            if (errno != EAGAIN && errno != EINTR) return -1;
            if (poll(&wait, 1, patience) == 0) return -1;
            continue;
        }
        for (int i = 0; i < count; i++) {
            sizes[i] = (int)incoming[i].msg_len;
            if (unprotect(inbound, inbox[i], &sizes[i])) sizes[i] = 0;
        }
        messages = slots = 0;
        for (int first = 0; first < count;) {
            /* a run: as many of one size as may go together, and as there is room for */
            int length = 1;
            while (first + length < count && length < run && sizes[first + length] == sizes[first]
                   && fan_out * (length + 1) <= SLOTS)
                length++;
            if (!sizes[first]) {
                first++;
                continue;
            }
            if (slots + fan_out * length > SLOTS) {
                sent += send_all(fd, messages);
                messages = slots = 0;
            }
            for (int r = 0; r < fan_out; r++) {
                struct msghdr *head = &outgoing[messages].msg_hdr;
                int size = 0;
                memset(head, 0, sizeof *head);
                head->msg_name = (void *)&receivers[r];
                head->msg_namelen = sizeof receivers[r];
                head->msg_iov = &out_vector[slots];
                head->msg_iovlen = (size_t)length;
                for (int i = first; i < first + length; i++, slots++) {
                    size = sizes[i];
                    memcpy(outbox[slots], inbox[i], (size_t)size);
                    if (protect(outbound[r], outbox[slots], &size)) return -1;
                    out_vector[slots].iov_base = outbox[slots];
                    out_vector[slots].iov_len = (size_t)size;
                }
                if (length > 1) {
                    uint16_t segment = (uint16_t)size;
                    control[messages].head.cmsg_level = SOL_UDP_;
                    control[messages].head.cmsg_type = UDP_SEGMENT;
                    control[messages].head.cmsg_len = CMSG_LEN(sizeof segment);
                    memcpy(CMSG_DATA(&control[messages].head), &segment, sizeof segment);
                    head->msg_control = &control[messages];
                    head->msg_controllen = sizeof control[messages].bytes;
                }
                messages++;
            }
            first += length;
        }
        sent += send_all(fd, messages);
        received += count;
        while (received / ack > acknowledged) {
            if (write(credit, "+", 1) != 1) return -1;
            acknowledged++;
        }
    }
    return sent;
}
