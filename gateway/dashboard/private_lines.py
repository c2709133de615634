"""Files of the dashboard that only their owner may read: a line of JSON each, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from config import plain_file
from gateway.model.usage import UsageError

LARGEST_BYTES = 1_000_000
READERS = 0o640
BOM = b"\xef\xbb\xbf"  # what editors on Windows put before UTF-8

Stamp = tuple[int, int, int] | None
"""Differs when a file does; None where there is none."""


def read(path: Path, holds: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the number of each line and what it says, None where that is no object; raises UsageError.

    Args:
        path: The file.
        holds: What it holds, for the sentences: ``users``. No word of what stands in it is in them.
    """
    try:
        found = plain_file.look(path)
        data = plain_file.read(path, LARGEST_BYTES)
        if len(data) > LARGEST_BYTES:
            raise UsageError(f"{path} is too large to be a file of {holds}.")
        lines = data.removeprefix(BOM).splitlines()
    except plain_file.NoFileError:
        raise UsageError(f"The {holds} file {path} {plain_file.NO_FILE}.") from None
    except OSError as error:
        raise UsageError(f"The {holds} file {path} cannot be read: {error.strerror}.") from None
    if found.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(f"{path} is open to others: 'chmod 600' it, so that nobody can try what is in it.")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file, whole or not at all; only its owner may read it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(orjson.dumps(row) + b"\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # root makes it for the service, whose folder it is
            there = path.stat() if path.exists() else path.parent.stat()
            os.chown(name, there.st_uid, there.st_gid)
            if path.exists():  # a folder of root's whose group reads it: the service is in that group
                Path(name).chmod(there.st_mode & READERS)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def stamp(path: Path) -> Stamp:
    """Return what tells whether a file has changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
