"""A bundle comes to a gateway: from a share, or part by part over the link; only what the plan's sums say is kept."""

from __future__ import annotations

import hashlib
import http
import http.client
import os
import shutil
import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gateway.fleet.plan import PART_BYTES, Bundle
from gateway.machine.file_sum import sum_of_file

SHARE_S = 30.0
"""For a web server to say something."""
KEEP_FREE = 256 << 20
"""Bytes of the disk that a bundle leaves: measurements go before upgrades."""
TRIES = 10
"""For one part, each as long as `agent.PART_S`: five minutes of a broker or a desk that is away."""

SHARE_PAUSES_S = (2.0, 10.0, 30.0)
"""Before a share that was cut off in the middle is read on; after the last, the rest comes over the link."""

AskPart = Callable[[Bundle, int], bytes | None]
"""Asks for a part of a bundle; None where none came in time. Raises EndedError."""
Pause = Callable[[str, float], None]
"""Says why, and waits so many seconds. Raises EndedError."""


class FetchError(Exception):
    """Why a bundle is not there."""


class EndedError(Exception):
    """Whoever fetches was ended, or is to fetch something else: what is there stays, and the rest is fetched later."""


class CutOffError(Exception):
    """A share that was there is not there any more, or its file ends too early."""


def fetch(
    bundle: Bundle, folder: Path, share: str | None, ask: AskPart, *, on_part: Callable[[int], None], pause: Pause
) -> Path:
    """Return the bundle's file, whole and with the right sums; raises FetchError, EndedError.

    What was fetched before an interruption is not fetched again.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / bundle.file
    if file.is_file() and sum_of_file(file) == bundle.sha256:
        return file
    for other in folder.iterdir():  # of earlier roll-outs: one bundle is kept
        if other.name not in (bundle.file, f"{bundle.sha256}.part"):
            other.unlink()
    partial = folder / f"{bundle.sha256}.part"
    missing = bundle.size - (partial.stat().st_size if partial.exists() else 0)
    if shutil.disk_usage(folder).free - missing < KEEP_FREE:
        raise FetchError(f"there is no room for the {missing} bytes that are missing: free some of this disk")
    with partial.open("r+b" if partial.exists() else "w+b") as target:
        have = _good_parts(target, bundle)
        target.truncate(min(have * PART_BYTES, bundle.size))
        target.seek(have * PART_BYTES)
        if not (share and _from_share(share, bundle, target, on_part, pause)):
            _over_link(bundle, target, ask, on_part)
        target.flush()
        os.fsync(target.fileno())
    if sum_of_file(partial) != bundle.sha256:
        partial.unlink()
        raise FetchError("what was fetched is not what was signed")
    partial.replace(file)
    return file


def _good_parts(target: BinaryIO, bundle: Bundle) -> int:
    """Return how many parts an earlier try has left that are as they should be."""
    target.seek(0)
    for number, wanted in enumerate(bundle.parts):
        if hashlib.sha256(target.read(PART_BYTES)).hexdigest() != wanted:
            return number
    return len(bundle.parts)


def _from_share(share: str, bundle: Bundle, target: BinaryIO, on_part: Callable[[int], None], pause: Pause) -> bool:
    """Read from a share what is missing; False where it is not there, or was cut off and did not come back."""
    pauses = iter(SHARE_PAUSES_S)
    place = f"{share.rstrip('/')}/{bundle.file}"
    while True:
        try:
            _read_on(place, bundle, target, on_part)
        except CutOffError as error:
            seconds = next(pauses, None)
            if seconds is None:
                return False
            percent = 100 * target.tell() // bundle.size
            pause(f"the share was cut off at {percent} % ({error}): read on in {seconds:.0f} s", seconds)
        except (OSError, http.client.HTTPException):  # it is not there; what answers there may be no web server
            return False
        else:
            return True


def _read_on(place: str, bundle: Bundle, target: BinaryIO, on_part: Callable[[int], None]) -> None:
    """Read part after part, from the first that is missing; each that is good is kept.

    Raises:
        OSError, HTTPException: It is not there, and nothing was read of it.
        CutOffError: It ended too early.
        FetchError: It is whole, and not what was signed.
    """
    first = target.tell() // PART_BYTES
    with _opened(place, first * PART_BYTES) as source:
        for number in range(first, len(bundle.parts)):
            size = min(PART_BYTES, bundle.size - number * PART_BYTES)
            part = _part(source, size)
            if len(part) < size:
                raise CutOffError("its file ends too early")
            if hashlib.sha256(part).hexdigest() != bundle.parts[number]:
                raise FetchError(f"the file on the share is not what was signed (part {number + 1})")
            target.write(part)
            on_part(number + 1)


def _part(source: BinaryIO, size: int) -> bytes:
    """Return so many bytes, fewer at the end of the file; raises CutOffError."""
    part = b""
    try:
        while len(part) < size and (more := source.read(size - len(part))):
            part += more
    except (OSError, http.client.HTTPException) as error:
        raise CutOffError(str(error) or type(error).__name__) from error
    return part


def _opened(place: str, offset: int) -> BinaryIO:
    """Open a file at an offset; a web server that gives no part of a file gives all of it."""
    if not place.startswith("https://"):
        file = Path(place).open("rb")  # noqa: SIM115 - closed by whoever opens it with this
        file.seek(offset)
        return file
    request = urllib.request.Request(place, headers={"Range": f"bytes={offset}-"} if offset else {})  # noqa: S310 - https, as the settings see to
    # Whom this machine trusts is read anew: an agent runs for months, and urllib keeps what it has read first.
    trusted = ssl.create_default_context()
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=SHARE_S, context=trusted)  # noqa: S310
    left = offset if answer.status != http.HTTPStatus.PARTIAL_CONTENT else 0
    while left and (passed := len(_part(answer, min(left, PART_BYTES)))):
        left -= passed
    return answer


def _over_link(bundle: Bundle, target: BinaryIO, ask: AskPart, on_part: Callable[[int], None]) -> None:
    for number in range(target.tell() // PART_BYTES, len(bundle.parts)):
        part = next((part for _ in range(TRIES) if (part := ask(bundle, number)) is not None), None)
        if part is None:
            raise FetchError(f"part {number + 1} of {len(bundle.parts)} did not come: is the fleet's desk running?")
        if hashlib.sha256(part).hexdigest() != bundle.parts[number]:
            raise FetchError(f"part {number + 1} of {len(bundle.parts)} is not what was signed")
        target.write(part)
        on_part(number + 1)
