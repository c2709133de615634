"""The time of one person: it begins when the gateway starts the first sensor that the person wears.

Until then nobody receives what would be measured, and hundreds of sensors that wait to be connected cost nothing.
"""

from __future__ import annotations


class Wearer:
    """Since when a person moves, in the seconds of the scene; all sensors of the person share it.

    Attributes:
        begun_s: Simulated time at which the movement began; None before.
    """

    def __init__(self) -> None:
        self.begun_s: float | None = None

    def begin(self, now_s: float) -> None:
        """Begin to move, unless the person moves already."""
        if self.begun_s is None:
            self.begun_s = now_s

    def own_s(self, now_s: float) -> float | None:
        """Return how long the person has moved at a time of the scene, seconds; None before the beginning."""
        return None if self.begun_s is None else now_s - self.begun_s
