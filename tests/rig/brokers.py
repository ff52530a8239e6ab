"""Starts and stops the two systems under comparison, Millrace and Apache Kafka, and measures them.

Both classes have one interface: start(), stop(), kill(), restart(), and the figures of Process.
Every broker listens on a free port of 127.0.0.1, keeps its data in `folder`, and is ended when its
`with` block ends.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

from rig import kafka_jars, wire

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of the whole process so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="utf-8") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES


class StartFailed(RuntimeError):
    """The broker did not answer in time; the message carries the end of its log."""


class Process:
    """One broker process: the shared part of Millrace and Kafka.

    Lifetime:  started by start(), ended by stop(), kill() or the end of the `with` block.
    """

    system = "none"

    def __init__(self, folder, port=None, cores=None, environment=None):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.port = port or free_port()
        self.cores = cores
        self.environment = environment
        self.overrides = {}
        self.process = None
        self.log_path = os.path.join(self.folder, f"{self.system}.log")
        self.start_seconds = None

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def data_dir(self):
        return self.overrides.get("log.dirs", os.path.join(self.folder, "data"))

    @property
    def data_dirs(self):
        return self.data_dir.split(",")

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """What has to be done once before the first start."""

    def start(self, timeout=60):
        """Starts and waits until ApiVersions and Metadata are answered; notes how long that took."""
        self.prepare()
        command = self.command()
        if self.cores:
            command = ["taskset", "-c", self.cores, *command]
        with open(self.log_path, "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=self.environment, cwd=self.folder)
        self.start_seconds = self._wait_ready(begin, timeout)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=60):
        """Asks by SIGTERM and waits; returns the exit code, or None if it had to be killed."""
        if not self.alive():
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.alive():
            self.process.kill()
        if self.process:
            self.process.wait(30)

    def restart(self, timeout=60):
        self.stop()
        return self.start(timeout)

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def rss_bytes(self):
        return rss_bytes(self.pid)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def logged(self, pattern, seconds=10):
        """The lines of the log that match, once there is one: the broker writes its log from a thread of its own."""
        deadline = time.monotonic() + seconds
        while True:
            lines = [line for line in self.log_text().splitlines() if re.search(pattern, line, re.I)]
            if lines or time.monotonic() > deadline:
                return lines
            time.sleep(0.05)

    def log_tail(self, lines=15):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def erase(self):
        """Removes the stopped broker's data."""
        assert not self.alive()
        for directory in self.data_dirs:
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process is not None:
            self.stop(20)

    def _wait_ready(self, begin, timeout):
        while time.monotonic() - begin < timeout:
            if self.process.poll() is not None:
                raise StartFailed(f"{self.system} ended with code {self.process.returncode} while "
                                  f"starting:\n{self.log_tail()}")
            try:
                with wire.Connection("127.0.0.1", self.port, timeout=5) as connection:
                    connection.api_versions(0)
                    connection.metadata(1, [])
                return time.monotonic() - begin
            except (OSError, wire.WireError):
                time.sleep(0.002)
        self.kill()
        raise StartFailed(f"{self.system} did not answer within {timeout} s:\n{self.log_tail()}")


class Millrace(Process):
    """The broker of this project, started with `serve` and --override as a user would."""

    system = "millrace"

    def __init__(self, folder, binary, overrides=None, launcher=None, shards="2", **keywords):
        """`shards`: two, so that requests cross them; None for what the broker takes by itself."""
        super().__init__(folder, **keywords)
        self.binary = os.path.abspath(binary)
        self.overrides = dict(overrides or {})
        if shards:
            self.overrides.setdefault("millrace.shards", shards)
        self.launcher = launcher or []

    def command(self):
        settings = {
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": self.data_dir,
            **self.overrides,
        }
        command = [*self.launcher, self.binary, "serve"]
        for key, value in settings.items():
            command += ["--override", f"{key}={value}"]
        return command


class Kafka(Process):
    """Apache Kafka as broker and controller in one process, with the settings it is shipped with."""

    system = "kafka"

    # config/server.properties of the distribution.
    SHIPPED = {
        "num.network.threads": "3", "num.io.threads": "8",
        "socket.send.buffer.bytes": "102400", "socket.receive.buffer.bytes": "102400",
        "socket.request.max.bytes": "104857600", "num.partitions": "1",
        "num.recovery.threads.per.data.dir": "2", "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1", "log.retention.hours": "168",
        "log.segment.bytes": "1073741824", "log.retention.check.interval.ms": "300000",
    }

    def __init__(self, folder, overrides=None, heap=("-Xms1g", "-Xmx1g"), jvm=None, release=None,
                 static_quorum=False, **keywords):
        """`release`: the features of that release; without it, what this Kafka gives a new cluster."""
        super().__init__(folder, **keywords)
        self.controller_port = free_port()
        self.release = release
        self.static_quorum = static_quorum
        self.overrides = dict(overrides or {})
        self.heap = list(heap)
        self.jvm = kafka_jars.BROKER_JVM if jvm is None else jvm
        self.properties = os.path.join(self.folder, "server.properties")

    def prepare(self):
        settings = {
            **self.SHIPPED,
            "process.roles": "broker,controller", "node.id": "1", **self._quorum(),
            "listeners": f"PLAINTEXT://{self.bootstrap},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},"
                                    f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "inter.broker.listener.name": "PLAINTEXT", "controller.listener.names": "CONTROLLER",
            "log.dirs": self.data_dir,
            **self.overrides,
        }
        with open(self.properties, "w", encoding="utf-8") as out:
            out.writelines(f"{key}={value}\n" for key, value in settings.items())
        if not os.path.exists(os.path.join(self.data_dirs[0], "meta.properties")):
            self._format()

    def command(self):
        return kafka_jars.command_for("kafka-server-start", [self.properties],
                                      jvm=[*self.heap, *self.jvm], log_level="WARN")

    def _quorum(self):
        address = f"127.0.0.1:{self.controller_port}"
        if self.static_quorum:
            node = self.overrides.get("node.id", "1")
            return {"controller.quorum.voters": f"{node}@{address}"}
        return {"controller.quorum.bootstrap.servers": address}

    def _format(self):
        kind = [] if self.static_quorum else ["--standalone"]
        if self.release:
            kind += ["--release-version", self.release]
        done = kafka_jars.run_tool("kafka-storage", [
            "format", *kind, "-t", "bWlsbHJhY2UtY29tcGFyZQ", "-c", self.properties])
        if done.returncode != 0:
            raise StartFailed("kafka-storage format: " + done.stdout + done.stderr)


def open_broker(system, folder, binary=None, overrides=None, **keywords):
    """A broker of the named system, not yet started. `overrides` are for that system alone."""
    if system == "kafka":
        keywords.pop("shards", None)
        return Kafka(folder, overrides=overrides, **keywords)
    if not binary or not os.path.exists(binary):
        raise StartFailed(f"no Millrace binary at {binary}: build it first (make run), or name it "
                          "with --binary")
    for only_kafka in ("heap", "release", "static_quorum"):
        keywords.pop(only_kafka, None)
    return Millrace(folder, binary, overrides=overrides, **keywords)
