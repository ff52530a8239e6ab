#!/usr/bin/env python3
"""Writes spec_fields.txt from the schemas in a kafka-clients jar of Kafka 4.2, unpacked: common/message/*.json.

    spec_fields.py DIRECTORY < spec_fields.txt > spec_fields.new

The messages are those that the file given on standard input names. One line per message (versions,
flexible versions) and one per field (path, type, versions, then what applies: null, tag, default, ignorable).
"""
import json
import re
import sys


def snake(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def versions(text):
    return text if "-" in text or "+" in text or text == "none" else f"{text}-{text}"


def default_of(field):
    kind, value = field["type"], field.get("default")
    if kind.startswith("[]") or "fields" in field or kind[0].isupper():
        return "null" if value == "null" else None
    if kind in ("string", "bytes", "records", "uuid"):
        return value or None
    if kind == "bool":
        return str(value or "false").lower()
    if kind == "float64":
        return str(float(value or 0))
    return str(int(str(value or "0"), 0))


def print_fields(message, prefix, fields, common):
    for field in fields:
        if field["versions"] == "none":
            continue
        kind = field["type"].removeprefix("[]")
        inner = field.get("fields") or common.get(kind)
        shown = ("[]" if field["type"].startswith("[]") else "") + ("struct" if inner else kind)
        path = prefix + snake(field["name"])
        line = f"{message} {path} {shown} {versions(field['versions'])}"
        if "nullableVersions" in field:
            line += f" null={versions(field['nullableVersions'])}"
        if "tag" in field:
            line += f" tag={field['tag']}"
        default = default_of(field)
        if default is not None:
            line += f" default={default}"
        if str(field.get("ignorable", False)).lower() == "true":
            line += " ignorable"
        print(line)
        if inner:
            print_fields(message, path + ".", inner, common)


def main(directory):
    names = [line.split()[1] for line in sys.stdin if line.startswith("message ")]
    for name in names:
        with open(f"{directory}/{name}.json", encoding="utf-8") as file:
            schema = json.loads(re.sub(r"^\s*//.*$", "", file.read(), flags=re.MULTILINE))
        common = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
        print(f"message {name} {versions(schema['validVersions'])} {schema['flexibleVersions']}")
        print_fields(name, "", schema["fields"], common)


main(sys.argv[1])
