"""A gateway's certificates are renewed while they still hold: nobody goes to a ward for them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson

from gateway.broker.certificates import days_left
from gateway.fleet.authority import MEMBER_DAYS, belong_together, make_request
from gateway.fleet.joining import both
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
        self._keys: tuple[str, str] | None = None
        self._due_s = 0.0

    def request(self, now_s: float) -> dict[str, Any] | None:
        """Return what to ask the desk; None while nothing is to be asked. ``now_s`` is monotonic."""
        if now_s < self._due_s:
            return None
        self._due_s = now_s + LOOK_EVERY_S
        try:
            left = min(days_left(self._folder / name) for name in ("gateway.pem", "agent.pem"))
        except (OSError, ValueError) as error:
            log.error("a certificate cannot be read: %s", error)  # noqa: TRY400 - no defect
            return None
        if left > self._before_days:
            return None
        own_key, own_request = make_request(self._gateway)
        agent_key, agent_request = make_request(self._gateway)
        self._keys = own_key, agent_key
        return {"v": 1, "gateway_request": own_request, "agent_request": agent_request}

    def on_answer(self, payload: bytes) -> None:
        """Keep the new certificates with the keys that they were asked for with."""
        try:
            answer = orjson.loads(payload)
            pems = str(answer["gateway_cert"]), str(answer["agent_cert"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            log.warning("no new certificates: %s", payload[:200])
            return
        if self._keys is None:
            return
        if not all(map(belong_together, pems, self._keys)):
            log.warning("no new certificates: they are not for the keys that were made here")
            return
        for name, key, pem in zip(("gateway", "agent"), self._keys, pems, strict=True):
            replace_file(self._folder / f"{name}.pem", both(pem, key))
        self._keys = None
        log.info("new certificates are in place")
