"""Faults of real processes: each request ends in exactly one answer or one explicit error."""

import os
import signal
import socket

import pytest
import zmq

from harness import BIN, WORKERS, ask, cases, pirate, receive, until

# A kind of worker for each dialect, in the three libraries.
MIXED = ["pyzmq-short", "v5-long", "v6-guide", "pyzmq-ppp", "ours"]
REQ_WORKERS = ["pyzmq-short", "pyzmq-long", "pyzmq-guide", "v5-short", "v6-guide"]


@pytest.mark.parametrize("kind", cases(MIXED))
def test_sigkill_of_a_busy_worker(stage, kind):
    """Its request is done by another worker, and answered once."""
    broker = stage.broker()
    busy = stage.worker(kind, "dies", broker.backend, delay_ms=30_000)
    client = stage.socket(zmq.DEALER, broker.frontend)
    client.send_multipart([b"", b"job"])
    # The only worker holds it, when nothing has come back for a while.
    assert client.poll(500) == 0
    stage.worker("pyzmq-guide", "lives", broker.backend)
    busy.kill()
    assert receive(client) == [b"", b"job lives"]
    assert client.poll(500) == 0


@pytest.mark.parametrize("kind", cases(MIXED))
def test_sigstop_past_the_deadline(stage, kind):
    """A worker that hangs loses its request; when it goes on, its late answer is dropped and it works again."""
    broker = stage.broker(DEADLINE="500ms")
    slow = stage.worker(kind, "slow", broker.backend)
    client = stage.socket(zmq.DEALER, broker.frontend)
    client.send_multipart([b"", b"first"])
    assert receive(client) == [b"", b"first slow"]
    slow.signal(signal.SIGSTOP)
    client.send_multipart([b"", b"second"])
    stage.worker("pyzmq-guide", "quick", broker.backend)
    assert receive(client) == [b"", b"second quick"]
    slow.signal(signal.SIGCONT)

    def back() -> bool:
        client.send_multipart([b"", b"again"])
        empty, reply = receive(client)
        assert empty == b"" and reply.split()[0] == b"again", "the late answer to `second` was passed on"
        return reply == b"again slow"

    until(back, "the worker that hung is given work again")


@pytest.mark.parametrize("kind", cases(WORKERS))
def test_broker_is_killed_and_started_again(stage, kind):
    """ppp workers register again; plain REQ workers cannot, and are adopted."""
    broker = stage.broker(DEADLINE="1s")
    stage.worker(kind, "w-1", broker.backend)
    assert pirate(stage, broker.frontend, b"before") == [b"before w-1"]
    broker.kill()
    broker.start()
    assert pirate(stage, broker.frontend, b"after") == [b"after w-1"]
    assert pirate(stage, broker.frontend, b"still") == [b"still w-1"]


@pytest.mark.parametrize("kind", cases(REQ_WORKERS))
def test_broker_is_killed_while_a_plain_worker_is_busy(stage, kind):
    """Its answer reaches a broker that never asked: it is nobody's, but it proves that the worker is free."""
    broker = stage.broker(DEADLINE="1s")
    stage.worker(kind, "w-1", broker.backend, delay_ms=300)
    client = stage.socket(zmq.REQ, broker.frontend)
    client.send(b"lost")
    assert client.poll(100) == 0
    broker.kill()
    broker.start()
    assert pirate(stage, broker.frontend, b"after", every=3) == [b"after w-1"]


def test_our_client_outlives_a_broker_restart(stage):
    broker = stage.broker(DEADLINE="1s")
    for kind in ("ours", "pyzmq-short"):
        stage.worker(kind, f"w-{kind}", broker.backend, delay_ms=20)
    client = stage.start(
        BIN / "client", "CLI", 100, "127.0.0.1", broker.frontend, env={"REQUEST_TIMEOUT": "1s", "REQUEST_TRIES": "20"}
    )
    for _ in range(2):
        assert pirate(stage, broker.frontend, b"going").pop().startswith(b"going ")
        broker.kill()
        broker.start()
    assert client.exit_code() == 0, client.said()


def test_poison_ends_in_an_explicit_error(stage):
    """A request that kills its worker is given up after the retries; the workers that are left serve on."""
    broker = stage.broker(DEADLINE="1s", RETRIES="3")
    for number in range(6):
        stage.worker("pyzmq-guide", f"w-{number}", broker.backend, die_on="poison")
    client = stage.socket(zmq.REQ, broker.frontend)
    until(lambda: len({ask(client, b"up")[0] for _ in range(12)}) == 6, "six workers are there")
    (reply,) = ask(client, b"poison")
    assert reply.startswith(b"!cbw failed")
    assert len({ask(client, b"up")[0] for _ in range(12)}) >= 2


def test_a_full_queue_says_busy(stage):
    broker = stage.broker(QUEUE="10")
    client = stage.socket(zmq.DEALER, broker.frontend)
    for number in range(15):
        client.send_multipart([b"", b"%d" % number])
    refused = [receive(client)[1] for _ in range(5)]
    assert all(reply.startswith(b"!cbw busy") for reply in refused)
    stage.worker("pyzmq-long", "w", broker.backend)
    assert [receive(client)[1] for _ in range(10)] == [b"%d w" % number for number in range(10)]


def test_sigterm_drains(stage):
    """Work in hand is finished and answered, what waits is answered or refused, and the broker ends with 0."""
    broker = stage.broker()
    stage.worker("pyzmq-guide", "w", broker.backend, delay_ms=700)
    client = stage.socket(zmq.DEALER, broker.frontend)
    assert ask(stage.socket(zmq.REQ, broker.frontend), b"up") == [b"up w"]
    for body in (b"in hand", b"waiting"):
        client.send_multipart([b"", body])
    assert client.poll(300) == 0
    broker.process.signal(signal.SIGTERM)
    replies = {receive(client)[1] for _ in range(2)}
    assert b"in hand w" in replies
    (other,) = replies - {b"in hand w"}
    assert other == b"waiting w" or other.startswith(b"!cbw ")
    assert broker.process.exit_code() == 0


def test_two_workers_under_one_name(stage):
    """The later connection replaces the earlier one, and is served."""
    broker = stage.broker()
    stage.worker("ours", "twin", broker.backend)
    client = stage.socket(zmq.REQ, broker.frontend)
    assert ask(client, b"one") == [b"one twin"]
    stage.worker("pyzmq-guide", "other", broker.backend)
    stage.worker("pyzmq-long", "twin", broker.backend)
    for number in range(20):
        assert ask(client, b"%d" % number)[0].split()[0] == b"%d" % number


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "noise": os.urandom(4096),
    "a greeting and noise": b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(48) + os.urandom(512),
    "a frame of 2^63 bytes": b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(48) + b"\x02\x7f" + b"\xff" * 7,
    "nothing": b"",
}


@pytest.mark.parametrize("what", list(GARBAGE))
def test_bytes_that_are_not_zmtp(stage, what):
    broker = stage.broker()
    stage.worker("ours", "w", broker.backend)
    client = stage.socket(zmq.REQ, broker.frontend)
    assert ask(client, b"before") == [b"before w"]
    silent = []
    for port in (broker.frontend, broker.backend) * 20:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(GARBAGE[what])
        silent.append(connection)
    assert ask(client, b"during") == [b"during w"]
    for connection in silent:
        connection.close()
    assert ask(client, b"after") == [b"after w"]


def test_messages_that_are_not_the_protocol(stage):
    """Frames in every number on both ports: dropped, and everybody else is served on."""
    broker = stage.broker()
    stage.worker("ours", "w", broker.backend)
    client = stage.socket(zmq.REQ, broker.frontend)
    assert ask(client, b"before") == [b"before w"]
    strange = [stage.socket(zmq.DEALER, port) for port in (broker.frontend, broker.backend)]
    for frames in range(1, 51):
        for body in (b"", b"\x01", b"\x02", b"READY", os.urandom(9)):
            for made in strange:
                made.send_multipart([body] * frames)
    for number in range(20):
        # A stranger may have registered as a worker by chance; its requests come back to ours at the deadline.
        assert ask(client, b"%d" % number)[0].split()[0] in (b"%d" % number, b"!cbw")
    for made in strange:
        made.close(0)
    until(lambda: ask(client, b"after") == [b"after w"], "the strangers are forgotten")
