"""A disk of its own, small enough to be filled by a test: a file system in memory. Needs root; skips without."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PIECES = (1 << 16, 1 << 12, 1)


class SmallDisk:
    """The disk, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def pull(self) -> None:
        """Take it away, as a plug that is pulled does: what is open stays so, and the folder beneath is empty."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def plug(self) -> None:
        """Have it again, with nothing in it."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave not a byte, and no room for another file."""
        with self._filling.open("ab", buffering=0) as file:
            for piece in PIECES:
                with suppress(OSError):
                    while file.write(bytes(piece)):
                        pass
        with suppress(OSError):
            for number in range(1 << 16):
                (self.folder / f"filling-{number}").touch(exist_ok=False)

    def make_room(self) -> None:
        """Take away what filled it."""
        for path in self.folder.glob("filling*"):
            path.unlink()


@contextmanager
def small_disk(folder: Path, *, size: str = "8m", files: int = 256) -> Iterator[SmallDisk]:
    """Have a disk of so many bytes and files at a folder, with what lay there."""
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    folder.mkdir(parents=True, exist_ok=True)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    options = f"size={size},nr_inodes={files},mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    try:
        for path, content in before.items():
            path.write_bytes(content)
        yield SmallDisk(folder)
    finally:
        if folder.is_mount():
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
