"""A file that a newer version of this program wrote: it is left as it is, never called damaged and never set aside."""

from __future__ import annotations

from pathlib import Path

import orjson

NEWER = 3
"""Exit status: a file of the gateway is of a newer version than this program. Trying again changes nothing."""
CREDIBLE = 1000
"""Versions ahead that a newer program may be. What is beyond is no version but a spoilt number."""


class NewerFileError(Exception):
    """A file is newer than this program; nothing of it was changed."""

    advice = (
        "Start the newer version again ('rehab-gateway versions' lists those that are here); what it has kept of before"
        " stands in the folder before-upgrade of the data folder."
    )

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(
            f"{path} is of version {version}, which a newer rehab-gateway wrote; this one knows those up to {known},"
            " and leaves it as it is"
        )


def refuse_newer(path: Path, version: int, known: int) -> None:
    """Raise NewerFileError where a file is of a version that a later program may have written."""
    if known < version <= known + CREDIBLE:
        raise NewerFileError(path, version, known)


def is_newer(path: Path, key: str, known: int) -> bool:
    """Whether a file of JSON says under ``key`` that it is of a version beyond those that are known."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    version = found.get(key) if isinstance(found, dict) else None
    return type(version) is int and known < version <= known + CREDIBLE
