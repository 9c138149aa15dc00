"""Our worker, client and logger on brokers of other people, and their programs on our logger."""

import sys

import pytest
import zmq

from harness import BIN, NODE, PEERS, ask, cases, free_port, until

# A worker of theirs for each foreign broker, and the dialect in which ours serves it.
FOREIGN = {"lab-short": "v5-short", "lab-long": "v5-long", "lru": "pyzmq-guide", "ppp-queue": "pyzmq-ppp"}
DIALECT = {"lab-short": "cbw-short", "lab-long": "cbw-long", "lru": "guide", "ppp-queue": "ppp"}


@pytest.mark.parametrize("kind", cases(list(FOREIGN)))
def test_our_client_on_a_foreign_broker(stage, kind):
    broker = stage.foreign_broker(kind)
    stage.worker(FOREIGN[kind], "w-1", broker.backend)
    assert stage.start(BIN / "client", "CLI", 20, "127.0.0.1", broker.frontend).exit_code() == 0


@pytest.mark.parametrize("kind", cases(list(FOREIGN)))
def test_our_worker_on_a_foreign_broker(stage, kind):
    broker = stage.foreign_broker(kind)
    stage.worker("ours", "w-1", broker.backend, dialect=DIALECT[kind])
    client = stage.socket(zmq.REQ, broker.frontend, b"client")
    for number in range(20):
        assert ask(client, b"q-%d" % number) == [b"q-%d w-1" % number]


def test_our_worker_is_back_after_a_foreign_queue_restarted(stage):
    broker = stage.foreign_broker("ppp-queue")
    stage.worker("ours", "w-1", broker.backend)
    assert ask(stage.socket(zmq.REQ, broker.frontend), b"before") == [b"before w-1"]
    broker.kill()
    broker.start()
    assert ask(stage.socket(zmq.REQ, broker.frontend), b"after") == [b"after w-1"]


@pytest.mark.skipif(NODE is None, reason="no Node.js with `zeromq`")
def test_our_services_log_to_a_foreign_logger(stage):
    port, file = free_port(), stage.folder / "logs"
    stage.listening([port], NODE, PEERS / "lab_logger.js", port, file)
    broker = stage.broker("127.0.0.1", port)
    stage.start(BIN / "worker", "WOR", "127.0.0.1", broker.backend, "127.0.0.1", port)
    client = stage.start(BIN / "client", "CLI", 5, "127.0.0.1", broker.frontend, "127.0.0.1", port)
    assert client.exit_code() == 0
    until(lambda: file.exists() and "CLI-5" in file.read_text(), "the last request is in the foreign log")


@pytest.mark.skipif(NODE is None, reason="no Node.js with `zeromq`")
def test_foreign_programs_log_to_our_logger(stage):
    port, file = free_port(), stage.folder / "logs"
    stage.listening([port], BIN / "logger", port, file)
    ports = free_port(), free_port()
    stage.listening(list(ports), NODE, PEERS / "lab_broker.js", *ports, "short", "127.0.0.1", port)
    stage.start(sys.executable, PEERS / "worker.py", "short", "w-1", ports[1])
    client = stage.socket(zmq.REQ, ports[0], b"lab-client")
    for number in range(10):
        ask(client, b"%d" % number)
    until(lambda: file.read_text().count("w-1 answers lab-client") == 10, "ten records of the foreign broker")


def test_records_of_many_foreign_senders_stay_whole_and_in_order(stage):
    port, file = free_port(), stage.folder / "logs"
    stage.listening([port], BIN / "logger", port, file)
    senders, records = 8, 500
    sockets = [stage.socket(zmq.PUSH, port, linger=30_000) for _ in range(senders)]
    for record in range(records):
        for sender, made in enumerate(sockets):
            made.send_string(f"sender={sender} record={record} {'x' * (record % 50)}")
    until(lambda: file.read_text().count("record=") == senders * records, "every record is in the file")
    lines = [line for line in file.read_text().splitlines() if "record=" in line]
    for sender in range(senders):
        mine = [line for line in lines if f"sender={sender} " in line]
        assert [int(line.split("record=")[1].split()[0]) for line in mine] == list(range(records))
