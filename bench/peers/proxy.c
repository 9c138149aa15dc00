/* proxy FRONTEND BACKEND
 *
 * zmq_proxy between ROUTER and DEALER: round robin, no least-recently-used list; workers are REP sockets.
 */
#include <stdio.h>
#include <zmq.h>

static void *bound(void *context, int type, const char *port)
{
    char address[64];
    int backlog = 1024, unbounded = 0;
    void *socket = zmq_socket(context, type);
    zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof backlog);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &unbounded, sizeof unbounded);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &unbounded, sizeof unbounded);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%s", port);
    if (zmq_bind(socket, address) != 0) {
        fprintf(stderr, "%s: %s\n", address, zmq_strerror(zmq_errno()));
        return NULL;
    }
    return socket;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "proxy FRONTEND BACKEND\n");
        return 2;
    }
    void *context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 20000);
    void *frontend = bound(context, ZMQ_ROUTER, argv[1]);
    void *backend = bound(context, ZMQ_DEALER, argv[2]);
    if (frontend == NULL || backend == NULL)
        return 2;
    zmq_proxy(frontend, backend, NULL);
    return 0;
}
