"""Whole-partition reads and writes of the tests that take the disk away from the broker."""

from rig import wire

BATCH_BYTES = 64 * 1024


def make_batch(number=0):
    """One record of BATCH_BYTES and a bit."""
    value = b"%d " % number + bytes(BATCH_BYTES)
    return wire.batch([], payload=wire.record(0, value), count=1)


def produce(broker, topic, batches):
    """Produces with acks=all; returns the acknowledged base offsets. Raises on any error."""
    data = make_batch()
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        offsets = []
        for _ in range(batches):
            error, base = connection.produce(topic, 0, data, acks=-1)
            assert error == 0, f"produce to {topic}: error {error}"
            offsets.append(base)
    return offsets


def read_all(broker, topic, wanted):
    """Reads a partition to its end; every wanted base offset must be there, once and in order."""
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        connection.await_served(topic, 0)
        found, offset = [], 0
        while True:
            error, high, _, data = connection.fetch(topic, 0, offset, max_wait_ms=10)
            assert error == 0, f"fetch at {offset}: error {error}"
            for base, last, _ in wire.batches(data):
                found.append(base)
                offset = last + 1
            if offset >= high:
                break
    missing = set(wanted) - set(found)
    assert not missing, f"{len(missing)} acknowledged records are missing, first {min(missing)}"
    assert found == sorted(set(found)), "offsets are not in order or not unique"
    return f"{len(found)} records"
