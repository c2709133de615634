"""What the page of people is told: who may sign in, what was done and who looked, and whether all that is whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from config.settings import Settings
from gateway.audit import access_log, newest
from gateway.audit.trail import (
    MOST_TROUBLES,
    OF_LOOKS,
    PLUMBING,
    Verdict,
    details,
    judge,
    looks_words,
    lost_numbers,
    missing_words,
    read,
    verdict_words,
)
from gateway.dashboard.outside_text import clean
from gateway.dashboard.pins import Pins
from gateway.dashboard.tokens import Tokens
from gateway.dashboard.users import Users
from gateway.texts.languages import text

Json = dict[str, Any]
Made = TypeVar("Made")
Kinds = tuple[list[str], list[str]]
"""Of things that are in the audit, and in the log of who looked at what."""

KEPT_S: Final = 60.0
"""What costs a look at all entries is found once in so long, however often it is asked for."""
MOST_CHECKED: Final = 100_000
"""Entries of a record that are checked for a page: some seconds of one core. Beyond it the command does."""
LONGEST_WORDS: Final = 2000  # characters of what an entry says; the command has all of it
MICRO: Final = 1_000_000
BEDS_AND_PEOPLE: Final = ("by", "bed", "slot", "subject")
"""Fields of the audit that have a column of their own on the page."""


class Kept(Generic[Made]):
    """What is made in a thread, by one at a time, and kept for a while; a failure is not kept.

    Args:
        make: Makes it; may take seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, make: Callable[[], Made], *, clock: Callable[[], float] = monotonic) -> None:
        self._make = make
        self._clock = clock
        self._task: asyncio.Task[Made] | None = None
        self._until = 0.0

    def get(self) -> Awaitable[Made]:
        """Return it; whoever goes away meanwhile does not end the work, for which others may wait."""
        task = self._task
        over = task is not None and task.done() and (
            task.cancelled() or task.exception() is not None or self._clock() >= self._until
        )  # fmt: skip
        if task is None or over:
            task = self._task = asyncio.create_task(self._made())
        return asyncio.shield(task)

    async def _made(self) -> Made:
        made = await asyncio.to_thread(self._make)
        self._until = self._clock() + KEPT_S
        return made


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of both records has found, and when; None for one that has too many entries to check here.

    Attributes:
        at_us: When, UTC microseconds.
        chains: Of each gateway whose audit is here.
        records: How many records of the audit there are.
        troubles: Of the log of who looked at what: the first of them.
        looks: How many entries it has; None where it is not there.
    """

    at_us: int
    chains: dict[str, Verdict] | None
    records: int
    troubles: list[str] | None
    looks: int | None


@dataclass(slots=True)
class Records:
    """Where both records are, and what of them is kept for a while."""

    history: Path
    data: Path
    sharing: bool
    checked: Kept[Checked] = field(init=False)
    kinds: Kept[Kinds] = field(init=False)
    used: Kept[tuple[dict[str, int], dict[str, int]]] = field(init=False)

    def __post_init__(self) -> None:
        looks = self.looks
        self.checked = Kept(partial(check_both, self.history, looks, sharing=self.sharing))
        self.kinds = Kept(lambda: (newest.kinds_of_records(self.history), newest.kinds_of_looks(looks)))
        self.used = Kept(lambda: (newest.last_sign_ins(looks), access_log.last_uses(looks, "token:")))

    @property
    def looks(self) -> Path:
        """Where the log of who looked at what is."""
        return self.data / access_log.NAME


def records_of(settings: Settings) -> Records:
    """Return where the records of these settings are."""
    history = settings.history_file
    return Records(history, settings.site.data, settings.historian.share is not None)


def check_both(history: Path, looks: Path, *, sharing: bool) -> Checked:
    """Check both records, each unless it has too many entries; raises sqlite3.Error and UsageError."""
    at_us = time.time_ns() // 1000
    n_records, n_looks = newest.count_records(history), newest.count_looks(looks) if looks.is_file() else None
    chains: dict[str, Verdict] | None = None
    if n_records <= MOST_CHECKED:
        found, cut = read(history, sharing=sharing)
        lost = lost_numbers(history)
        chains = {gateway: judge(links, cut[gateway], lost[gateway]) for gateway, links in found.items()}
    troubles: list[str] | None = None
    if n_looks is not None and n_looks <= MOST_CHECKED:
        troubles = [entry.trouble for entry in access_log.read(looks) if entry.trouble][:MOST_TROUBLES]
    return Checked(at_us, chains, n_records, troubles, n_looks)


def chains_view(found: Checked) -> Json:
    """Return what the check has found, in sentences of the language that is spoken."""
    if found.chains is None:
        audit = [_chain("", None, text("people.too_many", n=found.records))]
    elif not found.chains:
        audit = [_chain("", None, text("people.no_audit"))]
    else:
        audit = [_of_gateway(gateway, verdict) for gateway, verdict in found.chains.items()]
    if found.looks is None:
        looks = _chain("", None, text("people.no_log"))
    elif found.troubles is None:
        looks = _chain("", None, text("people.too_many", n=found.looks))
    else:
        looks = _chain("", not found.troubles, looks_words([clean(one) for one in found.troubles]))
    return {"at_us": found.at_us, "audit": audit, "access_log": looks}


def _of_gateway(gateway: str, verdict: Verdict) -> Json:
    lost = f" {missing_words(verdict.lost)}" if verdict.lost else ""
    return _chain(gateway, verdict.whole, verdict_words(verdict) + lost, verdict.troubles)


def _chain(gateway: str, whole: bool | None, words: str, troubles: Any = ()) -> Json:
    return {
        "gateway": clean(gateway), "whole": whole, "text": clean(words, LONGEST_WORDS),
        "troubles": [clean(one) for one in troubles],
    }  # fmt: skip


def audit_view(page: newest.Page[newest.Record], kinds: list[str]) -> Json:
    """Return a page of the audit."""
    entries = [
        {
            "time_us": one.time_us,
            "gateway": clean(one.gateway),
            "who": _said(one.fields, "by"),
            "what": clean(one.what),
            "bed": _said(one.fields, "bed") or _said(one.fields, "slot"),
            "subject": _said(one.fields, "subject"),
            "text": clean(details(one.fields, (*PLUMBING, *BEDS_AND_PEOPLE)), LONGEST_WORDS),
        }
        for one in page.entries
    ]
    return {"entries": entries, "older": page.older, "kinds": [clean(kind) for kind in kinds]}


def looks_view(page: newest.Page[newest.Look], kinds: list[str]) -> Json:
    """Return a page of the log of who looked at what."""
    entries = [
        {
            "time_us": one.time_us,
            "who": _said(one.fields, "user"),
            "role": _said(one.fields, "role"),
            "address": _said(one.fields, "address"),
            "what": _said(one.fields, "what"),
            "people": [{"bed": clean(person.slot), "subject": clean(person.subject)} for person in one.people],
            "text": clean(details(one.fields, OF_LOOKS), LONGEST_WORDS),
        }
        for one in page.entries
    ]
    return {"entries": entries, "older": page.older, "kinds": [clean(kind) for kind in kinds]}


def people_view(
    users: Users, tokens: Tokens, pins: Pins, used: tuple[dict[str, int], dict[str, int]], *, openid: bool
) -> Json:
    """Return who may sign in, and which programs; no hash and no secret."""
    signed_in, programs = used
    now_s = time.time()
    return {
        "users": [
            {"name": user.name, "role": user.role, "pin": pins.has(user), "last_us": signed_in.get(user.name)}
            for user in users.all().values()
        ],
        "tokens": [
            {
                "name": token.name, "role": token.role, "made_us": token.made_s * MICRO,
                "until_us": token.until_s * MICRO, "over": token.until_s <= now_s, "last_us": programs.get(token.user),
            }
            for token in tokens.all().values()
        ],
        "openid": openid,
        "problem": " ".join(filter(None, (users.problem, tokens.problem))),
    }  # fmt: skip


def _said(fields: Json, key: str) -> str:
    return clean(str(fields.get(key, "")))
