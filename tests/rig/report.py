"""Counts checks, prints one line for each, and closes with the line `N passed, N failed`.

Every script under tests/compat and tests/system reports through this, so that runs against two
systems can be compared line by line (tests/compat/diff.py).
"""

import json
import sys
import time
import traceback


class Report:
    """The checks of one run. Single-threaded; close() is called once, last."""

    def __init__(self, only=None):
        self.only = only or []
        self.checks = []
        self.started = time.monotonic()

    def wanted(self, name):
        """True if --only names this check or a part of it."""
        return not self.only or any(part in name for part in self.only)

    def ok(self, name, note=""):
        self._add(name, True, note)

    def failed(self, name, why):
        self._add(name, False, shortened(" ".join(str(why).split())) or "no reason given")

    def expect(self, name, condition, why):
        """ok if condition holds, else failed with `why`."""
        if condition:
            self.ok(name)
        else:
            self.failed(name, why)
        return bool(condition)

    def equal(self, name, got, wanted):
        return self.expect(name, got == wanted, f"got {short(got)}, wanted {short(wanted)}")

    def run(self, name, function, *arguments):
        """Calls function; whatever it raises is the check's failure. Skipped where --only says so."""
        if not self.wanted(name):
            return None
        try:
            result = function(*arguments)
        except Exception as error:  # a check may fail in any way, the run goes on
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.failed(name, f"{type(error).__name__}: {error} ({where.name}:{where.lineno})")
            return None
        self.ok(name, result if isinstance(result, str) else "")
        return result

    def adopt(self, prefix, output, exit_code, skip_unwanted=True):
        """Takes over the `ok NAME` / `FAILED NAME: why` lines that another program printed."""
        seen = 0
        for line in output.splitlines():
            if line.startswith("ok "):
                name, _, note = line[3:].partition(" # ")
                seen += 1
                if not skip_unwanted or self.wanted(f"{prefix}/{name}"):
                    self.ok(f"{prefix}/{name}", note)
            elif line.startswith("FAILED "):
                name, _, why = line[7:].partition(": ")
                seen += 1
                if not skip_unwanted or self.wanted(f"{prefix}/{name}"):
                    self.failed(f"{prefix}/{name}", why)
        if exit_code not in (0, 1) or seen == 0:
            tail = " | ".join(output.strip().splitlines()[-5:])
            self.failed(f"{prefix}/ends", f"exit code {exit_code}, {seen} checks, last lines: {tail}")

    def close(self, json_path=None, about=None):
        """Prints the closing line, writes JSON if asked, returns the process's exit code."""
        passed = sum(1 for check in self.checks if check["ok"])
        failed = len(self.checks) - passed
        if json_path:
            with open(json_path, "w", encoding="utf-8") as out:
                json.dump(
                    {
                        "about": about or {},
                        "seconds": round(time.monotonic() - self.started, 1),
                        "checks": self.checks,
                    },
                    out,
                    indent=1,
                )
        print(f"{passed} passed, {failed} failed", flush=True)
        return 0 if failed == 0 and passed > 0 else 1

    def _add(self, name, good, note):
        self.checks.append({"name": name, "ok": good, "note": note})
        if good:
            print(f"ok {name}" + (f" # {note}" if note else ""), flush=True)
        else:
            print(f"FAILED {name}: {note}", flush=True)


def shortened(text, limit=1200):
    """Both ends of a text: the end of a log says why."""
    return text if len(text) <= limit else text[:limit // 4] + " ... " + text[-limit * 3 // 4:]


def short(value, limit=200):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."


def add_report_options(parser):
    parser.add_argument("--only", action="append", help="run only checks whose name contains this")
    parser.add_argument("--json", help="write the checks as JSON to this file")


if __name__ == "__main__":
    sys.exit("report.py is a module")
