"""A bundle comes to a gateway: from a share, or part by part over the link; only what the plan's sums say is kept."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gateway.fleet.plan import PART_BYTES, Bundle

SHARE_S = 30.0
"""For a web server to say something."""
KEEP_FREE = 256 << 20
"""Bytes of the disk that a bundle leaves: measurements go before upgrades."""
TRIES = 10
"""For one part, each as long as `agent.PART_S`: five minutes of a broker or a desk that is away."""

AskPart = Callable[[Bundle, int], bytes | None]
"""Asks for a part of a bundle; None where none came in time."""


class FetchError(Exception):
    """Why a bundle is not there."""


def fetch(bundle: Bundle, folder: Path, share: str | None, ask: AskPart, on_part: Callable[[int], None]) -> Path:
    """Return the bundle's file, whole and with the right sums; raises FetchError.

    What was fetched before an interruption is not fetched again.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / bundle.file
    if file.is_file() and sum_of(file) == bundle.sha256:
        return file
    for other in folder.iterdir():  # of earlier roll-outs: one bundle is kept
        if other.name not in (bundle.file, f"{bundle.sha256}.part"):
            other.unlink()
    if shutil.disk_usage(folder).free - bundle.size < KEEP_FREE:
        raise FetchError(f"there is no room for its {bundle.size} bytes: free some of this disk")
    partial = folder / f"{bundle.sha256}.part"
    with partial.open("r+b" if partial.exists() else "w+b") as target:
        have = _good_parts(target, bundle)
        target.truncate(min(have * PART_BYTES, bundle.size))
        target.seek(have * PART_BYTES)
        if not (share and _from_share(share, bundle, have, target, on_part)):
            _over_link(bundle, target, ask, on_part)
        target.flush()
        os.fsync(target.fileno())
    if sum_of(partial) != bundle.sha256:
        partial.unlink()
        raise FetchError("what was fetched is not what was signed")
    partial.replace(file)
    return file


def sum_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _good_parts(target: BinaryIO, bundle: Bundle) -> int:
    """Return how many parts an earlier try has left that are as they should be."""
    target.seek(0)
    for number, wanted in enumerate(bundle.parts):
        if hashlib.sha256(target.read(PART_BYTES)).hexdigest() != wanted:
            return number
    return len(bundle.parts)


def _from_share(share: str, bundle: Bundle, have: int, target: BinaryIO, on_part: Callable[[int], None]) -> bool:
    """Read from a share; False where it is not there. What is there and is not what was signed is an error."""
    try:
        with _opened(f"{share.rstrip('/')}/{bundle.file}") as source:
            for number, wanted in enumerate(bundle.parts):
                part = source.read(PART_BYTES)
                if hashlib.sha256(part).hexdigest() != wanted:
                    raise FetchError(f"the file on the share is not what was signed (part {number + 1})")
                if number >= have:
                    target.write(part)
                on_part(number + 1)
    except (OSError, http.client.HTTPException):  # what answers there may be no web server
        target.truncate(min(have * PART_BYTES, bundle.size))
        target.seek(have * PART_BYTES)
        return False
    return True


def _opened(place: str) -> BinaryIO:
    if place.startswith("https://"):
        answer: BinaryIO = urllib.request.urlopen(place, timeout=SHARE_S)  # noqa: S310 - https, as the settings see to
        return answer
    return Path(place).open("rb")


def _over_link(bundle: Bundle, target: BinaryIO, ask: AskPart, on_part: Callable[[int], None]) -> None:
    for number in range(target.tell() // PART_BYTES, len(bundle.parts)):
        part = next((part for _ in range(TRIES) if (part := ask(bundle, number)) is not None), None)
        if part is None:
            raise FetchError(f"part {number + 1} of {len(bundle.parts)} did not come: is the fleet's desk running?")
        if hashlib.sha256(part).hexdigest() != bundle.parts[number]:
            raise FetchError(f"part {number + 1} of {len(bundle.parts)} is not what was signed")
        target.write(part)
        on_part(number + 1)
