"""Figures of a broker at rest: start-up time, memory and idle CPU, empty and with many partitions."""

import time

from rig import wire

IDLE_SECONDS = 5
PARTITIONS_PER_TOPIC = 500


def measure(broker, partitions):
    """Starts and stops `broker`, which has an empty folder, three times. Returns values by figure."""
    broker.start(120)  # formats the directory; not measured
    stop(broker)
    broker.start(120)
    values = {"start_empty": broker.start_seconds, **at_rest(broker, "idle_rss", "idle_cpu")}
    topics = create_many(broker, partitions)
    values["many_rss"] = at_rest(broker, "rss")["rss"]
    stop(broker)
    broker.start(300)
    values["start_many"] = broker.start_seconds
    values["serving_many"] = broker.start_seconds + await_served(broker, topics)
    values["many_rss"] = max(values["many_rss"], at_rest(broker, "rss")["rss"])
    stop(broker)
    return values


def stop(broker):
    code = broker.stop(180)
    if code not in (0, 143):
        raise RuntimeError(f"{broker.system} ended with {code}:\n{broker.log_tail()}")


def at_rest(broker, rss_name, cpu_name=None):
    time.sleep(2)
    before = broker.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    spent = broker.cpu_seconds() - before
    values = {rss_name: broker.rss_bytes() / 1e6}
    if cpu_name:
        values[cpu_name] = 100 * spent / IDLE_SECONDS
    return values


def create_many(broker, partitions):
    topics = {}
    with wire.Connection("127.0.0.1", broker.port, timeout=300) as connection:
        for number in range(partitions // PARTITIONS_PER_TOPIC):
            name = f"many-{number}"
            answer = connection.create_topics(4, {name: PARTITIONS_PER_TOPIC}, timeout_ms=240_000)
            if answer[name][0] != 0:
                raise RuntimeError(f"cannot create {name}: {answer[name]}")
            topics[name] = PARTITIONS_PER_TOPIC
    await_served(broker, topics)
    return topics


def await_served(broker, topics, timeout=300):
    """Waits until every partition answers ListOffsets; returns the seconds that took."""
    begin = time.monotonic()
    with wire.Connection("127.0.0.1", broker.port, timeout=60) as connection:
        for name, partitions in topics.items():
            while connection.unserved_partitions(name, partitions):
                if time.monotonic() - begin > timeout:
                    raise RuntimeError(f"{name} is not served after {timeout} s")
                time.sleep(0.01)
    return time.monotonic() - begin
