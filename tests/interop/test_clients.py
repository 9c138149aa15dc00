"""Every kind of client on our broker."""

import pytest
import zmq

from harness import BIN, NODE, PEERS, ask, cases, present, receive


@pytest.fixture
def broker(stage):
    """Our broker with one worker of each dialect."""
    broker = stage.broker()
    for dialect in ("short", "long", "guide", "ppp"):
        stage.worker(f"pyzmq-{dialect}", f"w-{dialect}", broker.backend)
    return broker


def test_req(stage, broker):
    client = stage.socket(zmq.REQ, broker.frontend, b"named")
    for number in range(50):
        (reply,) = ask(client, f"q-{number}".encode())
        assert reply.startswith(f"q-{number} w-".encode())


@pytest.mark.parametrize("options", [{"req_correlate": 1}, {"req_relaxed": 1, "req_correlate": 1}], ids=["correlate", "both"])
def test_req_with_numbered_requests(stage, broker, options):
    """REQ_CORRELATE puts a frame before the delimiter, which has to come back."""
    client = stage.socket(zmq.REQ, broker.frontend, b"numbered", **options)
    for number in range(50):
        (reply,) = ask(client, f"q-{number}".encode())
        assert reply.startswith(f"q-{number} w-".encode())


def test_relaxed_req_gets_the_answer_to_its_last_question(stage):
    """REQ_RELAXED asks again without an answer: the first request is withdrawn, its answer never seen."""
    broker = stage.broker()
    client = stage.socket(zmq.REQ, broker.frontend, b"impatient", req_relaxed=1, req_correlate=1)
    client.send(b"first")
    client.send(b"second")
    stage.worker("pyzmq-long", "w", broker.backend, delay_ms=50)
    assert receive(client) == [b"second w"]
    assert client.poll(500) == 0


def test_req_that_comes_back_under_its_name_is_not_given_the_old_answer(stage):
    broker = stage.broker()
    stage.worker("pyzmq-long", "w", broker.backend, delay_ms=400)
    first = stage.socket(zmq.REQ, broker.frontend, b"same-name")
    first.send(b"old")
    assert first.poll(150) == 0
    first.close(0)
    second = stage.socket(zmq.REQ, broker.frontend, b"same-name")
    assert ask(second, b"new") == [b"new w"]


def test_dealer_with_many_requests_open(stage, broker):
    client = stage.socket(zmq.DEALER, broker.frontend, b"dealer")
    asked = {f"q-{number}".encode() for number in range(500)}
    for body in asked:
        client.send_multipart([b"", body])
    answered = []
    for _ in asked:
        empty, reply = receive(client)
        assert empty == b""
        answered.append(reply.split()[0])
    assert sorted(answered) == sorted(asked)
    assert client.poll(300) == 0


def test_dealer_with_an_envelope_of_its_own(stage, broker):
    """Frames before the delimiter are the client's: they come back unchanged."""
    client = stage.socket(zmq.DEALER, broker.frontend)
    client.send_multipart([b"route", b"number", b"", b"body", b""])
    *envelope, first, last = receive(client)
    assert envelope == [b"route", b"number", b""]
    assert first == b"body" and last.startswith(b" w-")


@pytest.mark.parametrize("kind", cases(["v5", "v6"]))
def test_node_req(stage, broker, kind):
    assert stage.start(NODE, PEERS / "client.js", kind, "js", broker.frontend, 50).exit_code() == 0


@pytest.mark.skipif(NODE is None, reason="no Node.js with `zeromq`")
def test_node_dealer(stage, broker):
    assert stage.start(NODE, PEERS / "client.js", "dealer", "js", broker.frontend, 500).exit_code() == 0


def test_our_client(stage, broker):
    assert stage.start(BIN / "client", "CLI", 50, "127.0.0.1", broker.frontend).exit_code() == 0


def test_client_that_leaves_is_forgotten(stage):
    """A request of a client that has gone does not keep the next one waiting."""
    broker = stage.broker()
    for _ in range(20):
        gone = stage.socket(zmq.REQ, broker.frontend)
        gone.send(b"never mind")
        gone.poll(20)
        gone.close(0)
    stage.worker("pyzmq-guide", "w", broker.backend, delay_ms=10)
    client = stage.socket(zmq.REQ, broker.frontend)
    assert ask(client, b"here") == [b"here w"]


def test_all_kinds_of_clients_and_workers_on_one_broker(stage):
    broker = stage.broker()
    from harness import WORKERS

    kinds = present(WORKERS)
    for kind in kinds:
        stage.worker(kind, f"w-{kind}", broker.backend)
    programs = [stage.start(BIN / "client", f"CLI-{n}", 100, "127.0.0.1", broker.frontend) for n in range(3)]
    if NODE:
        for kind in ("v5", "v6", "dealer"):
            programs.append(stage.start(NODE, PEERS / "client.js", kind, f"js-{kind}", broker.frontend, 100))
    sockets = [
        stage.socket(zmq.REQ, broker.frontend, b"plain"),
        stage.socket(zmq.REQ, broker.frontend),
        stage.socket(zmq.REQ, broker.frontend, b"both", req_relaxed=1, req_correlate=1),
    ]
    dealer = stage.socket(zmq.DEALER, broker.frontend, b"dealer")
    served = set()
    for turn in range(200):
        dealer.send_multipart([b"", b"dealer-%d" % turn])
        for number, client in enumerate(sockets):
            client.send(b"%d-%d" % (number, turn))
        for number, client in enumerate(sockets):
            (reply,) = receive(client)
            asked, worker = reply.split()
            assert asked == b"%d-%d" % (number, turn)
            served.add(worker.decode())
    replies = [receive(dealer)[1].split() for _ in range(200)]
    assert sorted(asked for asked, _ in replies) == sorted(b"dealer-%d" % turn for turn in range(200))
    served.update(worker.decode() for _, worker in replies)
    assert served == {f"w-{kind}" for kind in kinds}
    assert [program.exit_code() for program in programs] == [0] * len(programs)
