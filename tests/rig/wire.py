"""A small Kafka client on raw sockets: what the rig needs to look at single bytes.

It speaks a few APIs at fixed versions and can send anything else as bytes, right or wrong.
"""

import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS = 0, 1, 2, 3, 18, 19, 20
INIT_PRODUCER_ID = 22
OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, INCREMENTAL_ALTER_CONFIGS = 8, 9, 10, 44


class WireError(RuntimeError):
    """The peer closed the connection, or answered with bytes that do not parse."""


class Reader:
    """Walks over one answer. Raises WireError where it would read past the end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise WireError(f"answer too short: {count} bytes wanted at {self.at} of {len(self.data)}")
        part = self.data[self.at:self.at + count]
        self.at += count
        return part

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def i8(self):
        return self.number("b")

    def i16(self):
        return self.number("h")

    def i32(self):
        return self.number("i")

    def i64(self):
        return self.number("q")

    def uvarint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 35:
                raise WireError("varint too long")

    def string(self):
        length = self.i16()
        return None if length < 0 else self.take(length).decode()

    def compact_string(self):
        length = self.uvarint() - 1
        return None if length < 0 else self.take(length).decode()

    def bytes32(self):
        length = self.i32()
        return None if length < 0 else self.take(length)

    def tags(self):
        return {self.uvarint(): self.take(self.uvarint()) for _ in range(self.uvarint())}

    def left(self):
        return len(self.data) - self.at


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">h", len(data)) + data


def uvarint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return uvarint((value << 1) ^ (value >> 63) if value < 0 else value << 1)


def compact_string(text):
    data = text.encode()
    return uvarint(len(data) + 1) + data


def _crc32c_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record(index, value, key=None):
    body = b"\0" + zigzag(0) + zigzag(index)
    body += zigzag(-1) if key is None else zigzag(len(key)) + key
    body += zigzag(len(value)) + value + zigzag(0)
    return zigzag(len(body)) + body


def batch(values, producer_id=-1, producer_epoch=-1, base_sequence=-1, attributes=0, magic=2,
          count=None, crc=None, payload=None, length=None, last_delta=None, timestamp=None):
    """A record batch of format 2. Every field can be given a wrong value."""
    records = b"".join(record(i, v) for i, v in enumerate(values)) if payload is None else payload
    count = len(values) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    now = int(time.time() * 1000) if timestamp is None else timestamp
    covered = struct.pack(">hiqqqhii", attributes, last_delta, now, now, producer_id, producer_epoch,
                          base_sequence, count) + records
    crc = crc32c(covered) if crc is None else crc
    tail = struct.pack(">ibI", -1, magic, crc) + covered
    return struct.pack(">qi", 0, len(tail) if length is None else length) + tail


class Connection:
    """One TCP connection; requests are answered in order."""

    def __init__(self, host, port, timeout=10, client_id="rig"):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id = client_id
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def header(self, api, version, flexible=False):
        self.correlation += 1
        head = struct.pack(">hhi", api, version, self.correlation) + string(self.client_id)
        return head + b"\0" if flexible else head

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_frame(self, frame):
        self.send_raw(struct.pack(">i", len(frame)) + frame)

    def receive_exactly(self, count):
        parts = []
        while count > 0:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                raise WireError("connection closed by the broker")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self):
        """The next answer after its length, with the correlation id checked and taken off."""
        size = struct.unpack(">i", self.receive_exactly(4))[0]
        if not 4 <= size <= 1 << 28:
            raise WireError(f"answer of {size} bytes")
        reader = Reader(self.receive_exactly(size))
        correlation = reader.i32()
        if correlation != self.correlation:
            raise WireError(f"correlation {correlation}, wanted {self.correlation}")
        return reader

    def ask(self, api, version, body, flexible=False):
        self.send_frame(self.header(api, version, flexible) + body)
        return self.receive()

    def api_versions(self, version):
        """Returns (error, {api: (min, max)}, features or None)."""
        flexible = version >= 3
        body = compact_string("rig") + compact_string("1.0") + b"\0" if flexible else b""
        reader = self.ask(API_VERSIONS, version, body, flexible)
        return parse_api_versions(reader, version)

    def metadata(self, version, topics, auto_create=False):
        """Metadata 1 to 8. Returns {name: (error, {partition: (error, leader)})}."""
        body = struct.pack(">i", -1 if topics is None else len(topics))
        body += b"".join(string(topic) for topic in topics or [])
        if version >= 4:
            body += b"\1" if auto_create else b"\0"
        if version >= 8:
            body += b"\0\0"
        return parse_metadata(self.ask(METADATA, version, body), version)

    def node_id(self):
        """The id of the first broker that Metadata lists."""
        reader = self.ask(METADATA, 1, struct.pack(">i", 0))
        reader.i32()
        return reader.i32()

    def await_served(self, topic, partition, timeout=15):
        """Waits until the partition answers ListOffsets: a new one may need a moment."""
        deadline = time.monotonic() + timeout
        error = None
        while time.monotonic() < deadline:
            error = self.list_offsets(topic, partition, -1)[0]
            if error == 0:
                return
            time.sleep(0.01)
        raise WireError(f"{topic}-{partition} is not served: error {error}")

    def await_producer_id(self, timeout=15):
        """A new producer id; a broker that has just started may first say `loading`."""
        deadline = time.monotonic() + timeout
        error = None
        while time.monotonic() < deadline:
            error, producer_id, _ = self.init_producer_id()
            if error == 0:
                return producer_id
            time.sleep(0.02)
        raise WireError(f"no producer id: error {error}")

    def create_topics(self, version, topics, timeout_ms=30000, validate_only=False):
        """CreateTopics 2 to 4: topics is {name: partitions} or {name: (partitions, configs)}."""
        body = struct.pack(">i", len(topics))
        for name, wanted in topics.items():
            partitions, configs = wanted if isinstance(wanted, tuple) else (wanted, {})
            body += string(name) + struct.pack(">ihi", partitions, 1, 0)
            body += struct.pack(">i", len(configs))
            body += b"".join(string(k) + string(v) for k, v in configs.items())
        body += struct.pack(">i?", timeout_ms, validate_only)
        reader = self.ask(CREATE_TOPICS, version, body)
        reader.i32()
        answer = {}
        for _ in range(reader.i32()):
            name = reader.string()
            answer[name] = (reader.i16(), reader.string())
        return answer

    def delete_topics(self, names, timeout_ms=30000):
        body = struct.pack(">i", len(names)) + b"".join(string(n) for n in names)
        reader = self.ask(DELETE_TOPICS, 3, body + struct.pack(">i", timeout_ms))
        reader.i32()
        return {reader.string(): reader.i16() for _ in range(reader.i32())}

    def produce(self, topic, partition, data, acks=1, timeout_ms=30000, version=7):
        """Produce 3 to 7 of one partition. Returns (error, base offset), None where acks=0."""
        body = struct.pack(">hhi", -1, acks, timeout_ms) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">ii", 1, partition) + struct.pack(">i", len(data)) + data
        if acks == 0:
            self.send_frame(self.header(PRODUCE, version) + body)
            return None
        return parse_produce(self.ask(PRODUCE, version, body), version)

    def fetch_body(self, topic, partition, offset, max_wait_ms=500, max_bytes=1 << 20, min_bytes=1):
        body = struct.pack(">iiiibii", -1, max_wait_ms, min_bytes, max_bytes, 0, 0, -1)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1)
        body += struct.pack(">iiqqi", partition, -1, offset, -1, max_bytes)
        return body + struct.pack(">i", 0) + string("")

    def fetch(self, topic, partition, offset, max_wait_ms=500, max_bytes=1 << 20):
        """Fetch 11 of one partition. Returns (error, high watermark, log start, bytes of batches)."""
        reader = self.ask(FETCH, 11, self.fetch_body(topic, partition, offset, max_wait_ms, max_bytes))
        return parse_fetch(reader)

    def list_offsets(self, topic, partition, timestamp):
        """ListOffsets 5 of one partition. Returns (error, timestamp, offset)."""
        body = struct.pack(">ib", -1, 0) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">iiiq", 1, partition, -1, timestamp)
        reader = self.ask(LIST_OFFSETS, 5, body)
        reader.i32(), reader.i32(), reader.string(), reader.i32(), reader.i32()
        return reader.i16(), reader.i64(), reader.i64()

    def unserved_partitions(self, topic, partitions):
        """How many of a topic's first `partitions` do not answer ListOffsets yet."""
        body = struct.pack(">ib", -1, 0) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">i", partitions)
        body += b"".join(struct.pack(">iiq", index, -1, -1) for index in range(partitions))
        reader = self.ask(LIST_OFFSETS, 5, body)
        reader.i32(), reader.i32(), reader.string()
        unserved = 0
        for _ in range(reader.i32()):
            reader.i32()
            unserved += reader.i16() != 0
            reader.take(20)
        return unserved

    def set_topic_configs(self, topic, configs):
        return self.set_configs(2, topic, configs)

    def set_group_configs(self, group, configs):
        return self.set_configs(32, group, configs)

    def set_configs(self, kind, name, configs):
        """IncrementalAlterConfigs 0. Returns the error."""
        body = struct.pack(">ib", 1, kind) + string(name) + struct.pack(">i", len(configs))
        body += b"".join(string(key) + b"\0" + string(value) for key, value in configs.items())
        reader = self.ask(INCREMENTAL_ALTER_CONFIGS, 0, body + b"\0")
        reader.i32(), reader.i32()
        return reader.i16()

    def find_coordinator(self, group):
        """FindCoordinator 1, which makes the topic of committed offsets where it is missing. Returns the error."""
        reader = self.ask(FIND_COORDINATOR, 1, string(group) + b"\0")
        reader.i32()
        return reader.i16()

    def commit_offset(self, group, topic, partition, offset):
        """OffsetCommit 2 of one partition, as a tool commits for a group without members. Returns the error."""
        body = string(group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">iiq", 1, partition, offset) + string("")
        reader = self.ask(OFFSET_COMMIT, 2, body)
        reader.i32(), reader.string(), reader.i32(), reader.i32()
        return reader.i16()

    def fetch_offsets(self, group, topic, partitions):
        """OffsetFetch 5 of one topic. Returns (error, {partition: committed offset, -1 for none})."""
        body = string(group) + struct.pack(">i", 1) + string(topic) + struct.pack(">i", len(partitions))
        body += b"".join(struct.pack(">i", index) for index in partitions)
        reader = self.ask(OFFSET_FETCH, 5, body)
        reader.i32()
        found, error = {}, 0
        for _ in range(reader.i32()):
            reader.string()
            for _ in range(reader.i32()):
                index, found_offset = reader.i32(), reader.i64()
                reader.i32(), reader.string()
                error = reader.i16() or error
                found[index] = found_offset
        return reader.i16() or error, found

    def init_producer_id(self):
        """InitProducerId 0 without transactional id. Returns (error, producer id, epoch)."""
        reader = self.ask(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60000))
        reader.i32()
        return reader.i16(), reader.i64(), reader.i16()


def parse_api_versions(reader, version):
    error = reader.i16()
    flexible = version >= 3
    ranges = {}
    count = reader.uvarint() - 1 if flexible else reader.i32()
    for _ in range(count):
        api, low, high = reader.i16(), reader.i16(), reader.i16()
        ranges[api] = (low, high)
        if flexible:
            reader.tags()
    if version >= 1:
        reader.i32()
    features = None
    if flexible:
        features = {}
        tags = reader.tags()
        if 0 in tags:
            part = Reader(tags[0])
            for _ in range(part.uvarint() - 1):
                name = part.compact_string()
                features[name] = (part.i16(), part.i16())
                part.tags()
    if reader.left():
        raise WireError(f"{reader.left()} bytes left over after ApiVersions {version}")
    return error, ranges, features


def parse_metadata(reader, version):
    if version >= 3:
        reader.i32()
    for _ in range(reader.i32()):
        reader.i32(), reader.string(), reader.i32(), reader.string()
    if version >= 2:
        reader.string()
    reader.i32()
    topics = {}
    for _ in range(reader.i32()):
        error, name = reader.i16(), reader.string()
        reader.i8()
        partitions = {}
        for _ in range(reader.i32()):
            partition_error, index, leader = reader.i16(), reader.i32(), reader.i32()
            if version >= 7:
                reader.i32()
            for _ in range(3 if version >= 5 else 2):
                reader.take(4 * reader.i32())
            partitions[index] = (partition_error, leader)
        if version >= 8:
            reader.i32()
        topics[name] = (error, partitions)
    return topics


def parse_produce(reader, version):
    if reader.i32() != 1:
        raise WireError("Produce answer without its topic")
    reader.string()
    reader.i32(), reader.i32()
    error, base_offset, _ = reader.i16(), reader.i64(), reader.i64()
    if version >= 5:
        reader.i64()
    return error, base_offset


def parse_fetch(reader):
    reader.i32()
    error = reader.i16()
    reader.i32()
    if error or reader.i32() == 0:
        return error, -1, -1, b""
    reader.string()
    reader.i32(), reader.i32()
    error, high_watermark, _, log_start = reader.i16(), reader.i64(), reader.i64(), reader.i64()
    reader.take(16 * max(reader.i32(), 0))
    reader.i32()
    return error, high_watermark, log_start, reader.bytes32() or b""


def batches(data):
    """Splits fetched bytes into (base offset, last offset, bytes) of whole batches."""
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if length < 49 or at + 12 + length > len(data):
            return
        last_delta = struct.unpack_from(">i", data, at + 23)[0]
        yield base, base + last_delta, data[at:at + 12 + length]
        at += 12 + length


def codec_of(data):
    """The compression codec of one batch: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
    return struct.unpack_from(">h", data, 21)[0] & 7
