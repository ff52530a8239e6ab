"""Starts and judges system_load, the load of the tests that kill a broker or cut its power."""

import json
import os
import signal
import subprocess

from rig import running, wire

LOADS = (("idempotent-fsync", "all", "fsync"), ("idempotent-replicated", "all", "replicated"),
         ("acks-1-fsync", "1", "fsync"), ("acks-1-replicated", "1", "replicated"))


class Sending:
    """One running system_load and its history file."""

    def __init__(self, broker, folder, name, acks, durability, partitions=3, rate=1500):
        self.broker = broker
        self.name = name
        self.durability = durability
        self.acks = acks
        self.partitions = partitions
        self.history = os.path.join(folder, f"{name}.history")
        self.rate = rate
        self.process = None

    def options(self):
        return ["--bootstrap", self.broker.bootstrap, "--topic", self.name, "--partitions",
                str(self.partitions), "--history", self.history]

    def start(self):
        self.process = subprocess.Popen(
            [running.program("system_load"), "send", *self.options(), "--acks", self.acks, "--rate",
             str(self.rate)], stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Ends the load; returns what it says it had acknowledged."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=30)
            return json.loads(out)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate(timeout=10)
            raise

    def stop_at_once(self):
        """Ends the load without waiting for acknowledgements; its history is complete all the same."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def verify(self, tail_may_be_lost=False):
        """Returns (good, the judge's counts or complaint)."""
        command = [running.program("system_load"), "verify", *self.options()]
        if tail_may_be_lost:
            command += ["--tail-may-be-lost", "1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        return done.returncode == 0, (done.stdout.strip() + " " + done.stderr.strip()[-400:]).strip()


def create_topics(run, broker, loads):
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        for load in loads:
            answer = connection.create_topics(4, {load.name: (
                load.partitions, run.topic_configs(load.durability))})
            if answer[load.name][0] != 0:
                raise RuntimeError(f"cannot create {load.name}: {answer[load.name]}")
            for partition in range(load.partitions):
                connection.await_served(load.name, partition)
