"""A gateway's certificates are renewed while they still hold: nobody goes to a ward for them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson

from gateway.broker.certificates import days_left
from gateway.fleet.authority import MEMBER_DAYS, OF_OLD, PARTS, belong_together
from gateway.fleet.joining import both, make_requests, mode_of
from gateway.machine.durable import replace_file

log = logging.getLogger(__name__)

BEFORE_DAYS = MEMBER_DAYS / 3
LOOK_EVERY_S = 3600.0


class Renewal:
    """Asks in time, and puts new certificates in the place of the old ones: the next connection has them.

    Args:
        folder: Where they are.
        gateway: Whose.
        before_days: How long before the end.
    """

    def __init__(self, folder: Path, gateway: str, *, before_days: float = BEFORE_DAYS) -> None:
        self._folder, self._gateway, self._before_days = folder, gateway, before_days
        self._keys: dict[str, str] | None = None
        self._due_s = 0.0
        self._asked = False

    def request(self, now_s: float) -> dict[str, Any] | None:
        """Return what to ask the desk; None while nothing is to be asked. ``now_s`` is monotonic."""
        if now_s < self._due_s:
            return None
        self._due_s = now_s + LOOK_EVERY_S
        try:
            files = {part: self._folder / f"{part}.pem" for part in PARTS}
            there = {part: file for part, file in files.items() if part in OF_OLD or file.exists()}
            left = min(map(days_left, there.values()))
        except (OSError, ValueError) as error:
            log.error("a certificate cannot be read: %s", error)  # noqa: TRY400 - no defect
            return None
        if left > self._before_days and (len(there) == len(files) or self._asked):
            return None
        self._asked = True  # for what a version of before did not have: once, since the desk may be older still
        self._keys, requests = make_requests(self._gateway)
        return {"v": 1, **requests}

    def on_answer(self, payload: bytes) -> None:
        """Keep the new certificates with the keys that they were asked for with."""
        try:
            answer = orjson.loads(payload)
            pems = {part: str(answer[f"{part}_cert"]) for part in PARTS if part in OF_OLD or f"{part}_cert" in answer}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            log.warning("no new certificates: %s", payload[:200])
            return
        if self._keys is None:
            return
        if not all(belong_together(pem, self._keys[part]) for part, pem in pems.items()):
            log.warning("no new certificates: they are not for the keys that were made here")
            return
        for part, pem in pems.items():
            replace_file(self._folder / f"{part}.pem", both(pem, self._keys[part]), mode=mode_of(part))
        self._keys = None
        log.info("new certificates are in place")
