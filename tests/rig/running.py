"""What every script of tests/system shares: its options, its scratch folder, its broker, its ending."""

import argparse
import os
import shutil
import sys
import tempfile

from rig import brokers, kafka_jars, report as reports

PRESETS = ("release", "dev", "asan", "tsan")


def parser(description):
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--binary", default=os.path.join(kafka_jars.ROOT, "build/release/millrace"))
    options.add_argument("--system", choices=("millrace", "kafka"), default="millrace",
                         help="kafka shows that the test itself is sound")
    options.add_argument("--override", action="append", default=[], metavar="KEY=VALUE",
                         help="one more setting for the broker")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--scratch", help="parent of the scratch folder")
    options.add_argument("--keep", action="store_true", help="keep the scratch folder")
    reports.add_report_options(options)
    return options


def program(name):
    """A program of tests/system in the newest build folder that has it."""
    found = [os.path.join(kafka_jars.ROOT, "build", preset, "tests", "system", name) for preset in PRESETS]
    found = [path for path in found if os.path.exists(path)]
    if not found:
        raise RuntimeError(f"{name} is not built: ninja -C build/release {name}")
    return max(found, key=os.path.getmtime)


class Run:
    """One script's run: options, report, scratch folder."""

    def __init__(self, options, scratch):
        self.options = options
        self.scratch = scratch
        self.report = reports.Report(options.only)

    def open(self, overrides=None, folder=None, **keywords):
        """A broker, not yet started. `overrides` apply to Millrace, and to Kafka where it knows them."""
        settings = dict(overrides or {})
        if self.options.system == "kafka":
            settings = {key: value for key, value in settings.items() if not key.startswith("millrace.")}
        settings.update(pair.split("=", 1) for pair in self.options.override)
        return brokers.open_broker(self.options.system, folder or os.path.join(self.scratch, "broker"),
                                   self.options.binary, settings, **keywords)

    def topic_configs(self, durability, **more):
        configs = dict(more)
        if self.options.system == "millrace":
            configs["millrace.durability"] = durability
        return configs


def main(options, body):
    """Calls body(run), reports, removes the scratch folder, ends the process."""
    scratch = tempfile.mkdtemp(prefix="millrace-system-", dir=options.scratch)
    run = Run(options, scratch)
    try:
        body(run)
    except Exception as error:  # the closing line is printed whatever happens
        run.report.failed("script/ends", f"{type(error).__name__}: {error}")
    finally:
        if options.keep:
            print(f"kept {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(run.report.close(options.json, {"system": options.system}))
