"""What happened to the data that nobody should miss: kept for the audit, the status and a notice, until it is old.

An incident is something that was found once, such as a file that was removed: nothing mends it, so it is shown for a
day after it was found. In the audit it stays.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SHOWN_S = 86_400.0
"""An incident of the night is seen by those of the day, and "All is well" is not said meanwhile."""
SPOILT = "outbox-spoilt"
"""The incident of rows, or of numbers in a torn log, that had to become gaps."""
MOST = 64
"""Kept at a time; what comes beyond is counted."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to the data.

    Attributes:
        what: Its code, as the audit has it.
        text: What it is, in one sentence without a full stop.
        fields: The same for programs: ids, numbers, names of files.
        at: Monotonic seconds when it was found.
        audited: Whether its entry of the audit is on disk already, with what it tells of.
    """

    what: str
    text: str
    fields: Mapping[str, str | int] = field(default_factory=dict)
    at: float = 0.0
    audited: bool = False


class Incidents:
    """The incidents of one process. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shown: deque[Incident] = deque(maxlen=MOST)
        self._new: deque[Incident] = deque(maxlen=MOST)
        self.count = 0

    def add(self, what: str, text: str, **fields: str | int) -> None:
        """Note an incident."""
        self._add(Incident(what, text, fields, self._clock()))

    def add_audited(self, what: str, text: str, fields: Mapping[str, str | int]) -> None:
        """Note an incident of which the audit has an entry already."""
        self._add(Incident(what, text, fields, self._clock(), audited=True))

    def _add(self, incident: Incident) -> None:
        with self._lock:
            self.count += 1
            self._shown.append(incident)
            self._new.append(incident)

    def drain(self) -> list[Incident]:
        """Return those that were not taken yet, for the audit."""
        with self._lock:
            new = list(self._new)
            self._new.clear()
            return new

    def shown(self) -> list[Incident]:
        """Return those that are not old yet."""
        since = self._clock() - SHOWN_S
        with self._lock:
            return [incident for incident in self._shown if incident.at >= since]
