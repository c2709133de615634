"""Values that a device measures by itself: passed on with their reason where they are none, and not too often."""

from __future__ import annotations

import math

from dsp.catalogue import CATALOGUE
from dsp.result import Result

EVERY_S = 1.0  # nobody reads a number more often
JITTER_S = 0.5  # a device that sends each second may arrive this early without being skipped
IMPLAUSIBLE = "implausible"
LONGEST_AGE_S = 60.0
"""A measurement is sent when it is finished, and clocks of devices are read to the second: what is older was kept."""
KEPT = "from the device's memory: measured earlier, perhaps on somebody else"
UNDATED = "perhaps from the device's memory: its clock does not tell"
PERHAPS_AGAIN = "possibly repeated: the device has sent the same before, and does not say when it was measured"
DELIVERED_TWICE = "delivered twice"
NO_VALUE = "device reports no value"


class Pace:
    """Lets pass at most one instant in so many seconds.

    Args:
        every_s: Seconds; a device that keeps that pace with some jitter is never skipped.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._due_s = -math.inf

    def passes(self, at_s: float) -> bool:
        """Return whether an instant is looked at; the next one is due after it."""
        if not math.isfinite(at_s) or at_s < self._due_s:
            return False
        self._due_s = max(self._due_s + self._every_s, at_s + self._every_s - JITTER_S)
        return True


def implausible(metric: str, value: float) -> str:
    """Return why a value is none, as no body can do it; empty where one can."""
    of = CATALOGUE[metric]
    return "" if of.plausible(value) else f"implausible: {value:.4g} {of.unit_text}".strip()


def reported(metric: str, value: float, at_s: float, algorithm: str, *, spoilt: str = "", doubt: str = "") -> Result:
    """Return a device's own value as a result.

    Args:
        metric: Id in the catalogue.
        value: In the catalogue's unit; NaN for none.
        at_s: When it was measured, gateway seconds.
        algorithm: Name and version of who passes it on.
        spoilt: Why there is no such value, whatever the device says; empty if nothing is wrong.
        doubt: Why it may be wrong.
    """
    reason = spoilt or (NO_VALUE if not math.isfinite(value) else "")
    if not reason and not CATALOGUE[metric].plausible(value):
        reason = IMPLAUSIBLE
    if reason:
        return Result(metric, None, "none", at_s, at_s, 1, algorithm, quality="invalid", reason=reason)
    return Result(metric, value, "none", at_s, at_s, 1, algorithm, quality="degraded" if doubt else "ok", reason=doubt)
