"""lru_broker.py FRONTEND_PORT BACKEND_PORT: the load-balancing pattern of the Guide's chapter 3, for REQ workers."""

import collections
import sys

import zmq

context = zmq.Context()
frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
frontend.bind(f"tcp://127.0.0.1:{sys.argv[1]}")
backend.bind(f"tcp://127.0.0.1:{sys.argv[2]}")
ready: collections.deque[bytes] = collections.deque()
while True:
    listening = [backend, frontend] if ready else [backend]
    readable = zmq.select(listening, [], [])[0]
    if backend in readable:
        worker, empty, client, *rest = backend.recv_multipart()
        assert empty == b""
        ready.append(worker)
        if client != b"READY":
            frontend.send_multipart([client, *rest])
    if frontend in readable and ready:
        client, *rest = frontend.recv_multipart()
        backend.send_multipart([ready.popleft(), b"", client, *rest])
