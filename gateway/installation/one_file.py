"""A signed package as one file, as a roll-out sends it: a tar of the package, its list of sums and who signed that."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path

from gateway.installation.errors import RefusedError
from gateway.installation.signature import LARGEST_BYTES, SIGNATURE, SUMS
from gateway.machine.ownership import acting_as_who_typed

SUFFIX = ".bundle"
BESIDE = ".signed"
"""Where the list and the signatures lie meanwhile, in the folder of the versions."""
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}\.deb")


def is_one_file(path: Path) -> bool:
    """Whether a file is such a tar; a package is an archive of another kind."""
    return path.is_file() and tarfile.is_tarfile(path)


def pack(package: Path, out: Path) -> Path:
    """Make one file of a package and what lies beside it; return it. Raises RefusedError, OSError."""
    members = (package.parent / SUMS, package.parent / SIGNATURE, package)
    for path in members:
        with acting_as_who_typed():
            there = path.is_file()
        if not there:
            raise RefusedError(f"there is no {path}: gateways take what is signed ('make package SIGNING_KEY=FILE')")
    part = out.with_name(f".{out.name}.part")
    try:
        with tarfile.open(part, "w:", format=tarfile.PAX_FORMAT) as archive:
            for path in members:
                info = tarfile.TarInfo(path.name)  # nothing of this machine: the same files give the same bytes
                with acting_as_who_typed():
                    file = path.open("rb")
                with file:
                    info.size = os.fstat(file.fileno()).st_size
                    archive.addfile(info, file)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out


def take_apart(file: Path, package: Path, beside: Path) -> Path:
    """Write the package of such a file to a place, and list and signatures to a folder.

    Args:
        file: The tar: somebody's, until its signature is checked.
        package: Where the package comes to lie.
        beside: A folder, made anew.

    Returns:
        Under which name the list of sums has the package, in that folder.

    Raises:
        RefusedError: It is not one of ours, ends too early, or has more in it than it has bytes: a tar may say of a
            few of them that they are a gigabyte of nothing.
    """
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    names: list[str] = []
    try:
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                target = _target(member, package, beside) if member.size <= file.stat().st_size else None
                if target is None or member.name in names or len(names) == 3:
                    raise RefusedError(f"{file} has something in it that is no part of an upgrade: {member.name!r}")
                names.append(member.name)
                source = archive.extractfile(member)
                assert source is not None  # of a regular file there is one
                with source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (tarfile.TarError, EOFError) as error:
        raise RefusedError(f"{file} cannot be read to its end: {error}") from error
    found = [name for name in names if PACKAGE.fullmatch(name)]
    if len(found) != 1 or SUMS not in names:
        raise RefusedError(f"{file} is no signed package: it has {', '.join(names) or 'nothing'} in it")
    return beside / found[0]


def _target(member: tarfile.TarInfo, package: Path, beside: Path) -> Path | None:
    """Return where a member goes; None for what belongs nowhere."""
    if not member.isreg():
        return None
    if member.name in (SUMS, SIGNATURE):
        return beside / member.name if member.size <= LARGEST_BYTES else None
    return package if PACKAGE.fullmatch(member.name) else None
