"""A program whose wall clock is moved from outside: ``python -m tests.faults.stepped FILE MODULE [ARGUMENTS]``.

The file holds microseconds to add to the machine's own wall clock, a signed 64-bit number; it may change at any time
(`move`). The monotonic clocks are left alone, as the kernel does when the wall clock is set. What OpenSSL and SQLite
ask the kernel themselves is not moved: the product asks them for no time.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

OFFSET = struct.Struct("<q")
MICRO = 1_000_000


def move(path: Path, seconds: float) -> None:
    """Let the wall clock of whoever looks at the file be off by so many seconds, from now on."""
    if not path.exists():
        path.write_bytes(bytes(OFFSET.size))
    with path.open("r+b") as file:
        file.write(OFFSET.pack(round(seconds * MICRO)))


def main() -> None:
    """Move the clock, then become the module."""
    path, name = sys.argv[1:3]
    with Path(path).open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, prot=mmap.PROT_READ)
    true_ns = time.time_ns

    def time_ns() -> int:
        (off_us,) = OFFSET.unpack(offset[:])
        return true_ns() + int(off_us) * 1000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    sys.argv = sys.argv[2:]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
