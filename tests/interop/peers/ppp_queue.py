"""ppp_queue.py FRONTEND_PORT BACKEND_PORT: the queue of ZeroMQ RFC 6 (Paranoid Pirate) with its heartbeats."""

import sys
import time

import zmq

READY, HEARTBEAT = b"\x01", b"\x02"
INTERVAL = 1.0
EXPIRY = 3 * INTERVAL

context = zmq.Context()
frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
frontend.bind(f"tcp://127.0.0.1:{sys.argv[1]}")
backend.bind(f"tcp://127.0.0.1:{sys.argv[2]}")
# Free workers, longest waiting first, each with the time when it counts as dead.
free: dict[bytes, float] = {}
next_heartbeat = time.monotonic() + INTERVAL
while True:
    listening = [backend, frontend] if free else [backend]
    readable = zmq.select(listening, [], [], timeout=INTERVAL)[0]
    now = time.monotonic()
    if backend in readable:
        worker, *frames = backend.recv_multipart()
        free.pop(worker, None)
        free[worker] = now + EXPIRY
        if len(frames) > 1:
            frontend.send_multipart(frames)
        elif frames not in ([READY], [HEARTBEAT]):
            sys.exit(f"an unexpected message from a worker: {frames}")
    if frontend in readable and free:
        worker = next(iter(free))
        del free[worker]
        backend.send_multipart([worker, *frontend.recv_multipart()])
    if now >= next_heartbeat:
        next_heartbeat = now + INTERVAL
        for worker in free:
            backend.send_multipart([worker, HEARTBEAT])
    free = {worker: expiry for worker, expiry in free.items() if expiry > now}
