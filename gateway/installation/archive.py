"""The archive within a backup: each file under its name, and a manifest of where each belongs."""

from __future__ import annotations

import grp
import hashlib
import io
import os
import pwd
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import zstandard

from gateway.installation.backup_contents import Content
from gateway.installation.sealed_file import SealedError, SealedReader

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup.

    Attributes:
        name: In the archive.
        path: Where it lay, absolute.
        kind: ``database`` or ``file``.
        size: Bytes.
        sha256: Of the copy.
        mode: Its rights.
        owner: Name of its owner; empty if it had none.
        group: Of its group.
    """

    name: str
    path: str
    kind: str
    size: int
    sha256: str
    mode: int
    owner: str
    group: str

    def fields(self) -> Mapping[str, object]:
        """Return it as the manifest has it."""
        return asdict(self)

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Entry:
        """Return one of a manifest; raises SealedError for what is none, or would lead out of its place."""
        try:
            found = cls(
                str(fields["name"]), str(fields["path"]), str(fields["kind"]), int(fields["size"]),
                str(fields["sha256"]), int(fields["mode"]) & 0o777, str(fields["owner"]), str(fields["group"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            raise SealedError("the manifest of the backup cannot be read") from None
        path = Path(found.path)
        if not path.is_absolute() or ".." in path.parts or "\0" in found.path:
            raise SealedError(f"the backup has a file that leads nowhere: {found.path}")
        return found


def entry_of(content: Content, there: os.stat_result, kind: str, written: tuple[int, str]) -> Entry:
    """Describe a file of which so many bytes with that sum were written."""
    owner = group = ""
    with suppress(KeyError):
        owner = pwd.getpwuid(there.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(there.st_gid).gr_name
    path = content.path.absolute()
    return Entry(content.name, str(path), kind, *written, there.st_mode & 0o777, owner, group)


def put(archive: tarfile.TarFile, name: str, file: BinaryIO) -> tuple[int, str]:
    """Add what an open file has under a name, and nothing else of it; return how many bytes, and their SHA-256."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = file.seek(0, os.SEEK_END), 0o600
    file.seek(0)
    summed = _Summed(file)
    archive.addfile(info, summed)
    return info.size, summed.digest.hexdigest()


class _Summed(io.RawIOBase):
    """Reads a file, and sums up what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def read_archive(file: BinaryIO, passphrase: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name of each file and what reads it, in order; raises SealedError.

    What was read of a file is what was written; that all of them are there is known at the end alone.
    """
    sealed = io.BufferedReader(SealedReader(file, passphrase), 1 << 20)
    try:
        with (
            zstandard.ZstdDecompressor().stream_reader(sealed, closefd=False) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            for member in archive:
                data = archive.extractfile(member)
                if data is not None:
                    yield member.name, data
            while plain.read(1 << 20):  # to the very end: a file that is cut off says so there
                pass
            while sealed.read(1 << 20):
                pass
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise SealedError(f"the backup cannot be read: {error}") from None
