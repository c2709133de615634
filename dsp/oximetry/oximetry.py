"""Oxygen saturation of one subject, as an oximeter reports it: what it says of its own measurement decides.

The bits are those of the Bluetooth SIG Pulse Oximeter Service (measurement status, device and sensor status). A value
that the device itself takes for none, or that is a demonstration, or comes out of its memory (perhaps of somebody
else), is not passed on; one that it doubts is degraded, with its words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import floats, require_one_length
from dsp.reported import KEPT, LONGEST_AGE_S, UNDATED, Pace, reported
from dsp.result import Result

ALGORITHM: Final = "oximetry/1"

SPOILT_BY_STATUS: Final = {
    9: KEPT,
    10: "demonstration data",
    11: "test data",
    12: "the device is being calibrated",
    13: "device reports no value",
    15: "device calls it invalid",
}
DOUBTED_BY_STATUS: Final = {6: "early estimate", 14: "device calls it questionable"}
SPOILT_BY_SENSOR: Final = {
    1: "device malfunction",
    7: "no pulse found",
    11: "sensor is not on the patient",
    13: "sensor has slipped",
    14: "sensor malfunction",
    15: "sensor is disconnected",
}
DOUBTED_BY_SENSOR: Final = {
    2: "irregular signal processing",
    3: "inadequate signal",
    4: "poor signal",
    5: "low perfusion",
    6: "erratic signal",
    8: "questionable pulse",
    9: "signal is being analysed",
    10: "interference",
    12: "unknown sensor",
}


class OximetryMetrics:
    """Saturation, pulse rate and perfusion, at most once a second; the same samples in any chunking give the same."""

    def __init__(self) -> None:
        self._pace, self._pace_of_kept = Pace(), Pace()  # what was kept takes nothing's place that is of now

    def add(
        self,
        t_s: ArrayLike,
        *,
        spo2: ArrayLike,
        pulse_rate: ArrayLike,
        perfusion: ArrayLike,
        status: ArrayLike,
        sensor_status: ArrayLike,
        age: ArrayLike,
        undated: ArrayLike = False,
    ) -> list[Result]:
        """Take measurements (n,).

        Args:
            t_s: When they arrived, seconds.
            spo2: Saturation, %.
            pulse_rate: Beats a minute.
            perfusion: Pulse amplitude index, %; NaN where the device has none: then nothing is said of it.
            status: Bits of the measurement status; NaN where it sends none.
            sensor_status: Bits of the device and sensor status; NaN likewise.
            age: How long before it was measured, seconds; NaN where unknown.
            undated: Whether it is stamped, and nothing tells how long ago that was; one for all, or (n,).
        """
        columns = {
            "t_s": t_s, "spo2": spo2, "pulse_rate": pulse_rate, "perfusion": perfusion, "status": status,
            "sensor_status": sensor_status, "age": age, "undated": np.broadcast_to(undated, np.shape(t_s)),
        }  # fmt: skip
        require_one_length(**columns)
        out: list[Result] = []
        for at, *values, state, sensor, aged, undatable in zip(*map(floats, columns.values()), strict=True):
            kept = KEPT if aged > LONGEST_AGE_S else ""
            spoilt = _first(state, SPOILT_BY_STATUS) or _first(sensor, SPOILT_BY_SENSOR) or kept
            if (self._pace_of_kept if spoilt == KEPT else self._pace).passes(at):
                doubt = _first(state, DOUBTED_BY_STATUS) or _first(sensor, DOUBTED_BY_SENSOR)
                doubt = doubt or (UNDATED if undatable else "")
                out += _results(at, values, spoilt, doubt)
        return out


def _results(at: float, values: Sequence[float], spoilt: str, doubt: str) -> Iterator[Result]:
    for metric, value in zip(("spo2", "pulse_rate", "perfusion_index"), values, strict=True):
        if metric != "perfusion_index" or math.isfinite(value):
            yield reported(metric, value, at, ALGORITHM, spoilt=spoilt, doubt=doubt)


def _first(bits: float, words: dict[int, str]) -> str:
    """Return the first of the words whose bit is set; empty for none, and where the device sends no bits."""
    if not math.isfinite(bits):
        return ""
    return next((word for bit, word in words.items() if int(bits) >> bit & 1), "")
