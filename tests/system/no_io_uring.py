#!/usr/bin/env python3
"""Runs the broker where io_uring is forbidden: it says so, and real clients notice no difference."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import kafka_jars, running  # noqa: E402


def says_why(broker):
    lines = broker.logged("io_uring")
    assert lines, "no line of the log names io_uring:\n" + broker.log_tail()
    whole = " ".join(lines)
    assert re.search(r"epoll|thread pool|posix", whole, re.I), f"the backend in use is not named: {whole}"
    assert re.search(r"EPERM|not permitted|forbid|denied|refused", whole, re.I), f"no reason is given: {whole}"
    return lines[0].strip()[:200]


def body(run):
    launcher = [running.program("deny_io_uring")]
    denied = subprocess.run([*launcher, "python3", "-c",
                             "import ctypes,os; libc=ctypes.CDLL(None,use_errno=True);"
                             "r=libc.syscall(425,8,0); print(r, ctypes.get_errno())"],
                            capture_output=True, text=True, timeout=20, check=False)
    run.report.equal("io_uring_is_forbidden", denied.stdout.strip(), "-1 1")
    with run.open(launcher=launcher) as broker:
        broker.start()
        run.report.run("says_backend_and_why", says_why, broker)
        suite = os.path.join(kafka_jars.ROOT, "tests", "compat", "suite.py")
        done = subprocess.run([sys.executable, suite, "--bootstrap", broker.bootstrap, "--system", "millrace",
                               "--parts", "traps,kcat,librdkafka"], capture_output=True, text=True,
                              timeout=300, check=False)
        run.report.adopt("clients", done.stdout, done.returncode)
        code = broker.stop()
        run.report.expect("stops_cleanly", code == 0, f"exit code {code}")


if __name__ == "__main__":
    running.main(running.parser(__doc__).parse_args(), body)
