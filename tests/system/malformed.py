#!/usr/bin/env python3
"""Rubbish on the wire: every malformed frame ends in a Kafka error or a closed connection, never worse.

After each case the broker must still be alive and serve an ordinary client.
"""

import os
import random
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

TOPIC = "malformed"
ANSWER_TIMEOUT_S = 5
HALF_FRAMES = 50
MISTAKES = 1000
UNKNOWN_SERVER_ERROR, CORRUPT_MESSAGE, INVALID_TOPIC, INVALID_RECORD = -1, 2, 17, 87
UNSUPPORTED_COMPRESSION, MESSAGE_TOO_LARGE, TRANSACTION_NOT_ALLOWED = 76, 10, 53
LIST_CONFIG_RESOURCES, DESCRIBE_CLUSTER = 74, 60
UNSUPPORTED_VERSION, MISMATCHED_ENDPOINT, UNSUPPORTED_ENDPOINT = 35, 114, 115


class Wrong(AssertionError):
    """The broker did something with rubbish that it may not do."""


class Attack:
    """Sends rubbish to one broker and looks at what comes of it."""

    def __init__(self, broker):
        self.broker = broker

    def connect(self):
        return wire.Connection("127.0.0.1", self.broker.port, timeout=ANSWER_TIMEOUT_S)

    def closed_or_answered(self, raw, half_close=True):
        """Sends bytes; the broker must close the connection or answer, not hold it in silence."""
        with self.connect() as connection:
            try:
                connection.send_raw(raw)
                if half_close:
                    connection.socket.shutdown(socket.SHUT_WR)
                while connection.socket.recv(65536):
                    pass
                return "closed"
            except TimeoutError as error:
                if self.broker.system == "kafka":
                    return "silence, which Kafka sometimes answers"
                raise Wrong("neither closed nor answered in time") from error
            except OSError:
                return "closed"

    def ordinary_client(self):
        with self.connect() as connection:
            assert connection.api_versions(3)[0] == 0
            error, base = connection.produce(TOPIC, 0, wire.batch([b"ordinary"]))
            assert error == 0, f"ordinary produce: error {error}"
            error, _, _, data = connection.fetch(TOPIC, 0, base)
            assert error == 0 and b"ordinary" in data, f"ordinary fetch: error {error}"

    def produce_error(self, data, wanted, topic=TOPIC):
        """A produce of `data` is refused with the wanted error, and nothing is appended."""
        allowed = (wanted,)
        if self.broker.system == "kafka":
            allowed = (wanted, UNKNOWN_SERVER_ERROR)  # Kafka's answer to most compressed rubbish and to lengths that lie
        with self.connect() as connection:
            end = connection.list_offsets(TOPIC, 0, -1)[2]
            try:
                error, _ = connection.produce(topic, 0, data)
            except (wire.WireError, ConnectionError):
                error = "closed"
            if error not in allowed:
                raise Wrong(f"answer {error}, wanted {wanted}")
        with self.connect() as connection:
            after = connection.list_offsets(TOPIC, 0, -1)[2]
            if after != end:
                raise Wrong(f"the log grew from {end} to {after}")
        return f"answer {error}"


def frame(body):
    return struct.pack(">i", len(body)) + body


def header(api, version, correlation=1, client=b"\0\1c"):
    return struct.pack(">hhi", api, version, correlation) + client


def frame_cases():
    """Name and bytes of frames that are wrong as such."""
    yield "empty_frame", frame(b"")
    yield "length_without_frame", struct.pack(">i", 100)
    yield "negative_length", struct.pack(">i", -1) + b"rubbish"
    yield "most_negative_length", struct.pack(">i", -(1 << 31))
    yield "huge_length", struct.pack(">i", (1 << 31) - 1) + b"x" * 1000
    yield "length_over_the_limit", struct.pack(">i", 104857601) + b"x" * 1000
    yield "short_header", frame(b"\0\3\0")
    yield "no_client_id", frame(struct.pack(">hhi", wire.METADATA, 1, 1))
    yield "client_id_longer_than_frame", frame(struct.pack(">hhih", wire.METADATA, 1, 1, 30000))
    yield "client_id_of_length_minus_two", frame(struct.pack(">hhih", wire.METADATA, 1, 1, -2))
    yield "unknown_api", frame(header(999, 0))
    yield "negative_api", frame(header(-5, 0))
    yield "unknown_version", frame(header(wire.METADATA, 99) + b"\0\0\0\0")
    yield "negative_version", frame(header(wire.PRODUCE, -1))
    yield "http_request", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"
    yield "tls_hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)


def body_cases():
    """Name and bytes of frames whose body lies about itself."""
    huge, minus_two = struct.pack(">i", 0x7FFFFFFF), struct.pack(">i", -2)
    yield "metadata_huge_count", frame(header(wire.METADATA, 1) + huge)
    yield "metadata_negative_count", frame(header(wire.METADATA, 1) + minus_two)
    yield "metadata_count_without_items", frame(header(wire.METADATA, 1) + struct.pack(">i", 1000))
    yield "metadata_name_too_long", frame(header(wire.METADATA, 1) + struct.pack(">ih", 1, 32000) + b"ab")
    yield "metadata_trailing_bytes", frame(header(wire.METADATA, 1) + struct.pack(">i", 0) + b"more" * 9)
    yield "metadata_null_name", frame(header(wire.METADATA, 1) + struct.pack(">ih", 1, -1))
    yield "metadata_bad_utf8", frame(header(wire.METADATA, 1) + struct.pack(">i", 1) +
                                     wire.string(b"\xff\xfe\xc3\x28"))
    yield "produce_huge_count", frame(header(wire.PRODUCE, 7) + struct.pack(">hhi", -1, 1, 1000) + huge)
    yield "produce_huge_records", frame(header(wire.PRODUCE, 7) + struct.pack(">hhii", -1, 1, 1000, 1) +
                                        wire.string(TOPIC) + struct.pack(">ii", 1, 0) + huge)
    yield "produce_negative_records", frame(header(wire.PRODUCE, 7) + struct.pack(">hhii", -1, 1, 9, 1) +
                                            wire.string(TOPIC) + struct.pack(">ii", 1, 0) + minus_two)
    yield "produce_bad_acks", frame(header(wire.PRODUCE, 7) + struct.pack(">hhii", -1, 7, 1000, 0))
    yield "fetch_huge_count", frame(header(wire.FETCH, 11) + struct.pack(">iiiibii", -1, 9, 1, 9, 0, 0, -1) + huge)
    yield "create_topics_huge_count", frame(header(wire.CREATE_TOPICS, 4) + huge)
    yield "compact_array_huge", frame(header(wire.METADATA, 12) + b"\0" + b"\xff\xff\xff\xff\x0f")
    yield "varint_too_long", frame(header(wire.METADATA, 12) + b"\0" + b"\xff" * 20)
    yield "tags_huge_count", frame(header(wire.API_VERSIONS, 3) + b"\xff\xff\xff\xff\x0f" + b"\1\1\0")
    yield "tag_longer_than_frame", frame(header(wire.API_VERSIONS, 3) + b"\1\0\xff\xff\x03" + b"\1\1\0")


def batch_cases():
    """Name, batch and the error that answers it."""
    good = wire.batch([b"a", b"b", b"c"])
    yield "bad_crc", wire.batch([b"a"], crc=0x12345678), CORRUPT_MESSAGE
    yield "flipped_bit", good[:-3] + bytes([good[-3] ^ 4]) + good[-2:], CORRUPT_MESSAGE
    yield "cut_short", good[:-5], INVALID_RECORD
    yield "only_a_header", good[:61], INVALID_RECORD
    yield "less_than_a_header", good[:20], INVALID_RECORD
    yield "length_zero", wire.batch([b"a"], length=0), CORRUPT_MESSAGE
    yield "length_negative", wire.batch([b"a"], length=-10), CORRUPT_MESSAGE
    yield "length_huge", wire.batch([b"a"], length=0x7FFFFFF0), INVALID_RECORD
    yield "count_too_large", wire.batch([b"a", b"b"], count=50), INVALID_RECORD
    yield "count_too_small", wire.batch([b"a", b"b", b"c"], count=2, last_delta=2), INVALID_RECORD
    yield "count_negative", wire.batch([b"a"], count=-1, last_delta=0), INVALID_RECORD
    yield "count_zero", wire.batch([b"a"], count=0, last_delta=0), INVALID_RECORD
    yield "last_delta_wrong", wire.batch([b"a", b"b"], last_delta=40), INVALID_RECORD
    yield "last_delta_negative", wire.batch([b"a"], last_delta=-7), INVALID_RECORD
    yield "magic_0", wire.batch([b"a"], magic=0), INVALID_RECORD
    yield "magic_9", wire.batch([b"a"], magic=9), CORRUPT_MESSAGE
    yield "codec_7", wire.batch([b"a"], attributes=7), UNSUPPORTED_COMPRESSION
    for codec, name in ((1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")):
        yield f"{name}_rubbish", wire.batch([], attributes=codec, count=3,
                                            payload=b"this is no compressed data"), INVALID_RECORD
    yield "control_batch", wire.batch([b"a"], attributes=0x20), INVALID_RECORD
    yield "transactional_batch", wire.batch([b"a"], 5, 0, 0, attributes=0x10), TRANSACTION_NOT_ALLOWED
    yield "transactional_control_batch", wire.batch([b"a"], 5, 0, 0, attributes=0x30), TRANSACTION_NOT_ALLOWED
    yield "producer_without_epoch", wire.batch([b"a"], 5, -1, -1), INVALID_RECORD
    yield "producer_without_sequence", wire.batch([b"a"], 5, 0, -1), INVALID_RECORD
    yield "record_length_lies", wire.batch([], count=1, payload=b"\xfe\xff\x03" + b"x" * 30), INVALID_RECORD
    yield "record_length_negative", wire.batch([], count=1, payload=wire.zigzag(-5) + b"x" * 30), INVALID_RECORD
    yield "two_batches", good + wire.batch([b"x"]), INVALID_RECORD
    yield "two_batches_second_bad", good + wire.batch([b"x"], crc=1), INVALID_RECORD
    yield "no_batches", b"", INVALID_RECORD


def random_frames(attack, seed, count):
    """Valid requests with random damage, many on one broker."""
    chance = random.Random(seed)
    models = [bytes(data) for _, data in list(frame_cases()) + list(body_cases())]
    data = wire.batch([b"model", b"batch"])
    models.append(frame(header(wire.PRODUCE, 7) + struct.pack(">hhii", -1, 1, 1000, 1) + wire.string(TOPIC) +
                        struct.pack(">iii", 1, 0, len(data)) + data))
    models.append(frame(header(wire.METADATA, 12) + b"\0\0\0\0\0"))
    for _ in range(count):
        model = bytearray(chance.choice(models))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(4, max(5, len(model)))
            if at < len(model):
                model[at] = chance.randrange(256)
        body = bytes(model[4:])[:chance.choice((len(model), chance.randint(0, len(model))))]
        attack.closed_or_answered(frame(body))
        if not attack.broker.alive():
            raise Wrong("the broker died of " + body.hex())


def after_each(run, attack, name, function, *arguments):
    def whole():
        note = function(*arguments)
        if not attack.broker.alive():
            raise Wrong("the broker died: " + attack.broker.log_tail(8))
        attack.ordinary_client()
        return note
    run.report.run(name, whole)
    if not attack.broker.alive():
        attack.broker.start()


def lines_of_the_peer(text):
    return [line for line in text.splitlines() if "peer=127.0.0.1:" in line]


def one_line_each(attack):
    """What closes a connection is said once, with the peer and the reason."""
    cases = dict(list(frame_cases()) + list(body_cases()))
    for name in ("negative_length", "length_over_the_limit", "unknown_api", "unknown_version", "metadata_huge_count",
                 "produce_huge_records"):
        time.sleep(1.1)  # no more than so many lines in a second, and those before count
        before = len(attack.broker.log_text())
        attack.closed_or_answered(cases[name])
        deadline = time.monotonic() + 5
        while not (lines := lines_of_the_peer(attack.broker.log_text()[before:])) and time.monotonic() < deadline:
            time.sleep(0.05)
        if len(lines) != 1 or not re.search(r'(connection.malformed|request.refused) .*reason="', lines[0]):
            raise Wrong(f"{name}: {lines}")


def bad_names(attack):
    with attack.connect() as connection:
        for name in ("", ".", "..", "a" * 250, "a/b", "a b", "x\u00e9", "tab\t", "\0"):
            answer = connection.create_topics(4, {name: 1})
            if list(answer.values())[0][0] != INVALID_TOPIC:
                raise Wrong(f"{name!r}: {answer}")


def many_half_frames(attack):
    """Frames that announce the largest length allowed must not cost that much memory."""
    before = attack.broker.rss_bytes()
    connections = []
    for _ in range(HALF_FRAMES):
        connection = attack.connect()
        connection.send_raw(struct.pack(">i", 100_000_000) + b"\0\0\0\7" + b"x" * 100)
        connections.append(connection)
    attack.ordinary_client()
    growth = attack.broker.rss_bytes() - before
    for connection in connections:
        connection.close()
    if growth > 64 << 20:
        raise Wrong(f"{HALF_FRAMES} half frames cost {growth >> 20} MiB")
    return f"{growth / 1e6:.1f} MB"


def unknown_types(attack):
    """Numbers of types that Kafka has not: each is answered with its own error, which stands behind tags and throttle time."""
    with attack.connect() as connection:
        answer = connection.ask(LIST_CONFIG_RESOURCES, 1, wire.uvarint(2) + b"\x63\0", True)
        error = struct.unpack_from(">h", answer.data, answer.at + 5)[0]
        assert error == UNSUPPORTED_VERSION, f"a resource of type 99: error {error}"
        for kind, wanted in ((2, MISMATCHED_ENDPOINT), (9, UNSUPPORTED_ENDPOINT)):
            answer = connection.ask(DESCRIBE_CLUSTER, 1, bytes((0, kind, 0)), True)
            error = struct.unpack_from(">h", answer.data, answer.at + 5)[0]
            assert error == wanted, f"endpoints of type {kind}: error {error}"


def repeated_mistake(attack):
    """A client that makes one mistake over and over does not fill the disk with what is said of it."""
    before = len(re.findall("request.refused", attack.broker.log_text()))
    begin = time.monotonic()
    for _ in range(MISTAKES):
        attack.closed_or_answered(frame(header(wire.METADATA, 99) + b"\0\0\0\0"), half_close=False)
    seconds = time.monotonic() - begin
    time.sleep(1)  # the log is written by a thread of its own
    lines = len(re.findall("request.refused", attack.broker.log_text())) - before
    if lines > 20 * (seconds + 2):  # ten a second on each of two shards
        raise Wrong(f"{lines} lines in {seconds:.1f} s for {MISTAKES} requests")
    return f"{lines} lines for {MISTAKES} requests"


def body(run):
    with run.open() as broker:
        broker.start()
        attack = Attack(broker)
        with attack.connect() as connection:
            connection.create_topics(4, {TOPIC: 1})
            connection.await_served(TOPIC, 0)
        for name, raw in frame_cases():
            after_each(run, attack, f"frame/{name}", attack.closed_or_answered, raw)
        for name, raw in body_cases():
            after_each(run, attack, f"body/{name}", attack.closed_or_answered, raw)
        for name, data, wanted in batch_cases():
            after_each(run, attack, f"batch/{name}", attack.produce_error, data, wanted)
        too_large = wire.batch([], payload=wire.record(0, bytes(1_200_000)), count=1)
        after_each(run, attack, "batch/too_large", attack.produce_error, too_large, MESSAGE_TOO_LARGE)
        after_each(run, attack, "names", bad_names, attack)
        if broker.system == "millrace":
            after_each(run, attack, "one_line_in_the_log", one_line_each, attack)
        after_each(run, attack, "unknown_types", unknown_types, attack)
        if broker.system == "millrace":  # Kafka sets the announced memory aside and then starves
            after_each(run, attack, "half_frames", many_half_frames, attack)
            after_each(run, attack, "repeated_mistake", repeated_mistake, attack)
        after_each(run, attack, "random_damage", random_frames, attack, run.options.seed, run.options.frames)
        run.report.expect("stops_cleanly", broker.stop() in (0, 143), broker.log_tail())


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=1500, help="randomly damaged frames to send")
    running.main(parser.parse_args(), body)
