"""worker.py DIALECT ID BACKEND_PORT [--delay MS] [--die-on TEXT]: a worker on pyzmq.

DIALECT is short, long or guide (a plain REQ socket: it cannot heartbeat, and it never registers twice) or ppp (a DEALER socket
with the heartbeats, liveness and back-off of ZeroMQ RFC 6). The reply is the request with " ID" after its last frame.
"""

import argparse
import os
import time

import zmq

READY, HEARTBEAT = b"\x01", b"\x02"
INTERVAL_MS = 1000
LIVENESS = 3
MOST_BACKOFF_MS = 32_000
REGISTRATION = {"short": [b"", b""], "long": [b"", b"", b""], "guide": [b"READY"]}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("dialect", choices=[*REGISTRATION, "ppp"])
    parser.add_argument("id")
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=int, default=0, help="how long the work takes, in ms")
    parser.add_argument("--die-on", help="a request that kills its worker")
    return parser.parse_args()


def work(options: argparse.Namespace, body: list[bytes]) -> list[bytes]:
    if options.die_on and options.die_on.encode() in body:
        os._exit(1)
    time.sleep(options.delay / 1000)
    *others, last = body
    return [*others, last + b" " + options.id.encode()]


def connected(options: argparse.Namespace, kind: int) -> zmq.Socket:
    socket = zmq.Context.instance().socket(kind)
    socket.identity = options.id.encode()
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{options.port}")
    return socket


def serve_req(options: argparse.Namespace) -> None:
    socket = connected(options, zmq.REQ)
    socket.send_multipart(REGISTRATION[options.dialect])
    envelope = 1 if options.dialect == "short" else 2
    while True:
        frames = socket.recv_multipart()
        socket.send_multipart([*frames[:envelope], *work(options, frames[envelope:])])


def serve_ppp(options: argparse.Namespace) -> None:
    backoff = INTERVAL_MS
    while True:
        socket = connected(options, zmq.DEALER)
        socket.send(READY)
        liveness, next_heartbeat = LIVENESS, time.monotonic() + INTERVAL_MS / 1000
        while liveness > 0:
            if socket.poll(INTERVAL_MS):
                liveness, backoff = LIVENESS, INTERVAL_MS
                frames = socket.recv_multipart()
                if len(frames) >= 3:
                    socket.send_multipart([*frames[:2], *work(options, frames[2:])])
                elif frames != [HEARTBEAT]:
                    raise SystemExit(f"an unexpected message: {frames}")
            else:
                liveness -= 1
            if time.monotonic() > next_heartbeat:
                next_heartbeat = time.monotonic() + INTERVAL_MS / 1000
                socket.send(HEARTBEAT)
        socket.close()
        time.sleep(backoff / 1000)
        backoff = min(2 * backoff, MOST_BACKOFF_MS)


if __name__ == "__main__":
    chosen = parse()
    (serve_ppp if chosen.dialect == "ppp" else serve_req)(chosen)
