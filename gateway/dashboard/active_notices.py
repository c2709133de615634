"""The notices that stand: as the last status says, and as each notice since then has changed it."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.outside_text import clean

MOST = 300  # as many as a gateway raises at most; a bound on what a wrong publisher can make us hold
WORDS = ("id", "code", "priority", "state", "text", "advice", "device", "slot")
LONGEST = 400  # characters of a word


class ActiveNotices:
    """What is raised and not cleared yet.

    Attributes:
        more: How many the last status told of that found no room.
    """

    def __init__(self) -> None:
        self.more = 0
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

    def replace(self, active: Any) -> None:
        """Take what a status says stands now."""
        items = active if isinstance(active, list) else []
        self.more = max(0, len(items) - MOST)
        found = [notice for item in items[:MOST] if (notice := _notice(item)) is not None]
        self._notices = {notice["id"]: notice for notice in found if notice["state"] == "raised"}

    def shown(self) -> list[dict[str, Any]]:
        """Return what stands, the more urgent first, the newer before the older."""
        return sorted(self._notices.values(), key=lambda notice: (notice["priority"] != "medium", -notice["since_us"]))


def _notice(message: Any) -> dict[str, Any] | None:
    """Return the parts of a notice that pages show; None where it is none."""
    if not isinstance(message, dict):
        return None
    words = {name: message.get(name) for name in WORDS}
    since_us = message.get("since_us")
    right = all(isinstance(word, str) and len(word) <= LONGEST for word in words.values())
    if not right or type(since_us) is not int or words["state"] not in {"raised", "cleared"}:
        return None
    return {**{name: clean(word) for name, word in words.items() if isinstance(word, str)}, "since_us": since_us}
