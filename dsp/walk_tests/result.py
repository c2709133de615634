"""What a timed walk gives: results of the catalogue's metrics, under one name."""

from __future__ import annotations

from typing import Final

from dsp.reported import implausible
from dsp.result import Quality, Result

ALGORITHM: Final = "timed-walk/2"


class Window:
    """A test from one instant to another, gateway seconds, and how many steps it had: what all its results share."""

    def __init__(self, start_s: float, end_s: float, n: int) -> None:
        self.start_s, self.end_s, self.n = start_s, end_s, n

    def result(self, metric: str, value: float | None, *doubts: str) -> Result:
        """Return a value, degraded where there are doubts, or the reason why there is none: no body can do it, too."""
        refusal = "" if value is None else implausible(metric, value)
        if refusal:
            value = None
        reason = "; ".join(filter(None, (refusal, *doubts)))
        quality: Quality = "invalid" if value is None else "degraded" if reason else "ok"
        refused = int(bool(refusal))
        return Result(metric, value, "none", self.start_s, self.end_s, self.n, ALGORITHM, refused, quality, reason)
