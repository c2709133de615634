"""So much at once, and then as much as time brings back: a bound on what others cause, or on what may be sent."""

from __future__ import annotations


class Allowance:
    """What may be spent now; time refills it up to a most.

    Args:
        most: What there is after a long rest.
        per_s: What a second brings back.
        now: Monotonic seconds.
        left: What there is in the beginning.
    """

    def __init__(self, most: float, per_s: float, now: float, *, left: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = left
        self._at = now

    def left(self, now: float) -> float:
        """Return how much may be spent; below 0 where more was spent than there was."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return self._left

    def spend(self, amount: float) -> None:
        """Spend some, even more than there is left: then nothing may be spent until time has made up for it."""
        self._left -= amount

    def rest(self, now: float) -> None:
        """Let the time until now bring nothing back: there was nothing to spend it on."""
        self._at = now
