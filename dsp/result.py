"""What a signal-processing operator finds: events and results on the gateway's time, without names or ids."""

from __future__ import annotations

from typing import Literal, NamedTuple

Side = Literal["left", "right", "both", "none"]
Quality = Literal["ok", "degraded", "invalid"]


class Result(NamedTuple):
    """One value of a catalogue metric over a time window; a ward makes thousands a second, and a tuple is made soonest.

    Attributes:
        metric: Identifier in ``dsp.catalogue``.
        value: In the catalogue's unit; None when there is none, and then ``reason`` says why.
        side: Which side of the body.
        start_s: Start of the window, seconds on the gateway clock.
        end_s: Its end; equal to ``start_s`` for an event.
        n: Strides, steps, beats or samples that went in.
        algorithm: Name and version.
        n_rejected: How many were left out as implausible.
        quality: ok, degraded or invalid.
        reason: Why not ok; empty otherwise.
        sync_s: Uncertainty between devices of the instants it rests on (1 sigma), seconds; None if unknown.
    """

    metric: str
    value: float | None
    side: Side
    start_s: float
    end_s: float
    n: int
    algorithm: str
    n_rejected: int = 0
    quality: Quality = "ok"
    reason: str = ""
    sync_s: float | None = None

    def doubted(self, reason: str) -> Result:
        """Return it with something more that is to be held against it."""
        quality: Quality = "degraded" if self.quality == "ok" else self.quality
        return self._replace(quality=quality, reason="; ".join(filter(None, (self.reason, reason))))
