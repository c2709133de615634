"""A Debian package of ours: what it says of itself, and its environment laid beside those that are here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.installation.errors import RefusedError
from gateway.installation.versions import NAME, VERSION, Versions
from gateway.machine import durable

UNPACKING = ".unpacking"
KIB = 1024
FOLDER_MODE = 0o755
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
