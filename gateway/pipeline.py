"""Frames in, measurements out: the one path of live data and of replays.

Time moves in steps: a step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what
is computed is a function of the frames and their arrival stamps alone, and a recording gives the same measurements
as the live run did. Nothing in here reads a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from config.settings import Settings
from drivers.packet import Frame
from dsp.catalogue import CATALOGUE
from dsp.foot import FootContacts
from dsp.lower_back import LowerBack
from dsp.result import Result
from gateway.clock import NS
from gateway.intake import Arrived, Intake, axes_matrix
from gateway.measurement import Measurement
from gateway.movement import Bank
from gateway.subject import Subject
from gateway.timeline import Floats

STEP_NS = 50_000_000  # 50 ms: one kernel call serves all sensors, and nobody sees a twentieth of a second
GAP_SAID_S = 0.2  # no operator bridges more, so from here on an absence changes what is computed
IMU_CHANNELS = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
INTAKE_ALGORITHM = "intake/1"

Numbered = tuple[int, Frame]
Tap = Callable[[float, Floats], None]


@dataclass(frozen=True, slots=True)
class Origin:
    """The instant that is second 0: on the monotonic clock, and what the wall clock said then."""

    monotonic_ns: int
    utc_us: int


class Pipeline:
    """All devices of a gateway, all subjects, one step at a time.

    Args:
        settings: The configuration; devices are numbered in its order.
        origin: Second 0. Wall-clock steps after it move nothing.
        sessions: Session id of each slot.
    """

    def __init__(self, settings: Settings, origin: Origin, sessions: Mapping[str, str]) -> None:
        self.origin = origin
        self.end_ns = origin.monotonic_ns
        self.intakes = [Intake(d, slot.id, origin.monotonic_ns) for slot in settings.slot for d in slot.device]
        self.taps: dict[tuple[str, str], Tap] = {}
        self._axes = [axes_matrix(intake.device.axes) for intake in self.intakes]
        heights = {slot.id: slot.height_m for slot in settings.slot}
        feet, backs = FootContacts(), LowerBack()
        self._feet = Bank(feet, lambda _number, rate_hz: feet.attach(rate_hz))
        self._backs = Bank(
            backs, lambda number, rate_hz: backs.attach(rate_hz, heights[self.intakes[number].slot] or math.nan)
        )
        self._subjects = {
            slot.id: Subject(slot, {n: i for n, i in enumerate(self.intakes) if i.slot == slot.id})
            for slot in settings.slot
        }
        self._sessions = dict(sessions)
        self._simulated = settings.simulated
        self._battery: dict[int, float] = {}

    def step(self, frames: Sequence[Numbered]) -> list[Measurement]:
        """Take the frames that arrived in the next `STEP_NS`, in order of arrival; return what they completed."""
        self.end_ns += STEP_NS
        by_device: dict[int, list[Frame]] = {}
        for number, frame in frames:
            by_device.setdefault(number, []).append(frame)
        out: list[Measurement] = []
        for number in sorted(by_device):
            for arrived in self.intakes[number].push(by_device[number]):
                out += self._arrived(number, arrived)
        self._feet.step()
        self._backs.step()
        now_s = (self.end_ns - self.origin.monotonic_ns) / NS
        for slot, subject in self._subjects.items():
            results = subject.step(self._feet, self._backs, now_s)
            out += [self._measure(slot, result, devices) for result, devices in results]
        return out

    def finish(self) -> list[Measurement]:
        """End of the run: return what was still open."""
        out: list[Measurement] = []
        for slot, subject in self._subjects.items():
            out += [self._measure(slot, result, devices) for result, devices in subject.finish()]
        return out

    def to_utc_us(self, seconds: float) -> int:
        """Return UTC microseconds of a gateway time in seconds."""
        return self.origin.utc_us + round(seconds * 1e6)

    def _arrived(self, number: int, arrived: Arrived) -> list[Measurement]:
        intake = self.intakes[number]
        placement = intake.device.placement
        subject = self._subjects[intake.slot]
        if len(arrived.placed.index) == 0:
            return []
        if arrived.stream == "heart_rate":
            subject.heart_rate(number, arrived)
        elif arrived.stream == "rr":
            subject.heart_beats(number, arrived)
        elif arrived.stream == "battery":
            return self._charge(number, arrived)
        elif set(IMU_CHANNELS) <= set(arrived.spec.channels):
            self._movement(number, placement, arrived)
        self._tap(intake.device.id, arrived)
        return self._gaps(number, arrived)

    def _movement(self, number: int, placement: str, arrived: Arrived) -> None:
        columns = [arrived.spec.channels.index(name) for name in IMU_CHANNELS]
        samples = arrived.placed.samples[:, columns]
        acc, gyr = samples[:, :3] @ self._axes[number].T, samples[:, 3:] @ self._axes[number].T
        if placement in ("left_foot", "right_foot"):
            self._feet.add(number, arrived, acc, gyr)
        elif placement == "lower_back":
            self._backs.add(number, arrived, acc, gyr)

    def _charge(self, number: int, arrived: Arrived) -> list[Measurement]:
        value = float(arrived.placed.samples[-1, 0])
        if self._battery.get(number) == value:
            return []
        self._battery[number] = value
        at = arrived.timeline.newest_s
        return [self._said(number, Result("battery_pct", value, "none", at, at, 1, INTAKE_ALGORITHM))]

    def _gaps(self, number: int, arrived: Arrived) -> list[Measurement]:
        """Say each absence as what it is: a gap, not a zero and not an old value."""
        index = arrived.placed.index
        if arrived.placed.gap_s < GAP_SAID_S or not arrived.spec.rate_hz:
            return []
        out: list[Measurement] = []
        before = arrived.placed.before
        steps = np.diff(index, prepend=before)
        for at in np.flatnonzero(steps - 1 >= GAP_SAID_S * arrived.spec.rate_hz):
            last = index[at - 1] if at else before
            start, end = arrived.timeline.at(np.array([last, index[at]], float)).tolist()
            reason = "device clock restarted" if arrived.placed.reset else "samples lost"
            out.append(
                self._said(
                    number,
                    Result("stream_gap", end - start, "none", start, end, int(steps[at]) - 1, INTAKE_ALGORITHM,
                           quality="degraded", reason=reason),
                )
            )  # fmt: skip
        return out

    def _tap(self, device: str, arrived: Arrived) -> None:
        tap = self.taps.get((device, arrived.stream))
        if tap is None or not arrived.spec.rate_hz:
            return
        index = arrived.placed.index
        whole = np.full((int(index[-1] - index[0]) + 1, arrived.placed.samples.shape[1]), np.nan)
        whole[index - index[0]] = arrived.placed.samples
        tap(float(arrived.timeline.at(index[:1].astype(float))[0]), whole)

    def _said(self, number: int, result: Result) -> Measurement:
        return self._measure(self.intakes[number].slot, result, (number,))

    def _measure(self, slot: str, result: Result, devices: Sequence[int]) -> Measurement:
        subject = self._subjects[slot]
        worn = [self.intakes[number].device for number in devices]
        return Measurement(
            metric=result.metric,
            value=result.value,
            unit=CATALOGUE[result.metric].unit,
            side=result.side,
            start_us=self.to_utc_us(result.start_s),
            end_us=self.to_utc_us(result.end_s),
            sync_ms=None if result.sync_s is None else round(result.sync_s * 1000, 3),
            n=result.n,
            n_rejected=result.n_rejected,
            quality=result.quality,
            reason=result.reason,
            algorithm=result.algorithm,
            devices=tuple(d.id for d in worn),
            placement=tuple(d.placement for d in worn),
            slot=slot,
            session=self._sessions[slot],
            subject=subject.pseudonym,
            simulated=self._simulated,
        )
