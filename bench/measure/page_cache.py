"""The page cache before a measurement."""

import os

ENOUGH_FREE_BYTES = 1 << 29
PIECE_BYTES = 1 << 20
PIECES = 128  # between two looks at what is free
PASSES = 3


def fill(folder):
    """Fills the memory with pages of a file that has no blocks, clean and ready to be taken back, as the page cache of a machine is
    that has stored and served for an hour. Without it a system pays for memory that the machine has never used or has
    given back: a virtual machine gets such a page from its host at the first touch, for 7 us where this was written,
    which is more than the broker's whole work on 4 KiB of records. Whom that hits depends on who ran before."""
    path = os.path.join(folder, "page-cache")
    piece = bytearray(PIECE_BYTES)
    with open(path, "a+b", buffering=0) as file:
        file.truncate(memory_bytes("MemTotal"))
        for _ in range(PASSES):
            file.seek(0)
            while memory_bytes("MemFree") > ENOUGH_FREE_BYTES:
                if sum(file.readinto(piece) for _ in range(PIECES)) == 0:
                    break
            else:
                return


def memory_bytes(name):
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
