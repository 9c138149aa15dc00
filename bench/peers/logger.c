/* logger PORT FILE MODE
 *
 * What a logger costs in C, by what it promises. MODE is one of
 *   batch   what has arrived goes out in one write(2); nothing is synced
 *   group   the same, and fdatasync(2) at most 50 ms after the first unsynced record
 *   sync    fdatasync after each write of a batch
 *   line    one write and one fdatasync a record
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { BATCH = 1 << 20, GROUP_MS = 50 };

static char batch[BATCH];
static size_t used;
static int file;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int write_out(void)
{
    size_t done = 0;
    while (done < used) {
        ssize_t written = write(file, batch + done, used - done);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            done += written;
    }
    used = 0;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "logger PORT FILE batch|group|sync|line\n");
        return 2;
    }
    int group = strcmp(argv[3], "group") == 0, sync = strcmp(argv[3], "sync") == 0, line = strcmp(argv[3], "line") == 0;
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%s", argv[1]);
    file = open(argv[2], O_WRONLY | O_APPEND | O_CREAT, 0644);
    void *socket = zmq_socket(zmq_ctx_new(), ZMQ_PULL);
    if (file < 0 || zmq_bind(socket, address) != 0) {
        fprintf(stderr, "%s or %s: %s\n", argv[2], address, zmq_strerror(zmq_errno()));
        return 2;
    }
    long long unsynced_since = -1;
    for (;;) {
        zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
        long long left = unsynced_since < 0 ? -1 : unsynced_since + GROUP_MS - now_ms();
        zmq_poll(&item, 1, unsynced_since >= 0 && left < 0 ? 0 : left);
        for (;;) {
            int length = zmq_recv(socket, batch + used, BATCH - used - 1, ZMQ_DONTWAIT);
            if (length < 0)
                break;
            used += (size_t)length < BATCH - used - 1 ? (size_t)length : BATCH - used - 1;
            batch[used++] = '\n';
            if (line || used > BATCH / 2)
                break;
        }
        if (used > 0) {
            if (write_out() != 0)
                return 1;
            if (line || sync)
                fdatasync(file);
            else if (group && unsynced_since < 0)
                unsynced_since = now_ms();
        }
        if (unsynced_since >= 0 && now_ms() - unsynced_since >= GROUP_MS) {
            fdatasync(file);
            unsynced_since = -1;
        }
    }
}
