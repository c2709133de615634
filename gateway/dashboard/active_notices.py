"""The notices that stand: as the last status says, and as each notice since then has changed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.dashboard.known_sentences import advice_key, error_said
from gateway.dashboard.outside_text import clean, is_number
from gateway.texts.languages import english

MOST = 300  # as many as a gateway raises at most; a bound on what a wrong publisher can make us hold
WORDS = ("id", "code", "priority", "state", "text", "advice", "device", "slot")
ANSWER: Mapping[str, type] = {"by": str, "at_us": int, "why": str}
PAUSE: Mapping[str, type] = {"bed": str, "code": str, "until_us": int, "by": str, "why": str}
LONGEST = 400  # characters of a word
MOST_VALUES = 8  # of a sentence: the longest has five


class ActiveNotices:
    """What is raised and not cleared yet.

    Attributes:
        more: How many the last status told of that found no room.
        pauses: Which notices are quiet until when, and who said so.
    """

    def __init__(self) -> None:
        self.more = 0
        self.pauses: list[dict[str, Any]] = []
        self._notices: dict[str, dict[str, Any]] = {}

    def apply(self, message: dict[str, Any]) -> bool:
        """Take a notice; return whether it was one and found room."""
        notice = _notice(message)
        if notice is None:
            return False
        if notice["state"] == "cleared":
            self._notices.pop(notice["id"], None)
        elif notice["id"] in self._notices or len(self._notices) < MOST:
            self._notices[notice["id"]] = notice
        else:
            return False
        return True

    def replace(self, active: Any, paused: Any = None) -> None:
        """Take what a status says stands now, and what is quiet."""
        items = paused if isinstance(paused, list) else []
        self.pauses = [pause for item in items[:MOST] if (pause := _said(item, PAUSE)) is not None]
        items = active if isinstance(active, list) else []
        self.more = max(0, len(items) - MOST)
        found = [notice for item in items[:MOST] if (notice := _notice(item)) is not None]
        self._notices = {notice["id"]: notice for notice in found if notice["state"] == "raised"}

    def shown(self) -> list[dict[str, Any]]:
        """Return what stands: what nobody has seen yet first, then the more urgent, the newer before the older."""
        return sorted(
            self._notices.values(),
            key=lambda notice: (is_quiet(notice), notice["priority"] != "medium", -notice["since_us"]),
        )


def _notice(message: Any) -> dict[str, Any] | None:
    """Return the parts of a notice that pages show; None where it is none."""
    if not isinstance(message, dict):
        return None
    words = {name: message.get(name) for name in WORDS}
    since_us = message.get("since_us")
    right = all(isinstance(word, str) and len(word) <= LONGEST for word in words.values())
    if not right or type(since_us) is not int or words["state"] not in {"raised", "cleared"}:
        return None
    return {
        **{name: clean(word) for name, word in words.items() if isinstance(word, str)}, "since_us": since_us,
        "acknowledged": _said(message.get("acknowledged"), ANSWER), "paused": _said(message.get("paused"), PAUSE),
        "said": _sentence(message.get("said")), "advice_key": advice_key(str(words["advice"])),
    }  # fmt: skip


def _sentence(said: Any) -> dict[str, Any] | None:
    """Return which sentence of the texts a notice says, and what stands in it; None where it has words of its own."""
    if not isinstance(said, dict) or f"notice_says.{said.get('key')}" not in english().entries:
        return None
    values = said.get("values")
    if not isinstance(values, dict) or len(values) > MOST_VALUES:
        return None
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in values.values()):
        return None
    kept = {clean(name): clean(value) for name, value in values.items()}
    why = error_said(kept.get("why", ""))
    return {"key": said["key"], "values": kept, "why_said": why, "own_advice": said.get("own_advice") is True}


def is_quiet(notice: dict[str, Any]) -> bool:
    """Whether somebody has seen a notice, or it is paused."""
    return bool(notice["acknowledged"] or notice["paused"])


def _said(of: Any, fields: Mapping[str, type]) -> dict[str, Any] | None:
    """Return what somebody said of notices; None where it is nothing of the kind."""
    if not isinstance(of, dict):
        return None
    for name, kind in fields.items():
        value = of.get(name)
        if not (is_number(value) if kind is int else isinstance(value, str) and len(value) <= LONGEST):
            return None
    return {name: clean(of[name]) if kind is str else of[name] for name, kind in fields.items()}
