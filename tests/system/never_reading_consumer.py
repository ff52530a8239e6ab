#!/usr/bin/env python3
"""Consumers that ask for much and never read: they may hurt themselves, nobody else."""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

TOPIC = "unread"
BATCHES = 200
BATCH_BYTES = 256 * 1024
CONSUMERS = 50
REQUESTS_EACH = 40
GROWTH_MAX = 64 << 20
SLOWEST_REQUEST_S = 1.0


def fill(broker):
    payload = wire.record(0, os.urandom(BATCH_BYTES))
    data = wire.batch([], payload=payload, count=1)
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.create_topics(4, {TOPIC: 1, "beside": 1})
        connection.await_served(TOPIC, 0)
        connection.await_served("beside", 0)
        for _ in range(BATCHES):
            error, _ = connection.produce(TOPIC, 0, data)
            assert error == 0, f"produce: error {error}"


def never_read(broker):
    """Connections that have asked for 40 MB each and do not read an answer."""
    connections = []
    for _ in range(CONSUMERS):
        connection = wire.Connection("127.0.0.1", broker.port)
        for number in range(REQUESTS_EACH):
            connection.send_frame(connection.header(wire.FETCH, 11) + connection.fetch_body(
                TOPIC, 0, number * 3, max_bytes=1 << 20))
        connections.append(connection)
    return connections


def serve_others(broker, seconds):
    """Produces and fetches beside them; returns the slowest request."""
    slowest = 0.0
    end = time.monotonic() + seconds
    with wire.Connection("127.0.0.1", broker.port) as connection:
        offset = 0
        while time.monotonic() < end:
            begin = time.monotonic()
            error, offset = connection.produce("beside", 0, wire.batch([b"record"]))
            assert error == 0, f"produce: error {error}"
            error, _, _, data = connection.fetch("beside", 0, offset)
            assert error == 0 and data, f"fetch: error {error}, {len(data)} bytes"
            slowest = max(slowest, time.monotonic() - begin)
    return slowest


def body(run):
    with run.open() as broker:
        broker.start()
        fill(broker)
        serve_others(broker, 1)
        before = broker.rss_bytes()
        connections = never_read(broker)
        slowest = run.report.run("others_are_served", serve_others, broker, 5)
        run.report.expect("others_are_not_slowed", slowest is not None and slowest < SLOWEST_REQUEST_S,
                          f"slowest produce and fetch {slowest} s")
        growth = broker.rss_bytes() - before
        print(f"{CONSUMERS} consumers that do not read: {growth / 1e6:.1f} MB more resident memory")
        run.report.expect("memory_is_bounded", growth < GROWTH_MAX, f"{growth} bytes more")
        run.report.run("reading_at_last_gives_the_answers", read_at_last, connections[0])
        for connection in connections:
            connection.close()
        run.report.run("others_are_served_after_they_left", serve_others, broker, 1)
        run.report.expect("broker_lives", broker.alive(), broker.log_tail())


def read_at_last(connection):
    first = connection.correlation - REQUESTS_EACH + 1
    for number in range(REQUESTS_EACH):
        connection.correlation = first + number
        error, _, _, data = wire.parse_fetch(connection.receive())
        assert error == 0 and len(data) >= BATCH_BYTES, f"answer {number}: error {error}, {len(data)} bytes"


if __name__ == "__main__":
    running.main(running.parser(__doc__).parse_args(), body)
