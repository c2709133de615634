"""Sessions that are over, of people who are still there: what follows in the minute after them is theirs.

A heart recovers, and the saturation is lowest, when the test has ended. What the same person's devices measure then
belongs to the next session, and is looked at for the one before too; somebody else's never is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.analysis.derived import AFTER_S
from gateway.analysis.subject import Subject
from gateway.analysis.ward_operators import DeviceResult

Found = list[tuple[Subject, list[DeviceResult]]]


class Afterwards:
    """The sessions that have just ended, one a bed at most."""

    def __init__(self) -> None:
        self._ended: dict[str, tuple[Subject, float]] = {}

    def begin(self, subject: Subject, now_s: float) -> Found:
        """Take a session that is over; return what was still open of the one before it in the same bed."""
        found = self.close(subject.slot)
        if subject.waits:
            self._ended[subject.slot] = (subject, now_s + AFTER_S)
        return found

    def follow(self, slot: str, results: Sequence[DeviceResult]) -> Found:
        """Return what follows, for the session before, from results of the present one in a bed."""
        if not results or slot not in self._ended:
            return []
        subject, _ = self._ended[slot]
        return [(subject, subject.afterwards(results))]

    def due(self, now_s: float) -> Found:
        """Return what was open of sessions that are over for long enough."""
        if not self._ended:
            return []
        over = [slot for slot, (_, until_s) in self._ended.items() if now_s >= until_s]
        return [each for slot in over for each in self.close(slot)]

    def keep(self, whether: Callable[[Subject], bool]) -> Found:
        """Return what was open of sessions of people who are not there any more."""
        gone = [slot for slot, (subject, _) in self._ended.items() if not whether(subject)]
        return [each for slot in gone for each in self.close(slot)]

    def close(self, slot: str) -> Found:
        """Return what was open of the session before in a bed."""
        ended = self._ended.pop(slot, None)
        return [] if ended is None else [(ended[0], ended[0].close())]
