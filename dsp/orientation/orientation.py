"""Orientation of inertial sensors against the earth, streaming, many sensors in one call, lost samples included.

Frames: a quaternion (w, x, y, z) turns sensor coordinates into earth coordinates (x east, y north, z up; magnetic
north). Without magnetometer the heading starts at whatever it is and drifts slowly.
Source: Laidig and Seel, VQF, Information Fusion 91 (2023), doi 10.1016/j.inffus.2022.10.014; what happens at gaps,
missing and frozen channels is our own (``dsp.orientation.gap``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from dsp.arrays import require_shape
from dsp.batch import Batch
from dsp.orientation.field import LOOK_EVERY
from dsp.orientation.layout import (
    ACC_MISSING,
    AT_REST,
    BESIDE,
    BRIDGED,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    OLD,
    PARAMS,
    PAST,
    RECOVERING,
    STATE,
)
from dsp.orientation.past import no_past
from dsp.orientation.run import follow_all
from dsp.orientation.table import TABLE
from dsp.units import UnitWatch, require_units

__all__ = [
    "ACC_MISSING",
    "ALGORITHM",
    "AT_REST",
    "BRIDGED",
    "FROZEN",
    "GYR_MISSING",
    "MAG_DISTURBED",
    "MAG_MISSING",
    "OLD",
    "RECOVERING",
    "Orientation",
    "OrientationParams",
    "Orientations",
    "orient",
]

ALGORITHM = "orientation-vqf/2"

RATE_RANGE_HZ = (10.0, 2000.0)  # below, a step turns too far between two samples; above, no IMU measures

_VARIANCE_UNIT = 100.0  # bias variances are kept in (0.01 deg/s)^2, near 1, away from the ends of the number range
_NO_FIELD = np.zeros((0, 3))


@dataclass(frozen=True, slots=True)
class Orientations:
    """What the filter says about a batch of ``m`` samples of ``k`` sensors.

    Attributes:
        quaternion: (m, 4) w, x, y, z, norm 1: sensor to earth, at each sample; held where the sample is unusable.
        flags: (m,) int64, bits AT_REST, MAG_DISTURBED, ACC_MISSING, GYR_MISSING, MAG_MISSING, RECOVERING, BRIDGED,
            FROZEN, OLD.
        inclination_sd_rad: (k,) standard uncertainty of the inclination of each sensor after its newest sample.
        heading_sd_rad: (k,) the same of the heading: from north with a magnetometer, else from where it started.
    """

    quaternion: NDArray[np.float64]
    flags: NDArray[np.int64]
    inclination_sd_rad: NDArray[np.float64]
    heading_sd_rad: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrientationParams:
    """Time constants and limits. The paper's where it has them. Seconds, deg/s for rates and biases, degrees.

    Attributes:
        acc_s: Time constant of the gravity average.
        mag_s: Time constant of the heading correction.
        bias_start: Uncertainty of the gyroscope bias at the start.
        bias_forget_s: Time in which it grows from 0 to 0.1 deg/s.
        bias_clip: Largest bias.
        bias_motion: Uncertainty reached in motion.
        bias_vertical: Weight of the assumption that the bias about the vertical, unseen in motion, is zero.
        bias_rest: Uncertainty reached at rest.
        rest_s: Calm time that makes rest.
        rest_filter_s: Time constant against which calm is judged.
        rest_gyr: Largest deviation of the angular rate at rest.
        rest_acc: Largest deviation of the specific force at rest, m/s^2.
        field_s: Time constant of norm and dip of the magnetic field.
        ref_s: Time constant with which the reference field is followed.
        norm_band: Deviation of the norm that is a disturbance, as a share.
        dip_band: Deviation of the dip that is a disturbance.
        new_s: Time in motion after which another field becomes the reference.
        new_first_s: The same for the first reference.
        new_gyr: Angular rate that counts as motion for that.
        undisturbed_s: Time after which an undisturbed field is trusted.
        reject_s: Longest time for which a disturbed field is left out.
        reject_factor: How much slower it is followed after that.
        bridge_s: Longest run of lost samples that is interpolated; above 1.6 kHz no more than are kept.
        frozen_s: Time for which a living channel may repeat its value: magnetometers are read at 10 Hz and more. In
            motion no axis of angular rate or specific force does so either.

        frozen_gyr_s: The same of an angular rate in motion, which never stands still.
        weave_s: Time after a gap in which the field before and after are laid on each other.
        weave_noise: Noise of the field's direction, of a sample, movement included.
        mag_noise: Error of the heading in the field, which lasts for ``noise_s``.
        noise_s: See there: tables and door frames are passed, not jumped.
        acc_noise_s: Time for which movement adds to gravity in one direction, weighed by how it averages out.
        usual_s: Time over which the field before a gap is averaged.
        iron_s: Time over which the field of iron on the sensor is told from that of the place.
        find_s: Time in which gravity is found again after the orientation was lost; only then the heading.
        drift: Error of the angle that a gyroscope of known bias gathers in a second.
    """

    acc_s: float = 3.0
    mag_s: float = 9.0
    bias_start: float = 0.5
    bias_forget_s: float = 100.0
    bias_clip: float = 2.0
    bias_motion: float = 0.1
    bias_vertical: float = 0.0001
    bias_rest: float = 0.03
    rest_s: float = 1.5
    rest_filter_s: float = 0.5
    rest_gyr: float = 2.0
    rest_acc: float = 0.5
    field_s: float = 0.05
    ref_s: float = 20.0
    norm_band: float = 0.1
    dip_band: float = 10.0
    new_s: float = 20.0
    new_first_s: float = 5.0
    new_gyr: float = 20.0
    undisturbed_s: float = 0.5
    reject_s: float = 60.0
    reject_factor: float = 2.0
    bridge_s: float = 0.3
    frozen_s: float = 0.15
    frozen_gyr_s: float = 0.03
    weave_s: float = 0.03
    weave_noise: float = 3.0
    mag_noise: float = 16.0
    mag_worth: float = 6.0
    noise_s: float = 0.15
    acc_noise_s: float = 0.01
    usual_s: float = 9.0
    iron_s: float = 15.0
    find_s: float = 1.0
    drift: float = 0.25

    def for_rate(self, rate_hz: float, *, mag: bool) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        p = np.zeros(1, PARAMS)
        dt = 1.0 / rate_hz
        p["dt"] = dt
        p["rate_hz"] = rate_hz
        p["slow_share"] = dt / self.acc_s
        p["has_mag"] = mag
        for name, tau in (("slow", self.acc_s), ("quick", self.rest_filter_s), ("field", self.field_s)):
            p[name][0] = _low_pass(tau, dt)
            p[f"{name}_s"] = tau
        self._set_rest_and_bias(p, dt)
        self._set_field(p, dt)
        p["bridge"] = min(round(self.bridge_s * rate_hz), PAST - 2 * BESIDE - 1)
        p["frozen"] = max(3, round(self.frozen_s * rate_hz))
        p["frozen_gyr"] = max(4, round(self.frozen_gyr_s * rate_hz))
        p["weave"] = max(2, round(self.weave_s * rate_hz))
        p["weave_noise"] = math.radians(self.weave_noise) ** 2
        p["mag_noise"] = math.radians(self.mag_noise) ** 2 * self.noise_s * rate_hz
        p["mag_worth"] = math.radians(self.mag_worth) ** 2
        p["acc_span"] = self.acc_noise_s * rate_hz
        p["usual_gain"] = -math.expm1(-dt / self.usual_s)
        p["look_gain"] = -math.expm1(-dt * LOOK_EVERY / self.iron_s)
        p["find"] = self.find_s * rate_hz
        p["open_least"] = 1.0 / (self.find_s * rate_hz)
        p["shake_gain"] = -math.expm1(-dt)
        p["drift"] = math.radians(self.drift) ** 2 * dt
        return p

    def _set_rest_and_bias(self, p: NDArray[np.void], dt: float) -> None:
        p["rest_gyr"] = math.radians(self.rest_gyr) ** 2
        p["rest_acc"] = self.rest_acc**2
        p["rest_s"] = self.rest_s
        drift = (0.1 * _VARIANCE_UNIT) ** 2 * dt / self.bias_forget_s
        motion, rest = (self.bias_motion * _VARIANCE_UNIT) ** 2, (self.bias_rest * _VARIANCE_UNIT) ** 2
        p["bias_start"] = (self.bias_start * _VARIANCE_UNIT) ** 2
        p["bias_drift"] = drift
        p["bias_motion"] = motion * motion / drift + motion
        p["bias_vertical"] = p["bias_motion"] / self.bias_vertical
        p["bias_rest"] = rest * rest / drift + rest
        p["bias_clip"] = math.radians(self.bias_clip)

    def _set_field(self, p: NDArray[np.void], dt: float) -> None:
        p["mag_s"] = self.mag_s
        p["mag_gain"] = 1.0 - math.exp(-dt / self.mag_s)
        p["ref_gain"] = 1.0 - math.exp(-dt / self.ref_s)
        p["norm_band"] = self.norm_band
        p["dip_band"] = math.radians(self.dip_band)
        p["new_s"] = self.new_s
        p["new_first_s"] = self.new_first_s
        p["new_gyr"] = math.radians(self.new_gyr) ** 2
        p["undisturbed_s"] = self.undisturbed_s
        p["reject_s"] = self.reject_s
        p["reject_factor"] = self.reject_factor


def _low_pass(tau: float, dt: float) -> tuple[float, float, float]:
    """Return b0, a1, a2 of a second-order Butterworth low-pass whose step response takes ``tau`` seconds."""
    c = math.tan(dt / (math.sqrt(2.0) * tau))
    d = c * c + math.sqrt(2.0) * c + 1.0
    return c * c / d, 2.0 * (c * c - 1.0) / d, (c * c - math.sqrt(2.0) * c + 1.0) / d


def _fresh(params: NDArray[np.void]) -> NDArray[np.void]:
    """Return the state before the first sample."""
    s = np.zeros((), STATE)
    s["turn"][0] = s["tilt"][0] = s["upright"][0] = s["heading"][0] = 1.0
    s["bias"][[3, 6, 8]] = params["bias_start"]
    s["field"] = (0.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0)
    s["reject_s"] = params["reject_s"]
    s["start_gain"] = 1.0
    s["found_n"] = -1.0
    s["kind"] = -params["dt"] if params["has_mag"] else params["dt"]
    s["tilt_var"] = 1.0
    s["heading_var"] = float(params["has_mag"])
    return s


def _records(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return an array whose elements have their fields as attributes: compiled they do, and a subclass costs 2 us."""
    return rows.view(np.recarray) if numba.config.DISABLE_JIT else rows


class Orientation:
    """Streaming orientation of many sensors, one kernel call a batch.

    The same samples in any chunking, one by one or all at once, alone or beside others, give the same bits.
    Attached sensors cost about 8 kB each, 6 of them for what their angular rates were lately.
    """

    def __init__(self, params: OrientationParams | None = None) -> None:
        self._params = params or OrientationParams()
        self._rows = np.zeros(0, PARAMS)
        self._state = np.zeros(0, STATE)
        self._past = no_past(0)
        self._used = np.zeros(0, np.bool_)
        self._units = UnitWatch()
        self._table = _records(np.zeros(1, TABLE))
        self._view()

    def attach(self, rate_hz: float, *, mag: bool = False) -> int:
        """Return the number of a new sensor sampled at ``rate_hz``, with or without a magnetometer."""
        low, high = RATE_RANGE_HZ
        if not low <= rate_hz <= high:
            raise ValueError(f"orientation needs {low:g} to {high:g} Hz, not {rate_hz:g} Hz")
        free = np.flatnonzero(~self._used)
        if len(free) == 0:
            room = max(8, len(self._used))
            self._rows = np.concatenate([self._rows, np.zeros(room, PARAMS)])
            self._state = np.concatenate([self._state, np.zeros(room, STATE)])
            self._past = np.concatenate([self._past, no_past(room)])
            self._used = np.concatenate([self._used, np.zeros(room, np.bool_)])
            self._units.grow(room)
            self._view()
            free = np.flatnonzero(~self._used)
        sensor = int(free[0])
        self._used[sensor] = True
        self._rows[sensor] = self._params.for_rate(rate_hz, mag=mag)[0]
        self._state[sensor] = _fresh(self._rows[sensor])
        self._units.forget(sensor)
        return sensor

    def detach(self, sensor: int) -> None:
        """Forget a sensor; its number may be given to another."""
        self._check(sensor)
        self._used[sensor] = False

    def process(self, batch: Batch, mag: NDArray[np.float64] | None = None) -> Orientations:
        """Return the orientation at each sample of a batch.

        ``mag`` is (m, 3) beside the batch's rows, in any unit up to thousands (microtesla, or relative to the earth's
        field), NaN where unknown. Samples that are not newer than the newest one of their sensor change nothing.
        """
        numbers = batch.sensor
        m, k = len(batch.index), len(numbers)
        if mag is not None:
            require_shape("mag", mag, (m, 3), np.float64)
        quaternion, flags, sd = np.empty((m, 4)), np.empty(m, np.int64), np.empty((2, k))
        attached = follow_all(
            self._used,
            self._row_records,
            self._state_records,
            self._numbers,
            self._past,
            self._table,
            (numbers, batch.start, batch.index),
            (batch.acc, batch.gyr, _NO_FIELD if mag is None else mag),
            (quaternion, flags),
            sd,
        )
        if not attached:
            raise KeyError("the batch holds a sensor that is not attached")
        self._units.look(batch)
        return Orientations(quaternion, flags, sd[0], sd[1])

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor; empty if nothing is."""
        self._check(sensor)
        return self._units.doubt(sensor)

    def _view(self) -> None:
        self._row_records, self._state_records = _records(self._rows), _records(self._state)
        self._numbers = self._state.view(np.float64).reshape(len(self._state), STATE.itemsize // 8)

    def _check(self, sensor: int) -> None:
        if not 0 <= sensor < len(self._used) or not self._used[sensor]:
            raise KeyError(f"sensor {sensor} is not attached")


def orient(
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    mag: NDArray[np.float64] | None,
    rate_hz: float,
    *,
    index: NDArray[np.int64] | None = None,
    params: OrientationParams | None = None,
) -> NDArray[np.float64]:
    """Return the orientation at each sample of a whole recording, as the stream would have said it.

    Args:
        acc: (n, 3) specific force, m/s^2.
        gyr: (n, 3) angular velocity, rad/s.
        mag: (n, 3) magnetic field, or None.
        rate_hz: Sampling rate.
        index: (n,) sample numbers, where some are missing.
        params: Other than the paper's.

    Returns:
        (n, 4) quaternions w, x, y, z: sensor to earth (x east, y north, z up).

    Raises:
        ValueError: where the arrays do not fit together, or are in other units.
    """
    filter_ = Orientation(params)
    sensor = filter_.attach(rate_hz, mag=mag is not None)
    numbers = np.arange(len(acc)) if index is None else index
    field = None if mag is None else np.ascontiguousarray(mag, np.float64)
    batch = Batch.single(numbers, acc, gyr, sensor)
    require_units(batch.acc, batch.gyr)
    return filter_.process(batch, field).quaternion
