"""Every kind of worker on our broker, with every shape of body."""

import pytest
import zmq

from harness import WORKERS, ask, cases

BODIES = {
    "text": [b"hello"],
    "an empty body": [b""],
    "several frames": [b"one", b"two", b"three"],
    "empty frames among others": [b"", b"two", b"", b"four", b""],
    "bytes that look like the protocol": [b"\x01", b"\x02", b"READY"],
    "16 MB": [bytes(range(256)) * (16 << 12)],
}


@pytest.mark.parametrize("kind", cases(WORKERS))
def test_worker_answers_every_shape_of_body(stage, kind):
    broker = stage.broker()
    stage.worker(kind, "w-1", broker.backend)
    client = stage.socket(zmq.REQ, broker.frontend)
    for what, body in BODIES.items():
        reply = ask(client, *body)
        assert reply == [*body[:-1], body[-1] + b" w-1"], what


@pytest.mark.parametrize("kind", cases(WORKERS))
def test_worker_serves_many_clients_in_turn(stage, kind):
    broker = stage.broker()
    stage.worker(kind, "w-1", broker.backend)
    clients = [stage.socket(zmq.REQ, broker.frontend) for _ in range(8)]
    for turn in range(10):
        for number, client in enumerate(clients):
            client.send(f"{number}-{turn}".encode())
        for number, client in enumerate(clients):
            assert client.poll(60_000)
            assert client.recv() == f"{number}-{turn} w-1".encode()


@pytest.mark.parametrize("kind", cases([kind for kind in WORKERS if kind.startswith("pyzmq")]))
def test_worker_without_a_name_of_its_own(stage, kind):
    """Most programs leave the identity to libzmq."""
    broker = stage.broker()
    dialect = kind.removeprefix("pyzmq-")
    worker = stage.socket(zmq.DEALER if dialect == "ppp" else zmq.REQ, broker.backend)
    worker.send_multipart({"short": [b"", b""], "long": [b"", b"", b""], "guide": [b"READY"], "ppp": [b"\x01"]}[dialect])
    client = stage.socket(zmq.REQ, broker.frontend)
    client.send(b"hello")
    frames = worker.recv_multipart()
    while frames == [b"\x02"]:
        frames = worker.recv_multipart()
    assert frames[-1] == b"hello"
    worker.send_multipart(frames)
    assert client.recv() == b"hello"
