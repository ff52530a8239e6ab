#!/usr/bin/env python3
"""Real clients against a Kafka-compatible broker, Millrace or Apache Kafka itself.

  suite.py --bootstrap 127.0.0.1:9092 --system millrace    a broker that runs already
  suite.py --start millrace --binary build/release/millrace
  suite.py --start kafka

Prints a line per check and closes with `N passed, N failed`. With --json, runs against two systems can
be compared by diff.py.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from compat import cli_checks, group_checks, group_config_checks, group_leave_checks, group_log_checks  # noqa: E402
from compat import group_tool_checks, kcat_checks, tool_checks, trap_checks  # noqa: E402
from rig import brokers, kafka_jars, python_packages, report as reports, wire  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT_TIMEOUT = 150
PARTS = ("traps", "versions", "kcat", "librdkafka", "java", "tools", "kafkajs", "cli", "groups", "grouptool",
         "groupconfig", "groupleave", "javagroups", "confluent")
CONSUMER_GROUP_HEARTBEAT = 68


def build_librdkafka_client():
    """The CMake target where it is built, else compiled into the cache."""
    source = os.path.join(HERE, "librdkafka_client.cc")
    for preset in ("release", "dev"):
        for place in ("tests/compat", "tests", "."):
            path = os.path.join(kafka_jars.ROOT, "build", preset, place, "compat_librdkafka")
            if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(source):
                return path
    out = os.path.join(kafka_jars.cache_folder(), "compat_librdkafka")
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(source):
        os.makedirs(kafka_jars.cache_folder(), exist_ok=True)
        compiler = shutil.which("clang++-19") or "c++"
        subprocess.run([compiler, "-std=c++20", "-O1", source, "-o", out, "-lrdkafka"], check=True,
                       timeout=180)
    return out


def kafkajs_modules():
    """Installs kafkajs and its codecs into the cache once; returns the folder of modules."""
    folder = os.path.join(kafka_jars.cache_folder(), "kafkajs")
    wanted = os.path.join(HERE, "kafkajs", "package.json")
    have = os.path.join(folder, "package.json")
    modules = os.path.join(folder, "node_modules")
    with open(wanted, "rb") as text:
        content = text.read()
    complete = os.path.join(folder, "complete")
    with kafka_jars.only_one_in(folder):
        if os.path.exists(complete) and os.path.exists(have) and open(have, "rb").read() == content:
            return modules
        with open(have, "wb") as out:
            out.write(content)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
                       cwd=folder, check=True, timeout=300)
        with open(complete, "w", encoding="utf-8") as mark:
            mark.write("ok\n")
    return modules


class Suite:
    """One run of all parts against one broker."""

    def __init__(self, options, bootstrap, report, scratch, broker=None, data_dir=None):
        self.options = options
        self.system = options.system or options.start
        self.bootstrap = bootstrap
        self.report = report
        self.scratch = scratch
        self.broker = broker
        self.data_dir = data_dir
        self.prefix = "c" + uuid.uuid4().hex[:8]

    def run(self, parts):
        for part in parts:
            try:
                getattr(self, part)()
            except Exception as error:  # a part that cannot run at all is one failed check
                self.report.failed(f"{part}/starts", f"{type(error).__name__}: {error}")
            if self.broker and not self.broker.alive():
                self.report.failed(f"{part}/broker_lives", "the broker ended: " + self.broker.log_tail())
                self.broker.start()

    def wanted(self, part):
        """False only where --only names other parts."""
        words = [word.split("/")[0] for word in self.report.only if "/" in word]
        return len(words) < len(self.report.only) or not words or part in words

    def traps(self):
        host, port = self.bootstrap.rsplit(":", 1)
        trap_checks.Traps(host, int(port), self.prefix + "t", self.report, self.broker).run()

    def kcat(self):
        kcat_checks.Kcat(self.bootstrap, self.prefix + "k", self.report).run()

    def tools(self):
        tool_checks.Tools(self.bootstrap, self.prefix + "o", self.report, self.scratch,
                          self.data_dir).run()

    def librdkafka(self):
        self.client("librdkafka", [build_librdkafka_client(), self.bootstrap, self.prefix + "l"])

    def java(self):
        self.java_program("java", "JavaClient", self.prefix + "j")

    def versions(self):
        """Every API in every version it is advertised in."""
        self.java_program("versions", "VersionMatrix", self.prefix + "v")

    def java_program(self, part, name, prefix, *more):
        if not self.wanted(part):
            return
        self.client(part, kafka_jars.command_for_source(os.path.join(HERE, f"{name}.java"), [self.bootstrap, prefix, *more]))

    def kafkajs(self):
        environment = dict(os.environ, NODE_PATH=kafkajs_modules())
        self.client("kafkajs", ["node", os.path.join(HERE, "kafkajs", "client.js"), self.bootstrap,
                                self.prefix + "n"], environment)

    def groups(self):
        group_checks.Groups(self.bootstrap, self.prefix + "g", self.report, self.broker).run()

    def grouptool(self):
        group_tool_checks.GroupTool(self.bootstrap, self.prefix + "u", self.report, self.scratch).run()
        if self.data_dir:
            group_log_checks.GroupLog(self.bootstrap, self.prefix + "d", self.report, self.data_dir).run()

    def groupconfig(self):
        group_config_checks.GroupConfigs(self.bootstrap, self.prefix + "f", self.report, self.broker).run()

    def groupleave(self):
        group_leave_checks.GroupLeave(self.bootstrap, self.prefix + "l", self.report).run()

    def javagroups(self):
        self.java_program("javagroups", "GroupClient", self.prefix + "w", self.group_protocols())

    def confluent(self):
        """confluent-kafka for Python, in each of the protocols that the broker has."""
        self.client("confluent", [sys.executable, os.path.join(HERE, "confluent", "client.py"), self.bootstrap,
                                  self.prefix + "p", self.group_protocols()], python_packages.environment())

    def group_protocols(self):
        """Apache Kafka's broker has both; ours says which by what it advertises."""
        host, port = self.bootstrap.rsplit(":", 1)
        with wire.Connection(host, int(port)) as connection:
            ranges = connection.api_versions(0)[1]
        return "classic,consumer" if CONSUMER_GROUP_HEARTBEAT in ranges else "classic"

    def cli(self):
        """Millrace's own commands, where the binary has been built."""
        if os.path.exists(self.options.binary):
            cli_checks.Cli(self.options.binary, self.bootstrap, self.prefix + "m", self.report).run()
        else:
            print(f"left out cli: {self.options.binary} is not there", flush=True)

    def client(self, name, command, environment=None):
        """Runs a client program that prints its own check lines."""
        if not self.wanted(name):
            return
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, timeout=CLIENT_TIMEOUT, env=environment, check=False)
            output, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            output, code = (error.stdout or b"").decode(errors="replace"), "none (took too long)"
        for line in output.splitlines():
            if line.startswith("left out"):
                print(f"{name}: {line}", flush=True)
        self.report.adopt(name, output, code)

    def after_stop(self):
        """With the broker stopped: Apache Kafka's tool reads its files, and they hold what was sent."""
        values = [line.split("\t")[1] for line in tool_checks.Tools.lines(None)]
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.report.run(f"files/dump_log_{codec}", tool_checks.dump_partition, self.data_dir,
                            f"{self.prefix}o-console-{codec}", values)
        self.report.run("files/dump_metadata_log", tool_checks.dump_metadata_log, self.data_dir)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bootstrap", help="address of a running broker")
    parser.add_argument("--system", choices=("millrace", "kafka"), help="what runs there")
    parser.add_argument("--start", choices=("millrace", "kafka"), help="start a broker for the run")
    parser.add_argument("--binary", default=os.path.join(kafka_jars.ROOT, "build/release/millrace"))
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting for the started broker")
    parser.add_argument("--data-dir", help="log directory of the running broker, for kafka-dump-log")
    parser.add_argument("--parts", default=",".join(PARTS), help="of: " + ",".join(PARTS))
    parser.add_argument("--keep", action="store_true", help="keep the started broker's folder")
    reports.add_report_options(parser)
    options = parser.parse_args()
    if bool(options.bootstrap) == bool(options.start):
        parser.error("give either --bootstrap with --system, or --start")
    unknown = set(options.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    return options


def main():
    options = arguments()
    report = reports.Report(options.only)
    scratch = tempfile.mkdtemp(prefix="millrace-compat-")
    parts = options.parts.split(",")
    try:
        if options.bootstrap:
            Suite(options, options.bootstrap, report, scratch, None, options.data_dir).run(parts)
        else:
            overrides = dict(pair.split("=", 1) for pair in options.override)
            broker = brokers.open_broker(options.start, os.path.join(scratch, "broker"), options.binary,
                                         overrides)
            with broker:
                broker.start()
                suite = Suite(options, broker.bootstrap, report, scratch, broker, broker.data_dir)
                suite.run(parts)
                code = broker.stop()
                report.expect("broker/stops_cleanly", code in (0, 143), f"exit code {code}")
                if "tools" in parts and not options.only:
                    suite.after_stop()
    except brokers.StartFailed as error:
        report.failed("broker/starts", error)
    finally:
        if options.keep:
            print(f"kept {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    about = {"system": options.system or options.start, "kafka_tools": kafka_jars.kafka_version()}
    sys.exit(report.close(options.json, about))


if __name__ == "__main__":
    main()
