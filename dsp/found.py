"""What an operator of one sensor finds: a value and where it lies on the sensor's own grid, which knows no clock."""

from __future__ import annotations

from typing import NamedTuple

from dsp.result import Quality


class Found(NamedTuple):
    """One value of a catalogue metric, between two samples of the sensor that it was found with.

    Which side of the body it is of, follows from where the sensor is worn; when it was, from the sensor's clock.

    Attributes:
        metric: Identifier in ``dsp.catalogue``.
        value: In the catalogue's unit; None when there is none, and then ``reason`` says why.
        first: Number of the first sample that it describes; between two samples it may be a fraction.
        last: Of the last; equal to ``first`` for an event.
        n: Samples, steps or repetitions that went in.
        n_rejected: How many were left out.
        quality: ok, degraded or invalid.
        reason: Why not ok; empty otherwise.
        algorithm: Name and version of what found it; empty: that of the operator.
    """

    metric: str
    value: float | None
    first: float
    last: float
    n: int
    n_rejected: int = 0
    quality: Quality = "ok"
    reason: str = ""
    algorithm: str = ""
