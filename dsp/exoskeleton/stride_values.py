"""What one joint of an exoskeleton did in one stride: torque, power, work, and what passed between limb and frame.

Power is torque times angular velocity: positive where the device moves the limb on, negative where it brakes it. Work
is its integral, what is positive and what is negative apart (trapezoids; where it changes sign between two samples,
each part up to there).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.exoskeleton_metrics import MOST_ANGLE_DEG, MOST_TORQUE_NM
from dsp.joints.cycle import POINTS, Stride

Floats = NDArray[np.float64]

MOST_LOST: Final = 3  # samples in a row that straight lines replace: at 100 Hz a thirtieth of a stride
MOST_VELOCITY_DEG_S: Final = 1500.0  # three times the fastest knee that walks
LOST = "samples lost"
BRIDGED = "short gaps bridged"
NO_ANGLE = "joint angle not told"
SMOOTHED_S: Final = 0.08  # to each side, of torque before it is multiplied: 9 Hz, twice what gait has (Winter)
LEAST_POWER_W = 0.5  # mean of both together, below which a share of it means nothing


@dataclass(frozen=True, slots=True)
class JointSignals:
    """Samples of one joint around a stride; NaN where not known.

    Attributes:
        time_s: (n,) rising.
        angle: Degrees.
        velocity: Degrees a second.
        torque: Nm, measured.
        interaction: Nm, between limb and frame.
        desired: Degrees, where the controller wants the joint.
    """

    time_s: Floats
    angle: Floats
    velocity: Floats
    torque: Floats
    interaction: Floats
    desired: Floats


@dataclass(frozen=True, slots=True)
class JointStride:
    """What came of it.

    Attributes:
        n: Samples that went in; 0 where too many are missing.
        reason: Why that is not all; empty otherwise.
        values: By what their metrics end with, physical units; what the device does not measure is not there.
        curves: (101,) over the stride, by quantity.
    """

    n: int = 0
    reason: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Floats] = field(default_factory=dict)


def joint_stride(signals: JointSignals, stride: Stride, period_s: float) -> JointStride:
    """Return what a joint did in a stride, of samples that come every ``period_s``."""
    signals = _believed(signals)
    torque = signals.torque
    turning = _velocity(signals, stride)
    known = ~np.isnan(torque) if turning is None else ~np.isnan(torque + turning)
    rows = _around(signals.time_s, known, stride)
    if rows is None or np.diff(signals.time_s[rows]).max() > (MOST_LOST + 1.5) * period_s:
        return JointStride(reason=LOST)
    t = signals.time_s[rows]
    bridged = bool(np.diff(t).max() > 1.5 * period_s)
    # At even steps, so that what is missing is replaced before it is multiplied.
    even = np.linspace(stride.start_s, stride.end_s, max(2, math.ceil((stride.end_s - stride.start_s) / period_s) + 1))
    tau = np.interp(even, t, torque[rows])
    within = (t >= stride.start_s) & (t <= stride.end_s)
    values = {"torque_peak": _furthest(torque[rows][within]), "torque_rms": _rms(tau, even)}
    curves = {"torque": torque}
    extra = _interaction(signals, rows, even)
    if extra is not None:
        values["interaction_torque_peak"] = _furthest(signals.interaction[rows][within])
    if turning is not None:
        omega = np.interp(even, t, np.radians(turning[rows]))
        own = smoothed(tau, round(SMOOTHED_S / period_s)) * omega
        values |= _work(even, own)
        if extra is not None:
            values |= _assisted(even, own, own + extra * omega)
        curves["power"] = torque * np.radians(turning)
    values |= _tracking(signals, rows, even)
    curves["angle"] = signals.angle
    grid = np.linspace(stride.start_s, stride.end_s, POINTS)
    drawn = {name: np.interp(grid, t, curve[rows]) for name, curve in curves.items()}
    whole = {name: curve for name, curve in drawn.items() if not np.isnan(curve).any()}
    return JointStride(int(within.sum()), BRIDGED if bridged else "", values, whole)


def _believed(signals: JointSignals) -> JointSignals:
    """Return the samples without what no joint does."""
    return JointSignals(
        signals.time_s,
        _below(MOST_ANGLE_DEG, signals.angle),
        _below(MOST_VELOCITY_DEG_S, signals.velocity),
        _below(MOST_TORQUE_NM, signals.torque),
        _below(MOST_TORQUE_NM, signals.interaction),
        _below(MOST_ANGLE_DEG, signals.desired),
    )


def _below(most: float, values: Floats) -> Floats:
    return np.where(np.abs(values) <= most, values, np.nan)


def _velocity(signals: JointSignals, stride: Stride) -> Floats | None:
    """Return degrees a second, by the angle where the device tells no velocity; None where it tells neither."""
    within = (signals.time_s >= stride.start_s) & (signals.time_s <= stride.end_s)
    if not np.isnan(signals.velocity[within]).all():
        return signals.velocity
    known = ~np.isnan(signals.angle)
    if np.count_nonzero(known & within) < 2:
        return None
    found = np.full(len(known), np.nan)
    found[known] = np.gradient(signals.angle[known], signals.time_s[known])
    return found


def _around(time_s: Floats, known: NDArray[np.bool_], stride: Stride) -> NDArray[np.intp] | None:
    """Return the known rows from the last before a stride to the first behind it; None where there is none of these."""
    rows = np.flatnonzero(known)
    first = int(np.searchsorted(time_s[rows], stride.start_s, side="right")) - 1
    last = int(np.searchsorted(time_s[rows], stride.end_s, side="left"))
    return None if first < 0 or last >= len(rows) else rows[first : last + 1]


def _interaction(signals: JointSignals, rows: NDArray[np.intp], even: Floats) -> Floats | None:
    """Return the interaction torque at even steps; None where the device does not measure it all through the stride."""
    interaction = signals.interaction[rows]
    return None if np.isnan(interaction).any() else np.interp(even, signals.time_s[rows], interaction)


def _work(time_s: Floats, power: Floats) -> dict[str, float]:
    given, taken = integral_of_positive(time_s, power), integral_of_positive(time_s, -power)
    return {"power_peak": float(power.max()), "work_pos": given, "work_neg": -taken}


def _assisted(time_s: Floats, own: Floats, both: Floats) -> dict[str, float]:
    """Return the share of the device in what moves the joint, per cent (definition "est")."""
    whole = _integral(time_s, np.abs(both))
    if whole < LEAST_POWER_W * (time_s[-1] - time_s[0]):
        return {}
    return {"assist_pct_est": 100.0 * _integral(time_s, np.abs(own)) / whole}


def _tracking(signals: JointSignals, rows: NDArray[np.intp], even: Floats) -> dict[str, float]:
    away = signals.desired[rows] - signals.angle[rows]
    return {} if np.isnan(away).any() else {"tracking_rmse": _rms(np.interp(even, signals.time_s[rows], away), even)}


def integral_of_positive(time_s: Floats, value: Floats) -> float:
    """Return the integral over the times (n,) of what is positive of a value (n,) on straight lines."""
    a, b, dt = value[:-1], value[1:], np.diff(time_s)
    high, low = np.maximum(a, b), np.minimum(a, b)
    crossing = (high > 0.0) & (low < 0.0)
    rise = np.where(crossing, high - low, 1.0)
    return float((np.where(crossing, high * high / rise, np.maximum(a, 0.0) + np.maximum(b, 0.0)) * dt).sum() / 2)


def smoothed(value: Floats, to_side: int) -> Floats:
    """Return values of a stride (n,) without the noise that work, which has a sign, would add up as if it were some.

    Each is that of the parabola through itself and so many to each side (Savitzky and Golay 1964): peaks stay. A
    stride is taken to go on as it began.
    """
    to_side = min(to_side, (len(value) - 1) // 2)
    if to_side < 2:
        return value
    j = np.arange(-to_side, to_side + 1)
    weights = 3.0 * (3 * to_side * (to_side + 1) - 1 - 5 * j * j)
    weights /= weights.sum()
    return np.convolve(np.concatenate([value[-to_side - 1 : -1], value, value[1 : to_side + 1]]), weights, "valid")


def _integral(time_s: Floats, value: Floats) -> float:
    return float(((value[:-1] + value[1:]) * np.diff(time_s)).sum() / 2)


def _rms(value: Floats, time_s: Floats) -> float:
    return math.sqrt(_integral(time_s, value * value) / float(time_s[-1] - time_s[0]))


def _furthest(values: Floats) -> float:
    """Return what is furthest from zero, with its sign."""
    return float(values[np.abs(values).argmax()])
