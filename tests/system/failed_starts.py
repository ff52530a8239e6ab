#!/usr/bin/env python3
"""Starts that cannot succeed: each ends by itself with exit code 1 and one line that says what to do, harms nothing on the
disk, and does not keep a later start from succeeding."""

import os
import shutil
import socket
import subprocess
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from rig import brokers, running, wire  # noqa: E402

POLYNOMIAL = 0x82F63B78  # CRC32C, reflected
BATCH_CRC_AT = 17
BATCH_COVERED_FROM = 21


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def set_metadata_version(path, level):
    """Rewrites the level in the one record that names it, and the checksum of its batch."""
    with open(path, "rb") as source:
        data = bytearray(source.read())
    name = data.index(b"metadata.version") + len(b"metadata.version")
    data[name:name + 2] = level.to_bytes(2, "big")
    start = 0
    while start < len(data):
        size = 12 + int.from_bytes(data[start + 8:start + 12], "big")
        if start <= name < start + size:
            crc = crc32c(data[start + BATCH_COVERED_FROM:start + size])
            data[start + BATCH_CRC_AT:start + BATCH_COVERED_FROM] = crc.to_bytes(4, "big")
        start += size
    with open(path, "wb") as target:
        target.write(data)


def command(run, data, port, kind="serve"):
    settings = {"log.dirs": data, "listeners": f"PLAINTEXT://127.0.0.1:{port}"}
    pairs = [f"{key}={value}" for key, value in settings.items()]
    return [run.options.binary, kind, *(word for pair in (*pairs, *run.options.override)
                                        for word in ("--override", pair))]


def failed_start(run, data, port):
    """Gives the lines on stderr that are for people; the start must fail with exit code 1."""
    done = subprocess.run(command(run, data, port), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, f"exit code {done.returncode}: {done.stderr[-500:]}"
    said = [line for line in done.stderr.splitlines() if line.startswith("millrace: ")]
    assert len(said) == 1, f"{len(said)} lines: {said}"
    assert "CHECK" not in done.stderr, done.stderr[-500:]
    return said[0]


def entries(folder):
    return sorted(os.path.join(place, name) for place, folders, names in os.walk(folder)
                  for name in (*folders, *names))


def formatted(run, name, port):
    data = os.path.join(run.scratch, name)
    subprocess.run(command(run, data, port, "format"), check=True, capture_output=True, timeout=60)
    return data


def newer_format(run, port):
    data = formatted(run, "newer-format", port)
    set_metadata_version(os.path.join(data, "bootstrap.checkpoint"), 99)
    for _ in range(2):
        said = failed_start(run, data, port)
        assert "metadata.version 99" in said, said
    set_metadata_version(os.path.join(data, "bootstrap.checkpoint"), 25)
    starts(run, data, port)


def newer_log(run, port):
    data = formatted(run, "newer-log", port)
    starts(run, data, port)
    set_metadata_version(os.path.join(data, "__cluster_metadata-0", "00000000000000000000.log"), 99)
    for _ in range(2):
        said = failed_start(run, data, port)
        assert "metadata.version 99" in said, said


def starts(run, data, port):
    broker = run.open({"log.dirs": data}, folder=data + "-broker", port=port)
    with broker:
        broker.start()
        code = broker.stop()
        assert code == 0, f"exit code {code}: {broker.log_tail()}"


def taken_port(run, port):
    data = os.path.join(run.scratch, "taken-port")
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        said = failed_start(run, data, port)
        assert str(port) in said, said
        assert not os.path.exists(data), f"{entries(data)} were made"
        os.makedirs(data)
        failed_start(run, data, port)
        left = [path for path in entries(data) if os.path.basename(path) != ".lock"]
        assert not left, f"{left} were made"
    starts(run, data, port)


def foreign_directory(run, port):
    data = os.path.join(run.scratch, "foreign")
    os.makedirs(os.path.join(data, "photos-2026"))
    before = entries(data)
    said = failed_start(run, data, port)
    assert data in said and "photos-2026" in said and "log.dirs" in said, said
    assert entries(data) == before, entries(data)
    # Nor is it taken as one more directory of a node that is there.
    ours = formatted(run, "ours", port)
    said = failed_start(run, f"{ours},{data}", port)
    assert data in said, said
    assert entries(data) == before, entries(data)
    shutil.rmtree(os.path.join(data, "photos-2026"))
    starts(run, f"{ours},{data}", port)


def answers(host, port):
    with wire.Connection(host, port) as connection:
        return connection.api_versions(3)[0] == 0


def listeners(run, port):
    """Names and addresses that are not this machine's are refused; a name of it, both families and all addresses serve."""
    data = os.path.join(run.scratch, "listeners")
    for host in ("no-such-host.invalid", "192.0.2.1"):
        words = [*command(run, data, port), "--override", f"listeners=PLAINTEXT://{host}:{port}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done.stderr[-500:]
        assert f"listeners=PLAINTEXT://{host}:{port}" in done.stderr and "of this machine" in done.stderr, done.stderr[-500:]
    hosts = {"localhost": ["127.0.0.1"], "": ["127.0.0.1"], "0.0.0.0": ["127.0.0.1"]}
    if socket.has_ipv6 and ipv6_loopback():
        hosts[""] = ["127.0.0.1", "::1"]
        hosts["[::1]"] = ["::1"]
        hosts["[::]"] = ["127.0.0.1", "::1"]
    for host, served in hosts.items():
        process = subprocess.Popen([*command(run, data, port), "--override", f"listeners=PLAINTEXT://{host}:{port}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout.readline() == "millrace is ready\n", host
            assert f"PLAINTEXT://{host}:{port}" in process.stdout.readline(), host
            for each in served:
                assert answers(each, port), f"{host or 'no host'}: {each} does not answer"
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0, f"{host}: exit code {process.returncode}"


def address_limits(run, port):
    """Hosts that have limits of their own may be named: who has no address is refused, who has one is limited."""
    data = os.path.join(run.scratch, "address-limits")
    words = [*command(run, data, port), "--override", "max.connections.per.ip.overrides=no-such-host.invalid:5"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "max.connections.per.ip.overrides" in done.stderr, done.stderr[-500:]
    assert "no-such-host.invalid" in done.stderr and not os.path.exists(data), done.stderr[-500:]
    broker = run.open({"log.dirs": data, "max.connections.per.ip.overrides": "localhost:1"}, folder=data + "-broker", port=port)
    with broker:
        broker.start()
        with first_served(broker) as first:
            try:
                served = answers("127.0.0.1", port)
            except (OSError, wire.WireError):
                served = False
            assert not served, "a second connection is served"
            assert first.api_versions(3)[0] == 0
        assert broker.stop() == 0, broker.log_tail()


def first_served(broker):
    """A connection; the one that the start itself was tried with may still count for a moment."""
    deadline = time.monotonic() + 10
    while True:
        connection = wire.Connection("127.0.0.1", broker.port)
        try:
            connection.api_versions(3)
            return connection
        except (OSError, wire.WireError):
            connection.close()
            assert time.monotonic() < deadline, broker.log_tail()
            time.sleep(0.1)


def ipv6_loopback():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def body(run):
    port = brokers.free_port()
    for test in (newer_format, newer_log, taken_port, foreign_directory, listeners, address_limits):
        run.report.run(f"failed_starts/{test.__name__}", test, run, port)


if __name__ == "__main__":
    running.main(running.parser(__doc__.split(":", maxsplit=1)[0]).parse_args(), body)
