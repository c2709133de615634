"""What people answer to notices: one is acknowledged, or those of a bed are paused for a while. Nothing is hidden.

An acknowledged notice stands until its own rule clears it, quieter, with the name of who has seen it. Paused notices
are raised, counted and kept as always; they are quieter until the pause is over, and then loud if they still stand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, cast

from pydantic import Field

from config.settings import Section
from config.wording import nearest
from gateway.machine.allowance import Allowance
from gateway.model.status import AnswerStatus, NoticeStatus, PauseStatus
from gateway.status import kept_notices
from gateway.status.kept_notices import Answer, KeptNotices, KeptReview, Pause
from gateway.ward.refusals import refused
from gateway.ward.rules import refuse_changed, refuse_number_in, valid
from gateway.ward.state import FREE_TEXT
from gateway.wire.commands import NOTICES

log = logging.getLogger(__name__)

LONGEST_PAUSE_MIN: Final = 240
"""Half a shift: who pauses for longer has gone home when it matters."""
MOST_PAUSES: Final = 280
"""Four for each bed of a full ward."""
RESUME_S: Final = 300.0
"""After a start: what is found again within it is the notice that stood before, with its answer."""
MOST_ANSWERS, PER_S = 500.0, 1.0
"""Each is in the audit, which nobody should be able to fill."""
MINUTE_US = 60_000_000
AHEAD_US = MINUTE_US
"""A clock that a time service mends is set back by seconds."""
Json = dict[str, Any]


class Acknowledge(Section):
    """Somebody has seen a notice; with ``since_us`` none that was raised anew meanwhile."""

    notice: Annotated[str, Field(min_length=1, max_length=200)]
    since_us: int | None = None
    why: FREE_TEXT = ""


class PauseNotices(Section):
    """Notices of a bed, or one kind of the gateway's own, are to be quiet; with ``was`` those of no other."""

    bed: Annotated[str, Field(max_length=64)] = ""
    code: Annotated[str, Field(max_length=64)] = ""
    minutes: Annotated[float, Field(gt=0, le=LONGEST_PAUSE_MIN)]
    was: Annotated[str, Field(max_length=64)] | None = None
    why: FREE_TEXT = ""


class ResumeNotices(Section):
    """They are not to be quiet any more."""

    bed: Annotated[str, Field(max_length=64)] = ""
    code: Annotated[str, Field(max_length=64)] = ""


class NoticeDesk:
    """Takes answers. `command` is called on the network's thread, the rest on the loop.

    Args:
        folder: Where the file is.
        beds: Says who is in each bed of the ward: a pseudonym, or nothing.
        codes: Which kinds of notice there are.
        now_us: Wall clock, UTC microseconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        beds: Callable[[], Mapping[str, str]],
        codes: Collection[str],
        now_us: Callable[[], int],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._path = folder / kept_notices.NAME
        self._beds = beds
        self._codes = codes
        self._now_us = now_us
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = kept_notices.read(self._path)
        self._answers: Mapping[str, Callable[[Mapping[str, Any], str], tuple[KeptNotices, Json]]] = {
            "notice-acknowledge": self._acknowledge, "notice-pause": self._pause, "notice-resume": self._resume,
        }  # fmt: skip
        assert self._answers.keys() == set(NOTICES)
        self._standing: dict[str, int] = {}  # since when, by id
        self._began = clock()
        self._allowance = Allowance(MOST_ANSWERS, PER_S, clock(), left=MOST_ANSWERS)
        self.resumed: dict[str, int] = dict(self._kept.since)
        self.reviews: Sequence[KeptReview] = self._kept.reviews

    def command(self, name: str, payload: Mapping[str, Any], by: str) -> Json:
        """Carry out an answer, on disk before it is answered; raises RefusedError.

        Args:
            name: Of the command.
            payload: What it says, without who asks.
            by: Who asks; nobody is no answer.
        """
        if not by:
            raise refused("needs_by")
        with self._lock:
            if self._allowance.left(self._clock()) < 1:
                raise refused("too_many_answers")
            kept, about = self._answers[name](payload, by)
            self._write(kept)
            self._kept = kept
            self._allowance.spend(1)
            return about

    def annotate(self, notices: Sequence[NoticeStatus], now_us: int) -> list[NoticeStatus]:
        """Return notices with who has seen them, and until when they are paused."""
        with self._lock:
            answers = {(one.notice, one.since_us): one for one in self._kept.answers}
            pauses = self._in_force(now_us)
        return [_annotated(notice, answers, pauses) for notice in notices]

    def pauses(self, now_us: int) -> list[PauseStatus]:
        """Return the pauses that are not over."""
        with self._lock:
            return [_pause(one) for one in self._in_force(now_us)]

    def acknowledged(self) -> frozenset[str]:
        """Return the ids of the notices that somebody has seen."""
        with self._lock:
            return frozenset(one.notice for one in self._kept.answers)

    def stand(self, active: Sequence[NoticeStatus], reviews: Sequence[KeptReview], now_us: int) -> None:
        """Take what stands now; answers to what does not are forgotten, a while after the start."""
        with self._lock:
            self._standing = {one["id"]: one["since_us"] for one in active}
            began = self._clock() - self._began < RESUME_S
            if not began:
                self.resumed.clear()
            since = {**(self.resumed if began else {}), **self._standing}
            kept = KeptNotices(
                answers=tuple(one for one in self._kept.answers if since.get(one.notice) == one.since_us),
                pauses=tuple(self._in_force(now_us)),
                since=since, reviews=tuple(reviews),
            )  # fmt: skip
            if kept == self._kept:
                return
            try:
                kept_notices.write(self._path, kept)
            except OSError as error:  # tried again with the next status
                log.debug("%s cannot be written: %s", self._path, error)
                return
            self._kept = kept

    def _acknowledge(self, payload: Mapping[str, Any], by: str) -> tuple[KeptNotices, Json]:
        asked = valid(Acknowledge, payload)
        refuse_number_in("why", asked.why)
        since_us = self._standing.get(asked.notice)
        if since_us is None:
            raise refused("notice_over")
        if asked.since_us not in (None, since_us):
            raise refused("notice_anew")
        if seen := next((one for one in self._kept.answers if one.notice == asked.notice), None):
            raise refused("acknowledged_already", by=seen.by)
        answer = Answer(notice=asked.notice, since_us=since_us, by=by, at_us=self._now_us(), why=asked.why)
        return self._kept.model_copy(update={"answers": (*self._kept.answers, answer)}), {"notice": asked.notice}

    def _pause(self, payload: Mapping[str, Any], by: str) -> tuple[KeptNotices, Json]:
        asked = valid(PauseNotices, payload)
        refuse_number_in("why", asked.why)
        self._check(asked.bed, asked.code)
        at_us, subject = self._now_us(), self._beds().get(asked.bed, "")
        refuse_changed(asked.was, subject)
        pause = Pause(
            bed=asked.bed, subject=subject, code=asked.code,
            until_us=at_us + round(asked.minutes * MINUTE_US), by=by, at_us=at_us, why=asked.why,
        )  # fmt: skip
        others = [one for one in self._in_force(at_us) if (one.bed, one.code) != (asked.bed, asked.code)]
        if len(others) >= MOST_PAUSES:
            raise refused("too_many_pauses", most=MOST_PAUSES)
        about = {"bed": asked.bed, "code": asked.code, "until_us": pause.until_us}
        return self._kept.model_copy(update={"pauses": (*others, pause)}), about

    def _resume(self, payload: Mapping[str, Any], by: str) -> tuple[KeptNotices, Json]:
        del by
        asked = valid(ResumeNotices, payload)
        others = self._others(asked.bed, asked.code)
        if len(others) == len(self._kept.pauses):
            raise refused("not_paused")
        return self._kept.model_copy(update={"pauses": tuple(others)}), {"bed": asked.bed, "code": asked.code}

    def _in_force(self, now_us: int) -> list[Pause]:
        """Return the pauses that are not over: with a stay, what was paused of somebody ends.

        So does one that was made later than now: by a clock that was ahead, a half-hour would end in a year.
        """
        beds = self._beds()
        return [
            one
            for one in self._kept.pauses
            if one.at_us - AHEAD_US <= now_us < one.until_us and one.subject == beds.get(one.bed, "")
        ]

    def _others(self, bed: str, code: str) -> list[Pause]:
        return [one for one in self._kept.pauses if (one.bed, one.code) != (bed, code)]

    def _check(self, bed: str, code: str) -> None:
        if bed and bed not in self._beds():
            raise refused("no_bed_at_all", bed=bed)
        if code and code not in self._codes:
            near = nearest(code, self._codes)
            known = near or ", ".join(sorted(self._codes))
            raise refused("notice_kind_near" if near else "no_notice_kind", code=code, known=known)
        if not bed and not code:
            raise refused("which_notices")

    def _write(self, kept: KeptNotices) -> None:
        try:
            kept_notices.write(self._path, kept)
        except OSError as error:
            raise refused("disk_takes_nothing", error=error.strerror) from error


def _annotated(
    notice: NoticeStatus, answers: Mapping[tuple[str, int], Answer], pauses: Sequence[Pause]
) -> NoticeStatus:
    found = cast("NoticeStatus", dict(notice))
    if seen := answers.get((notice["id"], notice["since_us"])):
        found["acknowledged"] = AnswerStatus(by=seen.by, at_us=seen.at_us, why=seen.why)
    fitting = [one for one in pauses if one.bed == notice["slot"] and one.code in ("", notice["code"])]
    if fitting:
        found["paused"] = _pause(max(fitting, key=lambda one: one.until_us))
    return found


def _pause(of: Pause) -> PauseStatus:
    return cast("PauseStatus", of.model_dump(exclude={"subject"}))


def is_quiet(notice: NoticeStatus) -> bool:
    """Whether somebody has seen a notice, or it is paused."""
    return "acknowledged" in notice or "paused" in notice
