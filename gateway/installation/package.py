"""A Debian package of ours: what it says of itself, and its environment laid beside those that are here."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.installation.errors import RefusedError
from gateway.installation.versions import NAME, VERSION, Versions
from gateway.machine import durable
from gateway.machine.full_disk import FULL

UNPACKING = ".unpacking"
KIB = 1024
FOLDER_MODE = 0o755
MB = 2**20
PAUSES_S = (5.0, 15.0, 40.0)
"""Before a package is read on whose stick was pulled out: a minute for a hand."""
OURS = FULL | {errno.EFBIG}
"""What is wrong with this machine's disk, and not with the stick."""
INSIDE = f"./opt/{NAME}"
"""Where the environments are in a package: this folder, and one below it for the version."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package.

    Attributes:
        path: The file.
        version: Of the product, without what Debian adds.
        size: Bytes that it takes when it is unpacked.
    """

    path: Path
    version: str
    size: int


def read_package(path: Path) -> Package:
    """Return what a file says of itself; raises RefusedError where it is no package of ours for this machine."""
    if shutil.which("dpkg-deb") is None:
        raise RefusedError("there is no dpkg-deb here: packages are for Debian")
    done = subprocess.run(
        ["dpkg-deb", "--field", str(path), "Package", "Version", "Architecture", "Installed-Size"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    fields = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    if done.returncode or not fields:
        raise RefusedError(f"{path} is no Debian package: {done.stderr.strip()}")
    if fields.get("Package") != NAME:
        raise RefusedError(f"{path} is the package of {fields.get('Package')}, not of {NAME}")
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
    if fields.get("Architecture") not in {machine.strip(), "all"}:
        raise RefusedError(f"{path} is for {fields.get('Architecture')}, and this machine is {machine.strip()}")
    version = fields.get("Version", "").partition("+deb")[0]
    if not VERSION.fullmatch(version):
        raise RefusedError(f"{path} has no version that is one: {fields.get('Version')!r}")
    size = fields.get("Installed-Size", "0")
    if not (size.isascii() and size.isdigit()):
        raise RefusedError(f"{path} does not say how much room it takes: {size!r}")
    return Package(path, version, int(size) * KIB)


def bring(file: Path, mine: Path, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep) -> None:
    """Copy a package from a stick or a share, and read on where that was cut off; raises RefusedError."""
    size, pauses = file.stat().st_size, iter(PAUSES_S)
    with mine.open("wb") as copy:
        while copy.tell() < size:
            try:
                with file.open("rb") as source:
                    source.seek(copy.tell())
                    shutil.copyfileobj(source, copy)
                if copy.tell() < size:
                    raise OSError(errno.EIO, "it ends too early")  # noqa: TRY301 - as any other end of it
            except OSError as error:
                if error.errno in OURS:
                    raise
                came = f"{file} was cut off after {copy.tell() // MB} of {size // MB} MB ({error.strerror})"
                seconds = next(pauses, None)
                if seconds is None:
                    raise RefusedError(f"{came}: see to the stick or the share, and call this again") from error
                say(f"  {came}: plug it in, or mount it; read on in {seconds:.0f} s")
                pause(seconds)


def unpack(package: Package, versions: Versions) -> None:
    """Lay the environment of a package beside the others, whole or not at all; raises RefusedError, OSError.

    The package manager is not asked: it would take the version before away.
    """
    part = versions.home / UNPACKING
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    part.chmod(FOLDER_MODE)  # whatever the umask is: the services are another user's
    inside = f"{INSIDE}/{package.version}"
    read = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package.path)], stdout=subprocess.PIPE)
    done = subprocess.run(
        ["tar", "--extract", "--preserve-permissions", "--directory", str(part),
         f"--strip-components={inside.count('/') + 1}", inside],
        stdin=read.stdout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert read.stdout
    read.stdout.close()
    if read.wait() or done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        raise RefusedError(f"{package.path} cannot be unpacked: {done.stderr.strip() or 'it ends too early'}")
    if not (part / "bin" / NAME).is_file():
        shutil.rmtree(part, ignore_errors=True)
        raise RefusedError(f"{package.path} has no program in it: {inside}/bin/{NAME}")
    os.sync()  # some ten thousand files: all of them are there before the name is
    durable.remove_tree(versions.folder(package.version))
    part.rename(versions.folder(package.version))
    durable.flush_folder(versions.home)
