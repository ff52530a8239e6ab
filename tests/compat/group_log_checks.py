"""kafka-dump-log --offsets-decoder reads what the broker keeps of groups of both protocols, and finds in it what clients did."""

import glob
import json
import os
import re
import subprocess

from rig import group_member, kafka_jars

OFFSET_COMMIT, CLASSIC_GROUP = 1, 2
EPOCH, MEMBER, TARGET_EPOCH, TARGET, CURRENT = 3, 5, 6, 7, 8
RECORDS = 12


class GroupLog:
    """Topics and groups start with `prefix`; `data_dir` is the log directory of the running broker."""

    def __init__(self, bootstrap, prefix, report, data_dir):
        self.bootstrap = bootstrap
        self.report = report
        self.data_dir = data_dir
        self.topic = f"{prefix}-topic"
        self.classic = f"{prefix}-classic"
        self.modern = f"{prefix}-modern"

    def run(self):
        run = self.report.run
        run("grouplog/groups_of_both_protocols_work", self.work)
        run("grouplog/dump_log_decodes_the_classic_group", self.classic_group)
        run("grouplog/dump_log_decodes_the_group_of_the_consumer_protocol", self.modern_group)

    def work(self):
        done = kafka_jars.run_tool("kafka-topics", ["--bootstrap-server", self.bootstrap, "--create", "--topic", self.topic,
                                                    "--partitions", "1"])
        assert done.returncode == 0, done.stdout + done.stderr
        subprocess.run(["kcat", "-b", self.bootstrap, "-P", "-t", self.topic], input="line\n" * RECORDS, text=True, check=True,
                       timeout=30)
        subprocess.run(["kcat", "-b", self.bootstrap, "-G", self.classic, self.topic, "-X", "auto.offset.reset=earliest",
                        "-X", "session.timeout.ms=6000", "-X", "client.id=reader", "-c", str(RECORDS)], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with group_member.consumer_member(self.bootstrap, self.modern, self.topic):
            pass

    def records(self, group):
        """(type, key, value or None for a tombstone) of each record about the group, in the order of the log."""
        logs = [path for path in glob.glob(os.path.join(self.data_dir, "__consumer_offsets-*", "*.log")) if os.path.getsize(path)]
        done = kafka_jars.run_tool("kafka-dump-log", ["--offsets-decoder", "--files", ",".join(sorted(logs))])
        out = done.stdout + done.stderr
        assert done.returncode == 0 and "isvalid: false" not in out and "Exception" not in out, out[-400:]
        found = []
        for line in done.stdout.splitlines():
            pair = re.search(r" key: (\{.*\}) payload: (.*)$", line)
            if not pair:
                assert not line.startswith("| offset"), f"not decoded: {line}"
                continue
            key = json.loads(pair.group(1))
            if key["data"]["group" if int(key["type"]) <= CLASSIC_GROUP else "groupId"] == group:
                value = json.loads(pair.group(2)) if pair.group(2).startswith("{") else None
                found.append((int(key["type"]), key["data"], value and value["data"]))
        return found

    def classic_group(self):
        found = self.records(self.classic)
        commits = [(key["topic"], key["partition"], value["offset"]) for kind, key, value in found if kind == OFFSET_COMMIT]
        assert commits and commits[-1] == (self.topic, 0, RECORDS), found
        stable = [value for kind, _, value in found if kind == CLASSIC_GROUP and value and value["members"]]
        assert stable, found
        member = stable[-1]["members"][0]
        assert stable[-1]["protocolType"] == "consumer" and stable[-1]["leader"] == member["memberId"], stable
        assert member["clientId"] == "reader" and member["sessionTimeout"] == 6000, member
        assert self.topic in json.dumps(member["subscription"]) and self.topic in json.dumps(member["assignment"]), member

    def modern_group(self):
        found = self.records(self.modern)
        first = {}
        for kind, _, value in found:
            first.setdefault(kind, value)
        assert set(first) == {EPOCH, MEMBER, TARGET_EPOCH, TARGET, CURRENT}, found
        assert first[MEMBER]["subscribedTopicNames"] == [self.topic] and first[MEMBER]["clientHost"] == "/127.0.0.1", first
        assert first[EPOCH]["epoch"] == 1 and first[TARGET_EPOCH]["assignmentEpoch"] == 1, first
        assert [part["partitions"] for part in first[TARGET]["topicPartitions"]] == [[0]], first
        current = [value for kind, _, value in found if kind == CURRENT and value]
        assert current[-1]["memberEpoch"] == 1 and current[-1]["assignedPartitions"] == first[TARGET]["topicPartitions"], current
        gone = {kind for kind, _, value in found if value is None}
        assert gone == {MEMBER, TARGET, CURRENT}, f"tombstones of {gone}: the member has left"
