"""kafka-consumer-groups: describe, every kind of --reset-offsets, --delete-offsets and --delete."""

import os
import re
import subprocess
import time

from rig import kafka_jars

PARTITIONS = 2
PER_PARTITION = 20


class GroupTool:
    """Topics and groups start with `prefix`."""

    def __init__(self, bootstrap, prefix, report, scratch):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report
        self.scratch = scratch
        self.topic = f"{prefix}-topic"
        self.group = f"{prefix}-group"

    def run(self):
        run = self.report.run
        run("grouptool/group_is_prepared", self.prepare)
        run("grouptool/describe_offsets", self.describe_offsets)
        run("grouptool/describe_members_and_state", self.describe_members)
        run("grouptool/reset_of_a_group_with_members_is_refused", self.reset_refused)
        for kind, offsets in (
                (["--to-earliest"], (0, 0)), (["--to-latest"], (PER_PARTITION, PER_PARTITION)),
                (["--to-offset", "7"], (7, 7)), (["--shift-by", "5"], (12, 12)), (["--shift-by", "-10"], (2, 2)),
                (["--to-offset", "1000"], (PER_PARTITION, PER_PARTITION)), (["--to-current"], (20, 20)),
                (["--to-datetime", "2001-01-01T00:00:00.000"], (0, 0)),
                (["--to-datetime", "{middle}"], (10, 10)), (["--by-duration", "P1D"], (0, 0))):
            name = re.sub(r"\W+", "_", " ".join(kind).replace(" -", " minus ")).strip("_")
            run(f"grouptool/reset_{name}", self.reset, kind, offsets)
        run("grouptool/reset_of_one_partition", self.reset_one_partition)
        run("grouptool/reset_dry_run_changes_nothing", self.dry_run)
        run("grouptool/reset_from_file", self.from_file)
        run("grouptool/delete_offsets", self.delete_offsets)
        run("grouptool/delete", self.delete)

    def ask(self, *arguments):
        done = kafka_jars.run_tool("kafka-consumer-groups", ["--bootstrap-server", self.bootstrap, *arguments])
        return done.returncode, done.stdout + done.stderr

    def tool(self, *arguments):
        code, out = self.ask(*arguments)
        assert code == 0 and "Error:" not in out, out[-400:]
        return out

    def prepare(self):
        """Two halves of records with a moment between them; then a member that committed the first three of each."""
        done = kafka_jars.run_tool("kafka-topics", ["--bootstrap-server", self.bootstrap, "--create", "--topic",
                                                    self.topic, "--partitions", str(PARTITIONS)])
        assert done.returncode == 0, done.stdout + done.stderr[-300:]
        for half in range(2):
            for partition in range(PARTITIONS):
                text = "".join(f"{half} {i}\n" for i in range(PER_PARTITION // 2))
                subprocess.run(["kcat", "-b", self.bootstrap, "-P", "-t", self.topic, "-p", str(partition)],
                               input=text, text=True, check=True, timeout=30)
            if half == 0:
                time.sleep(1.2)
                now = time.time()
                self.middle = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1000):03d}"
                time.sleep(0.1)
        self.tool("--group", self.group, "--topic", self.topic, "--reset-offsets", "--to-offset", "3", "--execute")
        assert self.offsets() == (3, 3)

    def offsets(self):
        """As --describe tells them; None for a partition without."""
        out = self.tool("--describe", "--group", self.group, "--offsets")
        found = re.findall(rf"^{self.group}\s+{self.topic}\s+(\d)\s+(\d+|-)\s", out, re.M)
        found = {int(partition): None if offset == "-" else int(offset) for partition, offset in found}
        return tuple(found.get(partition) for partition in range(PARTITIONS))

    def describe_offsets(self):
        out = self.tool("--describe", "--group", self.group, "--offsets")
        rows = re.findall(rf"^{self.group}\s+{self.topic}\s+\d\s+(\d+)\s+(\d+)\s+(\d+)", out, re.M)
        assert rows == [("3", "20", "17")] * PARTITIONS, out

    def with_member(self, body):
        member = subprocess.Popen(["kcat", "-b", self.bootstrap, "-G", self.group, "-X", "session.timeout.ms=6000",
                                   "-X", "enable.auto.commit=false", "-X", "client.id=worker-7", self.topic],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for line in member.stderr:
                if "assigned" in line:
                    break
            body()
        finally:
            member.terminate()
            member.communicate(timeout=20)

    def describe_members(self):
        def body():
            out = self.tool("--describe", "--group", self.group, "--members", "--verbose")
            assert re.search(rf"^{self.group}\s+worker-7-\S+\s+\S+\s+worker-7\s+{PARTITIONS}\b.*{self.topic}", out, re.M), out
            out = self.tool("--describe", "--group", self.group, "--state")
            assert re.search(rf"^{self.group}\s+\S+:\d+\s+\(\d+\)\s+range\s+Stable\s+1", out, re.M), out
            out = self.tool("--list", "--state", "stable")
            assert re.search(rf"^{self.group}\s+Stable", out, re.M), out
        self.with_member(body)
        out = self.tool("--describe", "--group", self.group, "--state")
        assert re.search(r"\sEmpty\s+0", out), out

    def reset_refused(self):
        def body():
            _, out = self.ask("--group", self.group, "--topic", self.topic, "--reset-offsets", "--to-earliest", "--execute")
            assert "inactive" in out, out
            assert 0 not in self.offsets(), "the offsets were reset all the same"
        self.with_member(body)

    def reset(self, kind, wanted):
        kind = [word.replace("{middle}", self.middle) for word in kind]
        self.tool("--group", self.group, "--topic", self.topic, "--reset-offsets", *kind, "--execute")
        assert self.offsets() == wanted, f"{self.offsets()}, wanted {wanted}"

    def reset_one_partition(self):
        self.tool("--group", self.group, "--topic", f"{self.topic}:1", "--reset-offsets", "--to-offset", "9", "--execute")
        assert self.offsets() == (0, 9), self.offsets()

    def dry_run(self):
        out = self.tool("--group", self.group, "--all-topics", "--reset-offsets", "--to-latest", "--dry-run")
        assert re.search(rf"{self.topic}\s+0\s+20", out), out
        assert self.offsets() == (0, 9), self.offsets()

    def from_file(self):
        path = os.path.join(self.scratch, "offsets.csv")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"{self.topic},0,4\n{self.topic},1,6\n")
        self.tool("--group", self.group, "--reset-offsets", "--from-file", path, "--execute")
        assert self.offsets() == (4, 6), self.offsets()

    def delete_offsets(self):
        self.tool("--group", self.group, "--topic", f"{self.topic}:0", "--delete-offsets")
        assert self.offsets() == (None, 6), self.offsets()

    def delete(self):
        self.tool("--group", self.group, "--delete")
        assert self.group not in self.tool("--list").split()
        _, out = self.ask("--group", self.group, "--describe")
        assert "does not exist" in out or "not found" in out, out
