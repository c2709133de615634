"""An exoskeleton and the sensors on a leg in it: by how much samples of the one lie later than the other's.

Each is placed by its own clock, and the constant part of its link's delay stays in that: the joints' rate and the
shank's rate of turn are the same motion, and show it (`gateway.clocks.common_motion`). What is found is told, with its
uncertainty, and nothing is moved by it. Where it cannot be known, that is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from config.settings import Device
from drivers.exoskeleton import SIDES, STREAM
from dsp.result import Result, Side
from gateway.analysis.ward_operators import DeviceResult, PersonOperators, channel, placements, seconds
from gateway.clocks.common_motion import (
    KNEE_ALONE_S,
    LARGEST_S,
    LEAST_PARTS,
    PART_S,
    Floats,
    Series,
    lag_of,
    likeness,
    main_turning,
    offset_of,
)
from gateway.intake.arrived import Arrived, ArrivedBatch
from gateway.model.ward import Bed

METRIC: Final = "exo_clock_offset"
ALGORITHM: Final = "common-motion/1"
TURNING: Final = ("gyr_x", "gyr_y", "gyr_z")
OF_SENSORS: Final = ("imu", "rotation")
STREAMS: Final = (STREAM, *OF_SENSORS)

KEEP_S: Final = 30.0  # of samples: a stretch, what is beside it, and what one of two devices may be late by
NEWEST: Final = 12  # stretches that an offset is from: two minutes
EVERY_S: Final = 60.0  # from one telling to the next
WIDEST_GAP_S: Final = 0.2  # between two samples in a stretch
LEAST_RATE: Final = 20.0  # degrees/s of the joints, root mean square: below it, nobody walks
LEAST_TURNING: Final = 0.3  # rad/s of the sensor, likewise
ALIKE_S: Final = 0.05  # from the middle of all lags, beyond which one does not agree
AGREED: Final = 0.75  # of the lags must

STILL = "no common motion: the leg did not walk"
UNSURE = "no one offset fits: the motion of the joints and of the sensor is not alike, or is alike at several"
BROKEN = "samples are missing"
APART = "the stretches of walking do not agree"
KNEE_ALONE = "by the knee alone: the exoskeleton tells no hip, and no sensor is on the thigh"


class Kept:
    """The newest samples of one stream of one device, or of what was made of it."""

    def __init__(self) -> None:
        self._time_s: deque[Floats] = deque()
        self._values: deque[Floats] = deque()

    def add(self, time_s: Floats, values: Floats) -> None:
        """Append samples that are whole, and forget what is older than `KEEP_S`."""
        told = ~np.isnan(values).any(axis=1)
        time_s, values = time_s[told], values[told]
        if not len(time_s):
            return
        if self._time_s and time_s[0] <= self._time_s[-1][-1]:  # its clock was placed anew: what was before is void
            self._time_s.clear()
            self._values.clear()
        self._time_s.append(time_s)
        self._values.append(values)
        while self._time_s[0][-1] < time_s[-1] - KEEP_S:
            self._time_s.popleft()
            self._values.popleft()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._time_s)

    @property
    def oldest_s(self) -> float:
        """Time of the oldest sample."""
        return float(self._time_s[0][0])

    @property
    def newest_s(self) -> float:
        """Time of the newest sample."""
        return float(self._time_s[-1][-1])

    def between(self, begin_s: float, end_s: float) -> Series | None:
        """Return the samples of a time; None where some are missing in it."""
        time_s = np.concatenate(self._time_s)
        own = slice(*np.searchsorted(time_s, (begin_s - WIDEST_GAP_S, end_s + WIDEST_GAP_S)).tolist())
        series = Series(time_s[own], np.concatenate(self._values)[own])
        at = series.time_s
        if len(at) < 2 or at[0] > begin_s or at[-1] < end_s or float(np.diff(at).max()) > WIDEST_GAP_S:
            return None
        return series


@dataclass(slots=True)
class Leg:
    """One leg of an exoskeleton, and the sensors on it.

    Attributes:
        side: Which leg.
        exoskeleton: Number of the device.
        shank: Number of the sensor there.
        thigh: Number of the sensor there; None where there is none.
        hip: Whether the exoskeleton tells the hip's rate.
    """

    side: Side
    exoskeleton: int
    shank: int
    thigh: int | None
    hip: bool = True
    _next_s: float = -np.inf  # where the next stretch begins
    _told_s: float = np.nan  # end of the newest that was told; NaN before the first stretch
    _known: bool = False
    _steps_s: tuple[float, float] = (0.0, 0.0)
    _lags: deque[tuple[float, float | None, str]] = field(default_factory=deque)

    @property
    def devices(self) -> tuple[int, ...]:
        """Numbers of the devices that an offset is between; with the thigh only where that is needed."""
        of_knee = () if self.hip or self.thigh is None else (self.thigh,)
        return (self.exoskeleton, self.shank, *of_knee)

    def step(self, kept: Mapping[int, Kept], rate: Kept) -> Iterator[Result]:
        """Look at the stretches that are whole now; yield what is to be told."""
        own = [rate, *(kept[number] for number in self.devices[1:])]
        if not all(own):
            return
        self._next_s = max(self._next_s, *(each.oldest_s + LARGEST_S for each in own))
        if min(each.newest_s for each in own) < self._next_s + PART_S + LARGEST_S:
            return
        begin_s, self._next_s = self._next_s, self._next_s + PART_S
        if np.isnan(self._told_s):
            self._told_s = begin_s + LEAST_PARTS * PART_S - EVERY_S  # so that it is told as soon as it may be known
        self._lags.append((begin_s, *self._lag(begin_s, own)))
        while self._lags[0][0] <= begin_s - NEWEST * PART_S:
            self._lags.popleft()
        result = self._result(begin_s + PART_S)
        known = result.value is not None
        if (known and not self._known) or result.end_s >= self._told_s + EVERY_S:
            self._known, self._told_s = known, result.end_s
            yield result

    def _lag(self, begin_s: float, own: Sequence[Kept]) -> tuple[float | None, str]:
        """Return the lag of one stretch, or why there is none."""
        end_s = begin_s + PART_S
        whole = [each.between(begin_s - LARGEST_S, end_s + LARGEST_S) for each in own]
        series = [each for each in whole if each is not None]
        if len(series) < len(whole):  # what it is after a break, such as another connection, it need not have been
            self._lags.clear()
            return None, BROKEN
        joints, turning = series[0], series[1:]
        moved = joints.values[(joints.time_s >= begin_s) & (joints.time_s <= end_s)]
        if moved.std() < LEAST_RATE or turning[0].values.std(axis=0).max() < LEAST_TURNING:
            return None, STILL
        self._steps_s = joints.step_s, turning[0].step_s
        lag = lag_of(np.max([likeness(joints, each, begin_s) for each in self._turnings(turning)], axis=0))
        return lag, "" if lag is not None else UNSURE

    def _turnings(self, sensors: Sequence[Series]) -> list[Series]:
        """Return what may be the joint's rate by the sensors: the shank's, or the shank's less the thigh's."""
        shank = sensors[0]
        if len(sensors) == 1:
            return [shank]
        of_shank, of_thigh = (main_turning(each.values) for each in sensors)
        thigh = np.interp(shank.time_s, sensors[1].time_s, of_thigh)
        # Which way round each is strapped on is not known: of sum and difference, one is the knee.
        return [Series(shank.time_s, (of_shank + sign * thigh)[:, None]) for sign in (1, -1)]

    def _result(self, now_s: float) -> Result:
        found = [lag for _, lag, _ in self._lags if lag is not None]
        agreed = [lag for lag in found if abs(lag - float(np.median(found))) <= ALIKE_S]
        start_s, rejected = self._lags[0][0], len(self._lags) - len(agreed)
        reasons = [reason for _, lag, reason in self._lags if lag is None]
        if len(agreed) < LEAST_PARTS or len(agreed) < AGREED * len(found):
            reason = APART if len(found) >= LEAST_PARTS else max(reasons or [STILL], key=reasons.count)
            return Result(METRIC, None, self.side, start_s, now_s, 0, ALGORITHM, len(self._lags), "invalid", reason)
        alone = not self.hip and self.thigh is None
        offset = offset_of(agreed, len(agreed), self._steps_s, unlike_s=KNEE_ALONE_S if alone else 0.0)
        return Result(
            METRIC, 1000 * offset.seconds, self.side, start_s, now_s, offset.count, ALGORITHM, rejected,
            "degraded" if alone else "ok", KNEE_ALONE if alone else "", offset.uncertainty_s,
        )  # fmt: skip


class ClockOfPerson(PersonOperators):
    """The offsets between the exoskeleton that one person wears and the sensors on each leg in it.

    Args:
        legs: That have both.
    """

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = legs
        self._sensors = {number: Kept() for leg in legs for number in (leg.shank, leg.thigh) if number is not None}
        self._rates = {leg.side: Kept() for leg in legs}

    def process(self, arrived: Arrived) -> Sequence[DeviceResult]:
        """Keep what arrived of one of the devices."""
        time_s = seconds(arrived)
        if arrived.stream == STREAM:
            for leg in self._legs:
                if (rate := _shank_rate(arrived, leg)) is not None:
                    self._rates[leg.side].add(time_s, rate[:, None])
        elif arrived.number in self._sensors:
            self._sensors[arrived.number].add(time_s, np.stack([channel(arrived, axis) for axis in TURNING], axis=1))
        return ()

    def step(self, now_s: float) -> Sequence[DeviceResult]:
        """Return the offsets that are to be told."""
        del now_s
        return [
            (result, leg.devices) for leg in self._legs for result in leg.step(self._sensors, self._rates[leg.side])
        ]


class CommonClocks:
    """Which devices of a ward are an exoskeleton and sensors on a leg in it."""

    def __init__(self) -> None:
        self._of: dict[int, ClockOfPerson] = {}

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person."""
        del bed
        worn = placements(devices)
        if "exoskeleton" not in worn:
            return PersonOperators()
        exo = worn["exoskeleton"]
        legs = [
            Leg(side, exo, worn[f"{side}_shank"], worn.get(f"{side}_thigh"))
            for side in SIDES
            if f"{side}_shank" in worn
        ]
        if not legs:
            return PersonOperators()
        person = ClockOfPerson(legs)
        of_legs = {number for leg in legs for number in (leg.exoskeleton, leg.shank, leg.thigh) if number is not None}
        self._of |= dict.fromkeys(of_legs, person)
        return person

    def remove_device(self, number: int) -> None:
        """Forget a device."""
        self._of.pop(number, None)

    def add(self, arrived: ArrivedBatch) -> None:
        """Keep what arrived of the devices that are compared."""
        if self._of and arrived.name in STREAMS:
            for at, number in enumerate(arrived.numbers.tolist()):
                if number in self._of:
                    self._of[number].process(arrived.one(at))


def _shank_rate(arrived: Arrived, leg: Leg) -> Floats | None:
    """Return what the exoskeleton tells of how its shank turns: the hip's rate less the knee's, or the knee's alone."""
    names = arrived.spec.channels
    hip, knee = f"{leg.side}_hip_velocity", f"{leg.side}_knee_velocity"
    if knee not in names:
        return None
    rate = channel(arrived, knee)
    told = channel(arrived, hip) if hip in names else np.full(len(rate), np.nan)
    leg.hip = not bool(np.isnan(told).all())
    return told - rate if leg.hip else rate
