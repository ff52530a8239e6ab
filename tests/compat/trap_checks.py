"""Traps that other brokers fell into, looked at byte by byte on a raw socket."""

import struct
import time

from rig import wire

INVALID_TOPIC = 17
UNSUPPORTED_VERSION = 35
UNKNOWN_TOPIC = 3

# The highest version of each API that a client of Apache Kafka 4.2 may count on.
HIGHEST = {
    0: 13, 1: 18, 2: 11, 3: 13, 18: 4, 19: 7, 20: 6, 21: 2, 22: 5, 23: 4, 32: 4, 33: 2, 35: 4, 37: 3,
    44: 1, 55: 2, 57: 2, 60: 2, 61: 0, 74: 1, 75: 0,
}


class Traps:
    """Raw-socket checks. `broker` is the started process, or None where it belongs to somebody else."""

    def __init__(self, host, port, prefix, report, broker=None):
        self.host = host
        self.port = port
        self.prefix = prefix
        self.report = report
        self.broker = broker

    def connect(self):
        return wire.Connection(self.host, self.port)

    def run(self):
        run = self.report.run
        for version in range(5):
            run(f"traps/api_versions_{version}", self.api_versions, version)
        run("traps/highest_versions_are_those_of_4_2", self.highest_versions)
        run("traps/unknown_api_versions_version_is_answered", self.api_versions_unknown)
        for version in (5, 6, 7):
            run(f"traps/create_topics_{version}_has_configs", self.create_topics_configs, version)
        run("traps/create_topics_of_no_topics", self.create_no_topics)
        run("traps/invalid_name_in_metadata_is_error_17", self.invalid_metadata_name)
        run("traps/unknown_topic_is_error_3", self.unknown_topic)
        run("traps/acks_0_gets_no_answer", self.acks_zero)
        run("traps/pipelined_requests_are_answered_in_order", self.pipelined)
        run("traps/fetch_returns_batches_as_sent", self.batches_as_sent)
        run("traps/duplicate_batch_gets_its_first_offset", self.duplicate_batch)
        run("traps/sequence_gap_is_refused", self.sequence_gap)
        if self.broker:
            run("traps/automatic_topic_survives_kill", self.automatic_topic_survives_kill)

    def api_versions(self, version):
        with self.connect() as connection:
            error, ranges, features = connection.api_versions(version)
        assert error == 0, error
        for api in (wire.PRODUCE, wire.FETCH, wire.METADATA, wire.API_VERSIONS, wire.CREATE_TOPICS):
            assert api in ranges, f"API {api} is not listed"
        for api, (low, high) in ranges.items():
            assert 0 <= low <= high, f"API {api}: {low}..{high}"
        assert ranges[wire.API_VERSIONS] == (0, 4), ranges[wire.API_VERSIONS]
        if version == 3:
            zero = [name for name, (low, _) in features.items() if low == 0]
            assert not zero, f"features with minimum 0 in version 3: {zero}"
        if version >= 3:
            assert "metadata.version" in features, features

    def highest_versions(self):
        with self.connect() as connection:
            ranges = connection.api_versions(4)[1]
        found = {api: ranges.get(api, (0, -1))[1] for api in HIGHEST}
        different = {api: (found[api], high) for api, high in HIGHEST.items() if found[api] != high}
        assert not different, f"API: (advertised, of 4.2): {different}"

    def api_versions_unknown(self):
        with self.connect() as connection:
            connection.send_frame(connection.header(wire.API_VERSIONS, 99, True) + b"\1\1\0")
            error, ranges, _ = wire.parse_api_versions(connection.receive(), 0)
            assert error == UNSUPPORTED_VERSION, error
            assert ranges.get(wire.API_VERSIONS) == (0, 4), ranges
            assert connection.api_versions(0)[0] == 0, "the connection should go on"

    def create_topics_configs(self, version):
        """Configs must be an array, never null: the Java client dies on null."""
        flexible = version >= 5
        name = f"{self.prefix}-create-{version}"
        body = wire.uvarint(2) + wire.compact_string(name) + struct.pack(">ih", 2, 1)
        body += wire.uvarint(1) + wire.uvarint(1) + b"\0" + struct.pack(">i", 30000) + b"\0\0"
        with self.connect() as connection:
            reader = connection.ask(wire.CREATE_TOPICS, version, body, flexible)
        reader.tags()
        reader.i32()
        assert reader.uvarint() == 2, "one topic"
        assert reader.compact_string() == name, "topic name"
        if version >= 7:
            assert reader.take(16) != bytes(16), "zero topic id"
        assert reader.i16() == 0, "error code"
        reader.compact_string()
        assert (reader.i32(), reader.i16()) == (2, 1), "partitions and replicas"
        assert reader.uvarint() > 0, "Configs is null"

    def create_no_topics(self):
        with self.connect() as connection:
            assert connection.create_topics(4, {}) == {}

    def invalid_metadata_name(self):
        with self.connect() as connection:
            for version in range(4, 9):
                found = connection.metadata(version, ["no such/name"], auto_create=True)
                assert found["no such/name"][0] == INVALID_TOPIC, (version, found)

    def unknown_topic(self):
        name = f"{self.prefix}-unknown"
        with self.connect() as connection:
            assert connection.metadata(8, [name])[name][0] == UNKNOWN_TOPIC
            assert connection.produce(name, 0, wire.batch([b"x"]))[0] == UNKNOWN_TOPIC
            assert connection.fetch(name, 0, 0)[0] == UNKNOWN_TOPIC
            assert connection.list_offsets(name, 0, -1)[0] == UNKNOWN_TOPIC

    def make(self, connection, name):
        topic = f"{self.prefix}-{name}"
        connection.create_topics(4, {topic: 1})
        connection.await_served(topic, 0)
        return topic

    def acks_zero(self):
        with self.connect() as connection:
            topic = self.make(connection, "acks0")
            connection.produce(topic, 0, wire.batch([b"silent"]), acks=0)
            error, base = connection.produce(topic, 0, wire.batch([b"loud"]))
            assert (error, base) == (0, 1), (error, base)

    def pipelined(self):
        with self.connect() as connection:
            topic = self.make(connection, "pipelined")
            frames = b""
            for i in range(50):
                data = wire.batch([b"p%d" % i])
                body = struct.pack(">hhii", -1, -1, 30000, 1) + wire.string(topic)
                body += struct.pack(">iii", 1, 0, len(data)) + data
                frame = connection.header(wire.PRODUCE, 7) + body
                frames += struct.pack(">i", len(frame)) + frame
            first = connection.correlation - 49
            connection.send_raw(frames)
            for i in range(50):
                connection.correlation = first + i
                assert wire.parse_produce(connection.receive(), 7) == (0, i), i

    def batches_as_sent(self):
        with self.connect() as connection:
            topic = self.make(connection, "bytes")
            sent = [wire.batch([b"one", b"two"]), wire.batch([b"three"])]
            for data in sent:
                assert connection.produce(topic, 0, data)[0] == 0
            error, high, start, data = connection.fetch(topic, 0, 0)
            assert (error, high, start) == (0, 3, 0), (error, high, start)
            found = list(wire.batches(data))
            assert [(base, last) for base, last, _ in found] == [(0, 1), (2, 2)], found
            for wanted, (_, _, got) in zip(sent, found):
                assert got[16:] == wanted[16:], "bytes after the leader epoch differ"

    def duplicate_batch(self):
        with self.connect() as connection:
            topic = self.make(connection, "duplicate")
            producer = connection.await_producer_id()
            batches = [wire.batch([b"a", b"b"], producer, 0, 2 * i) for i in range(5)]
            for i, data in enumerate(batches):
                assert connection.produce(topic, 0, data, acks=-1) == (0, 2 * i)
            for i, data in enumerate(batches):
                answer = connection.produce(topic, 0, data, acks=-1)
                assert answer == (0, 2 * i), f"batch {i} again: {answer}"
            assert connection.list_offsets(topic, 0, -1)[2] == 10, "duplicates were appended"

    def sequence_gap(self):
        with self.connect() as connection:
            topic = self.make(connection, "gap")
            producer = connection.await_producer_id()
            assert connection.produce(topic, 0, wire.batch([b"a"], producer, 0, 0), acks=-1) == (0, 0)
            out_of_order = 45
            error, _ = connection.produce(topic, 0, wire.batch([b"c"], producer, 0, 2), acks=-1)
            assert error == out_of_order, error
            assert connection.produce(topic, 0, wire.batch([b"b"], producer, 0, 1), acks=-1) == (0, 1)

    def automatic_topic_survives_kill(self):
        """The topic that a first produce made is there, with its record, after kill -9."""
        topic = f"{self.prefix}-automatic"
        with self.connect() as connection:
            deadline = time.monotonic() + 15
            while connection.metadata(8, [topic], auto_create=True)[topic][0] != 0:
                assert time.monotonic() < deadline, "never created"
                time.sleep(0.01)
            connection.await_served(topic, 0)
            assert connection.produce(topic, 0, wire.batch([b"kept"]), acks=-1) == (0, 0)
        self.broker.kill()
        self.broker.start()
        with self.connect() as connection:
            connection.await_served(topic, 0)
            error, _, _, data = connection.fetch(topic, 0, 0)
            assert error == 0 and b"kept" in data, (error, data)
