"""Small and breakable disks for the tests: a loop-mounted image, and a disk whose power can be cut.

All of it needs root, and the second one FUSE. Whatever was mounted is unmounted when the `with` block ends.
"""

import ctypes
import os
import subprocess
import time

from rig import running


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()}")
    return done.stdout.strip()


def unmount(path, attempts=50):
    for _ in range(attempts):
        if not os.path.ismount(path):
            return
        if subprocess.run(["umount", path], capture_output=True, timeout=60, check=False).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", path], capture_output=True, timeout=60, check=False)


def write_out_unflushed(folder):
    """Hands every file's dirty pages to the disk without a flush, as the kernel does by itself in time."""
    wait_before, write, wait_after = 1, 2, 4
    libc = ctypes.CDLL(None, use_errno=True)
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(place, name), os.O_RDONLY)
            libc.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0),
                                 wait_before | write | wait_after)
            os.close(descriptor)


class SmallDisk:
    """An ext4 or XFS file system of so many MiB in an image file."""

    def __init__(self, folder, mebibytes, kind="ext4"):
        self.image = os.path.join(folder, "small.image")
        self.path = os.path.join(folder, "small")
        self.mebibytes = mebibytes
        self.kind = kind

    def __enter__(self):
        os.makedirs(self.path, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(self.mebibytes << 20)
        run(f"mkfs.{self.kind}", "-q", *(("-F", "-m", "0") if self.kind == "ext4" else ("-f",)), self.image)
        run("mount", "-o", "loop", self.image, self.path)
        return self

    def __exit__(self, *unused):
        unmount(self.path)

    def free_bytes(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


class BreakableDisk:
    """block_device with a file system on it: cut the power, drop or tear what was not flushed."""

    def __init__(self, folder, kind="ext4"):
        self.fuse = os.path.join(folder, "device")
        self.path = os.path.join(folder, "disk")
        self.kind = kind
        self.process = None
        self.loop = None

    def __enter__(self):
        os.makedirs(self.fuse, exist_ok=True)
        os.makedirs(self.path, exist_ok=True)
        self.process = subprocess.Popen([running.program("block_device"), "-f", self.fuse],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.fuse, "control")):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("block_device did not come up: is /dev/fuse there?")
            time.sleep(0.02)
        self._attach()
        run(f"mkfs.{self.kind}", "-q", *(("-F",) if self.kind == "ext4" else ("-f",)), self.loop)
        run("mount", self.loop, self.path)
        return self

    def __exit__(self, *unused):
        """File system, loop device, FUSE: any other order finds the next one busy."""
        try:
            self.command("cut 0")
        except OSError:
            pass
        unmount(self.path)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], capture_output=True, timeout=30, check=False)
        subprocess.run(["fusermount3", "-u", self.fuse], capture_output=True, timeout=30, check=False)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _attach(self):
        self.loop = run("losetup", "--show", "-f", os.path.join(self.fuse, "disk"))

    def command(self, text):
        with open(os.path.join(self.fuse, "control"), "w", encoding="ascii") as control:
            control.write(text)

    def counters(self):
        with open(os.path.join(self.fuse, "control"), encoding="ascii") as control:
            words = control.read().split()
        return {name: int(value) for name, value in zip(words[::2], words[1::2])}

    def lose_power(self, how, seed):
        """The moment of the cut: nothing that was not flushed is safe from here on. Stop writers first."""
        self.command("cut 1")
        self.command(f"{how} {seed}")

    def come_back(self):
        """After the writers were killed: the file system is mounted again from what the disk kept."""
        unmount(self.path)
        run("losetup", "-d", self.loop)
        self.command("cut 0")
        self._attach()
        run("mount", self.loop, self.path)


def missing():
    """Why such disks cannot be made here, or None."""
    if os.geteuid() != 0:
        return "it takes root to mount"
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing"
    return None
