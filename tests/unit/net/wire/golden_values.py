#!/usr/bin/env python3
"""Values for GoldenBodies.java: every message, version and fill as JSON, by the rule of PatternFiller.

    golden_values.py DIRECTORY < spec_fields.txt > golden_values.txt

DIRECTORY holds the schemas of a kafka-clients jar of Kafka 4.2, unpacked: common/message/*.json. The
messages are those that spec_fields.txt names.
"""
import base64
import json
import re
import sys


def contains(versions, version):
    if versions == "none":
        return False
    first, _, last = versions.rstrip("+").partition("-")
    if versions.endswith("+"):
        return version >= int(first)
    return int(first) <= version <= int(last or first)


class Pattern:
    """Numbers the plain values of one message in the order of its schema."""

    def __init__(self, common, version, full):
        self.common, self.version, self.full, self.last = common, version, full, 0

    def integer(self, size, signed):
        bits = self.last % (128 if signed else 256)
        for following in range(2, size + 1):
            bits = bits << 8 | following
        return bits

    def leaf(self, kind):
        self.last += 1
        if kind == "bool":
            return self.last % 2 == 1
        if kind == "float64":
            return self.last + 0.5
        if kind == "uuid":
            raw = bytes([self.last % 256, *range(1, 16)])
            return base64.urlsafe_b64encode(raw).decode().rstrip("=")
        if kind == "string":
            return f"s{self.last}"
        if kind in ("bytes", "records"):
            return base64.b64encode(f"b{self.last}".encode()).decode()
        return self.integer(int(re.sub(r"\D", "", kind)) // 8, kind[0] == "i")

    def value(self, field, depth):
        kind = field["type"].removeprefix("[]")
        inner = field.get("fields") or self.common.get(kind)
        if not self.full and contains(field.get("nullableVersions", "none"), self.version):
            return None
        if not field["type"].startswith("[]"):
            return self.struct(inner, depth + 1) if inner else self.leaf(kind)
        count = 0 if not self.full else 1 if inner and depth > 0 else 2
        return [self.struct(inner, depth + 1) if inner else self.leaf(kind) for _ in range(count)]

    def struct(self, fields, depth):
        return {
            field["name"][0].lower() + field["name"][1:]: self.value(field, depth)
            for field in fields
            if contains(field["versions"], self.version) and (self.full or "tag" not in field)
        }


def main(directory):
    for name in [line.split()[1] for line in sys.stdin if line.startswith("message ")]:
        with open(f"{directory}/{name}.json", encoding="utf-8") as file:
            schema = json.loads(re.sub(r"^\s*//.*$", "", file.read(), flags=re.MULTILINE))
        common = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
        for version in range(100):
            if not contains(schema["validVersions"], version):
                continue
            for full in (True, False):
                values = Pattern(common, version, full).struct(schema["fields"], 0)
                print(name, version, "full" if full else "least", json.dumps(values), sep="\t")


main(sys.argv[1])
