"""broker.py FRONTEND BACKEND: the least-recently-used broker on pyzmq, without deadlines."""

import collections
import sys

import zmq


def main(frontend_port: str, backend_port: str) -> None:
    context = zmq.Context()
    context.max_sockets = 20_000
    frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
    for socket in frontend, backend:
        socket.backlog = 1024
        socket.set_hwm(0)
    frontend.bind(f"tcp://127.0.0.1:{frontend_port}")
    backend.bind(f"tcp://127.0.0.1:{backend_port}")
    both, only_backend = zmq.Poller(), zmq.Poller()
    both.register(backend, zmq.POLLIN)
    both.register(frontend, zmq.POLLIN)
    only_backend.register(backend, zmq.POLLIN)
    ready: collections.deque[bytes] = collections.deque()
    while True:
        events = dict((both if ready else only_backend).poll())
        if backend in events:
            worker, _, *reply = backend.recv_multipart()
            ready.append(worker)
            if len(reply) > 1:
                frontend.send_multipart(reply)
        if ready and frontend in events:
            backend.send_multipart([ready.popleft(), b"", *frontend.recv_multipart()])


if __name__ == "__main__":
    main(*sys.argv[1:])
