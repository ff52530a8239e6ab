#!/usr/bin/env python3
"""Compares two runs of suite.py: diff.py REFERENCE.json OTHER.json. Exit code 1 where they differ."""

import json
import sys


def load(path):
    with open(path, encoding="utf-8") as text:
        run = json.load(text)
    return run["about"].get("system", path), {check["name"]: check for check in run["checks"]}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    (left_name, left), (right_name, right) = load(sys.argv[1]), load(sys.argv[2])
    different = 0
    for name in sorted(set(left) | set(right)):
        a, b = left.get(name), right.get(name)
        if a and b and a["ok"] == b["ok"]:
            continue
        different += 1
        for system, check in ((left_name, a), (right_name, b)):
            state = "absent" if check is None else "ok" if check["ok"] else f"FAILED: {check['note']}"
            print(f"{name}: {system} {state}")
    print(f"{len(set(left) & set(right))} checks in both, {different} differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
