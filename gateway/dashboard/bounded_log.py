"""What strangers can cause to be logged is bounded: of lines that are alike, so many a minute, then their number."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

MOST_A_MINUTE = 10
MINUTE_S = 60.0
KINDS = 256
"""Kinds of lines that are told apart; the oldest is forgotten first."""
LOGGERS = (
    "gateway.dashboard.signin",
    "gateway.dashboard.door",
    "gateway.audit.access_log",
    "aiohttp.server",
    "asyncio",
)
"""Those that tell of what came over the network, one line or a traceback each time."""


@dataclass(slots=True)
class _Alike:
    since: float
    count: int = 0
    left_out: int = 0


class AtMost(logging.Filter):
    """Lets through so many lines of a kind a minute; the next one says how many were left out.

    Lines are of a kind when they are alike but for what is filled in.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: OrderedDict[tuple[str, int, str], _Alike] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is let through."""
        key, now = (record.name, record.levelno, str(record.msg)[:100]), self._clock()
        alike = self._kinds.setdefault(key, _Alike(now))
        if now - alike.since >= MINUTE_S:
            if alike.left_out:
                record.msg = f"{record.getMessage()} (and {alike.left_out} more like it, left out)"
                record.args = ()
            alike.since, alike.count, alike.left_out = now, 0, 0
        while len(self._kinds) > KINDS:
            self._kinds.popitem(last=False)
        alike.count += 1
        alike.left_out += alike.count > MOST_A_MINUTE
        return alike.count <= MOST_A_MINUTE


def bound_logs() -> None:
    """Bound what may be logged; safe to repeat."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, AtMost) for known in logger.filters):
            logger.addFilter(AtMost())
