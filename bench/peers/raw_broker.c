/* raw_broker FRONTEND BACKEND
 *
 * The yardstick: a load-balancing broker on libzmq with nothing but the least-recently-used list. No deadlines, no
 * limits, no trace. Workers are of the "guide" dialect: [w, '', 'READY'] registers, [w, '', client, '', body...] answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { MOST_WORKERS = 4096, MOST_IDENTITY = 255 };

struct worker {
    unsigned char identity[MOST_IDENTITY];
    size_t length;
};

/* A ring of the workers that are free, longest waiting first. */
static struct worker ready[MOST_WORKERS];
static unsigned first, count;

static void *bound(void *context, const char *port)
{
    char address[64];
    int no_linger = 0, unbounded = 0;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &unbounded, sizeof unbounded);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &unbounded, sizeof unbounded);
    int backlog = 1024;
    zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof backlog);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%s", port);
    if (zmq_bind(socket, address) != 0) {
        fprintf(stderr, "%s: %s\n", address, zmq_strerror(zmq_errno()));
        exit(2);
    }
    return socket;
}

/* Passes the rest of the message in hand from one socket to the other, without a copy. */
static void forward(void *from, void *to, zmq_msg_t *frame)
{
    int more;
    do {
        zmq_msg_recv(frame, from, 0);
        more = zmq_msg_more(frame);
        zmq_msg_send(frame, to, more ? ZMQ_SNDMORE : 0);
    } while (more);
}

static void from_worker(void *backend, void *frontend)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    zmq_msg_recv(&frame, backend, 0);
    struct worker *worker = &ready[(first + count++) % MOST_WORKERS];
    worker->length = zmq_msg_size(&frame);
    memcpy(worker->identity, zmq_msg_data(&frame), worker->length);
    zmq_msg_recv(&frame, backend, 0); /* delimiter */
    zmq_msg_recv(&frame, backend, 0); /* client or READY */
    if (zmq_msg_more(&frame)) {
        zmq_msg_send(&frame, frontend, ZMQ_SNDMORE);
        forward(backend, frontend, &frame);
    }
    zmq_msg_close(&frame);
}

static void from_client(void *frontend, void *backend)
{
    zmq_msg_t frame;
    struct worker *worker = &ready[first];
    first = (first + 1) % MOST_WORKERS;
    count--;
    zmq_send(backend, worker->identity, worker->length, ZMQ_SNDMORE);
    zmq_send(backend, "", 0, ZMQ_SNDMORE);
    zmq_msg_init(&frame);
    forward(frontend, backend, &frame);
    zmq_msg_close(&frame);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "raw_broker FRONTEND BACKEND\n");
        return 2;
    }
    void *context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 20000);
    void *frontend = bound(context, argv[1]);
    void *backend = bound(context, argv[2]);
    for (;;) {
        zmq_pollitem_t items[] = {{backend, 0, ZMQ_POLLIN, 0}, {frontend, 0, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, count > 0 ? 2 : 1, -1) < 0)
            break;
        if (items[0].revents & ZMQ_POLLIN)
            from_worker(backend, frontend);
        if (count > 0 && (items[1].revents & ZMQ_POLLIN))
            from_client(frontend, backend);
    }
    return 0;
}
