#!/usr/bin/env python3
"""What the commands say, and what they end with, where the line, the output or the directory is not as it should be."""

import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running  # noqa: E402

TOPIC = "orders"
RECORDS = 20_000
FAILED, WRONG_USAGE = 1, 2


class CommandLine:
    """The binary against one broker; the checks build on the topic that the first one fills."""

    def __init__(self, run, broker):
        self.run_of = run
        self.broker = broker
        self.binary = os.path.abspath(run.options.binary)

    def run(self):
        run = self.run_of.report.run
        run("topic_is_filled", self.fill)
        for words in (["topic", "list"], ["topic", "list", "--names"], ["topic", "describe"], ["config", "describe", "broker", "-a"],
                      ["cluster", "describe"], ["group", "list", "--format", "json"], ["group", "lag", "--watch", "0.1"],
                      ["consume", TOPIC, "-e"], ["consume", TOPIC, "-e", "--format", "json"], ["consume", TOPIC, "-c", "1"]):
            run("full_output_of_" + "_".join(words).replace("-", ""), self.full, *words)
        for words in (["doctor"], ["completion", "bash"], ["--help"], ["log", "dump", "-r", self.segment()],
                      ["log", "verify", self.broker.data_dir]):
            run("full_output_of_" + "_".join(words[:2]).replace("-", ""), self.full_alone, *words)
        run("closed_output", self.closed)
        run("wrong_words", self.wrong_words)
        run("offset_that_is_not_there", self.offset)
        run("report_of_produce", self.report)
        run("metadata_log_in_words", self.metadata)
        run("last_stop_of_a_first_start_and_of_one_after_a_kill", self.last_stop)
        run("format_of_what_is_formatted", self.format)
        run("serve_without_an_output", self.serve)

    def segment(self):
        return os.path.join(self.broker.data_dir, TOPIC + "-0", "0" * 20 + ".log")

    def call(self, *words, wanted=0, text="", **keywords):
        done = subprocess.run([self.binary, *words], input=text, text=True, timeout=60, check=False,
                              **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords})
        assert done.returncode == wanted, f"{' '.join(words)}: exit code {done.returncode}, wanted {wanted}: {done.stderr[-400:]}"
        return done.stdout if wanted == 0 else done.stderr

    def ask(self, *words, **keywords):
        return self.call(*words, "--bootstrap-server", self.broker.bootstrap, **keywords)

    def fill(self):
        self.ask("topic", "create", TOPIC, "-p", "1")
        self.ask("produce", TOPIC, text="".join(f"record {i} {'x' * 80}\n" for i in range(RECORDS)))

    @staticmethod
    def expect_one_line(said):
        assert said.count("\n") == 1 and said.startswith("millrace: ") and "standard output" in said, said

    def full_alone(self, *words):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.expect_one_line(self.call(*words, wanted=FAILED, stdout=full))

    def full(self, *words):
        self.full_alone(*words, "--bootstrap-server", self.broker.bootstrap)

    def closed(self):
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", self.binary, "topic", "list", "-b", self.broker.bootstrap],
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert done.returncode == FAILED, done
        self.expect_one_line(done.stderr)

    def wrong_words(self):
        for words, said in ((["frobnicate"], "no command `millrace frobnicate`; there are serve, "),
                            (["topic", "crate", "x"], "did you mean `millrace topic create`?"),
                            (["topic", "list", "--fromat", "json"], "no option --fromat; did you mean --format?"),
                            (["topic", "create", "x", "--partitions", "0"], "`0` is not a whole number from 1 to 2147483647"),
                            (["topic", "list", "--format", "yaml"], "--format: `yaml` is none of table, json"),
                            (["topic", "list", "--format", "0"], "--format: `0` is none of table, json"),
                            (["produce", "x", "--acks", "2"], "--acks: `2` is none of 0, 1, all"),
                            (["produce", "x", "--format", "json"], "requires --report")):
            message = self.call(*words, wanted=WRONG_USAGE)
            assert said in message and message.startswith("millrace: ") and message.count("\n") == 2, message

    def offset(self):
        message = self.ask("consume", TOPIC, "-p", "0", "-o", str(RECORDS + 99), "-e", wanted=FAILED)
        assert f"no offset {RECORDS + 99}; it holds offsets 0 to {RECORDS - 1}" in message, message

    def report(self):
        assert self.ask("produce", TOPIC, "-r", text="a\n") == f"0\t{RECORDS}\n"
        out = self.ask("produce", TOPIC, "-r", "--format", "json", text="b\nc\n")
        assert [json.loads(line) for line in out.splitlines()] == [
            {"topic": TOPIC, "partition": 0, "offset": RECORDS + i} for i in (1, 2)], out

    def metadata(self):
        folder = os.path.join(self.broker.data_dir, "__cluster_metadata-0")
        log = os.path.join(folder, "0" * 20 + ".log")
        out = self.call("log", "dump", "--records", log)
        assert '"TopicRecord"' in out and all(c.isprintable() or c in "\n\t" for c in out), out[-400:]
        rows = [json.loads(line) for line in self.call("log", "dump", "--records", log, "--format", "json").splitlines()]
        names = [row["value"]["data"]["name"] for row in rows
                 if isinstance(row["value"], dict) and row["value"]["type"] == "TopicRecord"]
        assert TOPIC in names, names

    def last_stop(self):
        assert "last_stop=none" in self.broker.logged("broker.ready")[-1], self.broker.log_tail()
        self.broker.kill()
        self.broker.start()
        self.await_ready(2, "last_stop=unclean")
        self.broker.restart()
        self.await_ready(3, "last_stop=clean")

    def await_ready(self, count, wanted):
        deadline = time.monotonic() + 10
        while len(lines := self.broker.logged("broker.ready")) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(lines) == count and wanted in lines[-1], lines

    def format(self):
        data = os.path.join(self.run_of.scratch, "formatted")
        words = ["format", "--override", f"log.dirs={data}"]
        self.call(*words)
        assert "formatted already" in self.call(*words, wanted=FAILED)
        assert self.call(*words, "-g") == f"{data} is formatted already\n"
        both = ["format", "--override", f"log.dirs={data},{data}2", "-g"]
        assert f"formatted {data}2 for cluster" in self.call(*both)
        assert "not of cluster" in self.call(*both, "-t", "another", wanted=WRONG_USAGE)

    def serve(self):
        """The banner is lost, and nothing else."""
        broker = self.run_of.open(folder=os.path.join(self.run_of.scratch, "silent"))
        log = os.path.join(self.run_of.scratch, "silent.log")
        with open("/dev/full", "w", encoding="utf-8") as full, open(log, "w", encoding="utf-8") as errors:
            process = subprocess.Popen(broker.command(), stdout=full, stderr=errors, cwd=broker.folder)
        try:
            deadline = time.monotonic() + 30
            while "broker.ready" not in self.text_of(log) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, self.text_of(log)[-400:]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(20)

    @staticmethod
    def text_of(path):
        with open(path, encoding="utf-8") as text:
            return text.read()


def body(run):
    with run.open() as broker:
        broker.start()
        CommandLine(run, broker).run()
        run.report.expect("broker_lives", broker.alive(), broker.log_tail())


if __name__ == "__main__":
    running.main(running.parser(__doc__).parse_args(), body)
