"""Installs confluent-kafka, librdkafka's Python client, by pip into the cache (see kafka_jars) once."""

import os
import shutil
import subprocess
import sys

from rig import kafka_jars

REQUIREMENTS = os.path.join(kafka_jars.ROOT, "tests", "compat", "confluent", "requirements.txt")


def confluent_kafka():
    """The folder to put on PYTHONPATH. Safe to call from several processes."""
    with open(REQUIREMENTS, encoding="utf-8") as text:
        wanted = text.read().strip()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = os.path.join(kafka_jars.cache_folder(), f"{wanted.replace('==', '-')}-python{python}")
    complete = os.path.join(folder, "complete")
    packages = os.path.join(folder, "packages")
    if os.path.exists(complete):
        return packages
    with kafka_jars.only_one_in(folder):
        if not os.path.exists(complete):
            _install(packages)
            with open(complete, "w", encoding="utf-8") as mark:
                mark.write("ok\n")
    return packages


def environment():
    """This process's environment, with the package to be found."""
    return dict(os.environ, PYTHONPATH=confluent_kafka(), PYTHONDONTWRITEBYTECODE="1")


def _install(packages):
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, timeout=60,
                      check=False).returncode != 0:
        raise RuntimeError("pip is missing: install the Debian package python3-pip "
                           "(packaging/dependencies.sh test)")
    shutil.rmtree(packages, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--only-binary", ":all:", "--target", packages, "-r", REQUIREMENTS]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return
    raise RuntimeError("pip could not install confluent-kafka: " + (done.stdout + done.stderr)[-1000:])
