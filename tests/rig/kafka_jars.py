"""Fetches Apache Kafka's jars by Maven into the cache and runs its classes.

The cache is `.cache/` in the checkout unless MILLRACE_CACHE names another folder.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KAFKA_FOLDER = os.path.join(ROOT, "tests", "compat", "kafka")
POM = os.path.join(KAFKA_FOLDER, "pom.xml")
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
# Web servers that only Kafka Connect needs; fewer jars make every tool start faster.
LEFT_OUT_GROUPS = (
    "org.eclipse.jetty,org.eclipse.jetty.ee10,org.glassfish.jersey.core,"
    "org.glassfish.jersey.containers,org.glassfish.jersey.inject,org.glassfish.hk2,"
    "org.glassfish.hk2.external"
)

TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-dump-log": "kafka.tools.DumpLogSegments",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-server-start": "kafka.Kafka",
}

# What kafka-server-start.sh gives the broker.
BROKER_JVM = [
    "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true",
]
# Tools live for a second or two: the quick compiler, the small collector, the shared class archive.
TOOL_JVM = [
    "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m",
    "-Djava.awt.headless=true",
]


def cache_folder():
    return os.path.abspath(os.environ.get("MILLRACE_CACHE") or os.path.join(ROOT, ".cache"))


@contextlib.contextmanager
def only_one_in(folder):
    """Makes `folder` and lets one process at a time fill it."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kafka_version():
    with open(POM, encoding="utf-8") as pom:
        return re.search(r"<kafka.version>(.*?)</kafka.version>", pom.read()).group(1)


def libs_folder():
    """The folder of jars, fetched first if it is not complete. Safe to call from several processes."""
    with open(POM, "rb") as pom:
        digest = hashlib.sha256(pom.read() + LEFT_OUT_GROUPS.encode()).hexdigest()[:12]
    folder = os.path.join(cache_folder(), f"kafka-{kafka_version()}-{digest}")
    complete = os.path.join(folder, "complete")
    if os.path.exists(complete):
        return os.path.join(folder, "libs")
    with only_one_in(folder):
        if not os.path.exists(complete):
            _fetch(os.path.join(folder, "libs"))
            with open(complete, "w", encoding="utf-8") as mark:
                mark.write("ok\n")
    return os.path.join(folder, "libs")


def _fetch(libs):
    if not shutil.which("mvn"):
        raise RuntimeError("Maven is missing: install the Debian packages maven and "
                           "openjdk-17-jdk-headless (packaging/dependencies.sh test)")
    shutil.rmtree(libs, ignore_errors=True)
    command = ["mvn", "-B", "-q", "-f", POM, COPY_GOAL, f"-DoutputDirectory={libs}",
               "-DincludeScope=runtime", f"-DexcludeGroupIds={LEFT_OUT_GROUPS}"]
    for attempt in range(3):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode == 0:
            return
    raise RuntimeError("Maven could not fetch Apache Kafka: " + (done.stdout + done.stderr)[-2000:])


def classpath():
    return os.path.join(libs_folder(), "*")


def command_for(tool, arguments, jvm=None, log_level="WARN"):
    """The argument vector that runs `tool` (a key of TOOLS, or a class name)."""
    flags = jvm
    if flags is None:
        flags = BROKER_JVM if tool == "kafka-server-start" else TOOL_JVM
    return _java(flags, classpath(), TOOLS.get(tool, tool), arguments, log_level)


def command_for_source(source, arguments, log_level="WARN"):
    """The argument vector that runs the program in one Java source file."""
    name = os.path.splitext(os.path.basename(source))[0]
    return _java(TOOL_JVM, compile_java(source), name, arguments, log_level)


def _java(flags, path, name, arguments, log_level):
    logging = "file:" + os.path.join(KAFKA_FOLDER, "log4j2.properties")
    return ["java", *flags, f"-Dlog4j2.configurationFile={logging}", f"-Drig.log.level={log_level}", "-cp", path, name,
            *arguments]


def run_tool(tool, arguments, timeout=60, **keywords):
    """Runs a tool to its end. Returns the CompletedProcess with text output."""
    return subprocess.run(command_for(tool, arguments), capture_output=True, text=True,
                          timeout=timeout, check=False, **keywords)


def compile_java(source):
    """Compiles a Java source file, and what it uses of its folder, against the jars; returns the class path to run it with."""
    folder = os.path.dirname(source)
    digest = hashlib.sha256(kafka_version().encode())
    for path in sorted(glob.glob(os.path.join(folder, "*.java"))):
        with open(path, "rb") as text:
            digest.update(text.read())
    digest = digest.hexdigest()[:12]
    name = os.path.splitext(os.path.basename(source))[0]
    out = os.path.join(cache_folder(), "java", f"{name}-{digest}")
    complete = os.path.join(out, "complete")
    jars = classpath()
    with only_one_in(out):
        if not os.path.exists(complete):
            subprocess.run(["javac", "-nowarn", "-cp", jars, "-sourcepath", folder, "-d", out, source], check=True,
                           timeout=180)
            with open(complete, "w", encoding="utf-8") as mark:
                mark.write("ok\n")
    return out + os.pathsep + jars
