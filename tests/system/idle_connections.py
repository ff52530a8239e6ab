#!/usr/bin/env python3
"""Holds 5,000 idle connections: what each costs in memory, and that others do not notice."""

import os
import resource
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

BYTES_PER_CONNECTION_MAX = 8 * 1024
SLOWEST_REQUEST_S = 1.0


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def request_times(broker, count=300):
    """Seconds of each of `count` produce requests on a new connection."""
    times = []
    with wire.Connection("127.0.0.1", broker.port) as connection:
        for _ in range(count):
            begin = time.monotonic()
            error, _ = connection.produce("idle", 0, wire.batch([b"still served"]))
            times.append(time.monotonic() - begin)
            assert error == 0, f"produce: error {error}"
    return sorted(times)


def open_many(broker, count):
    """Connections that have each had one request answered, so that the broker holds their state."""
    connections = []
    for _ in range(count):
        connection = wire.Connection("127.0.0.1", broker.port, timeout=30)
        connection.send_frame(connection.header(wire.API_VERSIONS, 0))
        connections.append(connection)
    for connection in connections:
        connection.receive()
    return connections


def body(run):
    count = run.options.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(wanted, soft), hard), hard))
    with run.open() as broker:
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            connection.create_topics(4, {"idle": 1})
            connection.await_served("idle", 0)
        before_times = request_times(broker)
        time.sleep(1)
        base_files, base_rss = open_files(broker.pid), broker.rss_bytes()
        connections = run.report.run("all_connections_are_answered", open_many, broker, count)
        if connections is None:
            return
        time.sleep(1)
        each = (broker.rss_bytes() - base_rss) / count
        print(f"{count} connections: {each:.0f} bytes of resident memory each")
        run.report.expect("memory_per_connection", each <= BYTES_PER_CONNECTION_MAX,
                          f"{each:.0f} bytes each, at most {BYTES_PER_CONNECTION_MAX}")
        times = request_times(broker)
        print(f"produce median {before_times[150] * 1e6:.0f} us without, {times[150] * 1e6:.0f} us with them")
        run.report.expect("others_are_served", times[-1] < SLOWEST_REQUEST_S, f"slowest {times[-1]:.3f} s")
        run.report.run("idle_connections_still_work", ask_some, connections)
        for connection in connections:
            connection.close()
        run.report.run("files_are_closed_again", await_closed, broker, base_files)


def ask_some(connections):
    for connection in connections[::97]:
        reader = connection.ask(wire.METADATA, 1, struct.pack(">i", 0))
        assert reader.left() > 0


def await_closed(broker, base_files):
    deadline = time.monotonic() + 20
    while open_files(broker.pid) > base_files + 5:
        assert time.monotonic() < deadline, f"{open_files(broker.pid)} open files, {base_files} before"
        time.sleep(0.1)


if __name__ == "__main__":
    parser = running.parser(__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    running.main(parser.parse_args(), body)
