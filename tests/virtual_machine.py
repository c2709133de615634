"""What tests need to boot a virtual machine: its programs, a kernel of Debian, and an initial file system.

Needs ``qemu-system-x86_64`` (its processor is emulated), a static ``busybox`` and, for a disk, ``mke2fs``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "mke2fs": "e2fsprogs"}
"""And the packages that have them."""
CPIO_MAGIC = "070701"
ROOT_MODULES = (
    "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
    "netfs", "fscache", "9pnet", "9pnet_virtio", "9p", "crc16", "crc32c_generic", "mbcache", "jbd2", "ext4",
)  # fmt: skip
"""For the host's files over 9p and a disk of the machine's own, in the order in which they need each other."""


def need_programs(*programs: str) -> None:
    """Skip where a program is missing."""
    path = with_sbin()["PATH"]
    for program in programs or PROGRAMS:
        if shutil.which(program, path=path) is None:
            pytest.skip(f"needs {program}: apt install {PROGRAMS.get(program, program)}")


def find_kernel(folder: Path) -> Path:
    """Return a folder with a kernel and its modules: the one that is named, or Debian's, downloaded and unpacked."""
    if named := os.environ.get("FAULTS_KERNEL"):
        return Path(named)
    if shutil.which("apt-get") is None:
        pytest.skip("needs a kernel: set FAULTS_KERNEL, or run it on Debian")
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=False)
    names = [line.split()[-1] for line in depends.stdout.splitlines() if "linux-image-" in line and "Depends" in line]
    for name in names[:1]:
        if unpacked := download(name, folder):
            return unpacked
    pytest.skip("needs a kernel: apt-get download linux-image-amd64 does not work here; set FAULTS_KERNEL")


def download(package: str, folder: Path) -> Path | None:
    """Return a folder with the files of a package of this Debian; None where it cannot be had."""
    unpacked = folder / package
    if not unpacked.exists():
        done = subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, check=False)
        found = list(folder.glob(f"{package}_*.deb"))
        if done.returncode or not found:
            return None
        subprocess.run(["dpkg", "-x", str(found[0]), str(unpacked)], check=True)
    return unpacked


def in_order(kernel: Path, names: Iterable[str]) -> list[Path]:
    """Return the files of modules of a kernel, each after those that it needs; what is built in is left out."""
    files = {path.stem.replace("-", "_"): path for path in kernel.rglob("*.ko")}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in ordered or name not in files:
            return
        content = files[name].read_bytes()
        start = content.index(b"\0depends=") + len(b"\0depends=")  # a module's ".modinfo" has strings between zeros
        for needed in content[start : content.index(b"\0", start)].decode().split(","):
            add(needed.replace("-", "_"))
        ordered[name] = files[name]

    for name in names:
        add(name.replace("-", "_"))
    return list(ordered.values())


def initrd(init: str, modules: Iterable[Path], folders: Iterable[str]) -> bytes:
    """Return an initial file system in the "newc" format: busybox, modules, folders, and what to do (``/init``)."""
    busybox = shutil.which("busybox", path=with_sbin()["PATH"])
    assert busybox
    files: dict[str, bytes | None] = dict.fromkeys(("bin", "dev", "modules", "proc", *folders))
    files |= {"init": init.encode(), "bin/busybox": Path(busybox).read_bytes()}
    return _newc(files | {f"modules/{path.name}": path.read_bytes() for path in modules})


def _newc(files: Mapping[str, bytes | None]) -> bytes:
    """Return an archive of files, and of folders (None)."""
    data = bytearray()
    for number, (name, content) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        mode = 0o040755 if content is None else 0o100755
        body = content or b""
        numbers = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0)
        data += (CPIO_MAGIC + "".join(f"{value:08x}" for value in numbers) + name).encode() + b"\0"
        data += bytes(-len(data) % 4) + body
        data += bytes(-len(data) % 4)
    return bytes(data)


def with_sbin() -> dict[str, str]:
    """Return the environment with the folders where Debian puts what is for the administrator."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
