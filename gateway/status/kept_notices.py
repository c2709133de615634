"""What of the notices outlives a restart: who has seen which, what is paused, what nobody has seen yet; one file."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from config.settings import Section
from gateway.machine.newer_file import is_newer
from gateway.machine.private_files import MODE
from gateway.ward.state import FREE_TEXT

log = logging.getLogger(__name__)

NAME = "notices.json"
VERSION = 1


class Answer(Section):
    """Somebody has seen the notice that stands since ``since_us``."""

    notice: str
    since_us: int
    by: str
    at_us: int
    why: FREE_TEXT = ""


class Pause(Section):
    """Notices of a bed (empty: the gateway itself) and of one code (empty: all kinds) are quiet until ``until_us``.

    They are those of ``subject`` (empty: of a bed with nobody in it): of who comes into that bed they are loud.
    """

    bed: str
    subject: str = ""
    code: str
    until_us: int
    by: str
    at_us: int
    why: FREE_TEXT = ""


class KeptReview(Section):
    """What was measured of somebody that staff should look at, as in a status; and of whom, and when it was noted."""

    metric: str
    slot: str
    device: str
    at_us: int
    text: str
    subject: str
    noted_us: int


class KeptNotices(Section):
    """The file.

    Attributes:
        answers: Of notices that stand.
        pauses: Those that are not over.
        since: Since when each notice stands, by id, UTC microseconds.
        reviews: What stands until somebody has seen it.
    """

    v: Literal[1] = 1
    answers: tuple[Answer, ...] = ()
    pauses: tuple[Pause, ...] = ()
    since: dict[str, int] = Field(default_factory=dict)
    reviews: tuple[KeptReview, ...] = ()


def read(path: Path) -> KeptNotices:
    """Return what was kept; nothing where there is no file, or none that can be read: notices are loud again then."""
    try:
        return KeptNotices.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return KeptNotices()
    except (OSError, ValidationError) as error:
        log.warning("%s cannot be read: who has seen which notice is not known any more (%s)", path, error)
        return KeptNotices()


def write(path: Path, kept: KeptNotices) -> None:
    """Keep it, whole or not at all; what a newer program keeps is left as it is. Raises OSError."""
    if is_newer(path, "v", VERSION):
        log.warning("%s is of a newer version: it is left as it is, and this is known until the next start", path)
        return
    new = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "wb") as file:
        file.write(kept.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def erase(folder: Path, subject: str) -> None:
    """Forget what was measured of somebody, and paused, in a folder whose gateway is stopped; raises OSError."""
    kept = read(folder / NAME)
    left = {
        "reviews": tuple(one for one in kept.reviews if one.subject != subject),
        "pauses": tuple(one for one in kept.pauses if one.subject != subject),
    }
    if left != {"reviews": kept.reviews, "pauses": kept.pauses}:
        write(folder / NAME, kept.model_copy(update=left))
