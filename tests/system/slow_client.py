#!/usr/bin/env python3
"""Clients that send one byte a second, and clients that read one: right answers, and nobody else waits."""

import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

SLOW_CLIENTS = 20
SLOWEST_REQUEST_S = 1.0


def send_slowly(connection, data, pause):
    for at in range(len(data)):
        connection.send_raw(data[at:at + 1])
        time.sleep(pause)


def slow_api_versions(broker, pause):
    """A whole request, a byte at a time."""
    with wire.Connection("127.0.0.1", broker.port, timeout=30, client_id="s") as connection:
        frame = connection.header(wire.API_VERSIONS, 0)
        send_slowly(connection, struct.pack(">i", len(frame)) + frame, pause)
        error, ranges, _ = wire.parse_api_versions(connection.receive(), 0)
        assert error == 0 and wire.PRODUCE in ranges, error


def slow_produce(broker, pause):
    """The last bytes of a produce request come late; the record is there all the same."""
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        data = wire.batch([b"slow but whole"])
        body = struct.pack(">hhii", -1, 1, 30000, 1) + wire.string("slow")
        body += struct.pack(">iii", 1, 0, len(data)) + data
        frame = connection.header(wire.PRODUCE, 7) + body
        frame = struct.pack(">i", len(frame)) + frame
        connection.send_raw(frame[:-12])
        send_slowly(connection, frame[-12:], pause)
        error, base = wire.parse_produce(connection.receive(), 7)
        assert error == 0 and base >= 0, (error, base)


def slow_reader(broker, pause):
    """The answer is read a byte at a time."""
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        connection.send_frame(connection.header(wire.METADATA, 1) + struct.pack(">i", 0))
        read = b""
        while len(read) < 16:
            read += connection.receive_exactly(1)
            time.sleep(pause)
        size, correlation = struct.unpack(">ii", read[:8])
        connection.receive_exactly(size + 4 - len(read))
        assert correlation == 1, correlation


def half_request(broker, pause):
    """A request that stops in its middle and is closed."""
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.send_raw(struct.pack(">i", 1000) + b"\0\3\0\1")
        time.sleep(pause * 5)


def serve_others(broker, alive):
    slowest = 0.0
    with wire.Connection("127.0.0.1", broker.port) as connection:
        while any(thread.is_alive() for thread in alive):
            begin = time.monotonic()
            error, _ = connection.produce("fast", 0, wire.batch([b"fast"]))
            assert error == 0, f"produce: error {error}"
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.01)
    assert slowest < SLOWEST_REQUEST_S, f"slowest produce {slowest:.3f} s"
    return f"slowest produce {slowest * 1e3:.1f} ms"


def body(run):
    pause = run.options.pause
    with run.open() as broker:
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            connection.create_topics(4, {"slow": 1, "fast": 1})
            connection.await_served("slow", 0)
            connection.await_served("fast", 0)
        kinds = (slow_api_versions, slow_produce, slow_reader, half_request)
        threads = []
        for number in range(SLOW_CLIENTS):
            kind = kinds[number % len(kinds)]
            threads.append(threading.Thread(target=run.report.run, args=(
                f"{kind.__name__}_{number // len(kinds)}", kind, broker, pause), daemon=True))
        for thread in threads:
            thread.start()
        run.report.run("others_are_not_slowed", serve_others, broker, threads)
        for thread in threads:
            thread.join(60)
        run.report.expect("broker_lives", broker.alive(), broker.log_tail())


if __name__ == "__main__":
    parser = running.parser(__doc__)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two bytes")
    running.main(parser.parse_args(), body)
