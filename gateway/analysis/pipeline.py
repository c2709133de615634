"""Frames in, measurements out: the one path of live data and of replays.

Time moves in steps: a step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what
is computed is a function of the frames and their arrival stamps alone, and a recording gives the same measurements
as the live run did. Nothing in here reads a clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from config.settings import Settings
from dsp.alignment import Mounting
from dsp.catalogue import CATALOGUE
from dsp.result import Result
from gateway.analysis.axes import is_imu
from gateway.analysis.operators import Banks, numbered
from gateway.analysis.subject import Subject
from gateway.clocks.device_clock import NS
from gateway.clocks.timeline import Floats
from gateway.intake.frames import STEP_NS, Numbered, Origin, move_origin
from gateway.intake.intake import Arrived, Intakes
from gateway.model.measurement import Measurement
from gateway.wire.curves import SlotCurves

GAP_SAID_S = 0.2  # no operator bridges more, so from here on an absence changes what is computed
DOUBT_STEPS = 20  # one second: units are looked at over seconds
INTAKE_ALGORITHM = "intake/1"

log = logging.getLogger(__name__)

Tap = Callable[[float, Floats], None]


class Pipeline:
    """All devices of a gateway, all subjects, one step at a time.

    Args:
        settings: The configuration; devices are numbered in its order.
        origin: Second 0. Wall-clock steps after it move nothing.
        sessions: Session id of each slot.

    Attributes:
        doubts: By device number, why what it measures seems to be in other units: what is computed from it is marked.
    """

    def __init__(self, settings: Settings, origin: Origin, sessions: Mapping[str, str]) -> None:
        self.origin = origin
        self.end_ns = origin.monotonic_ns
        devices = [(device, slot.id) for slot in settings.slot for device in slot.device]
        self._intakes = Intakes(devices, origin.monotonic_ns)
        self.intakes = self._intakes.all
        self.taps: dict[tuple[str, str], Tap] = {}
        self._banks = Banks(settings, self._refuse)
        worn = numbered(settings)
        self._subjects = {slot.id: Subject(slot, worn[slot.id], self._banks) for slot in settings.slot}
        self._curves: dict[str, SlotCurves] = {}
        self._sessions = dict(sessions)
        self._simulated = settings.simulated
        self._battery: dict[int, float] = {}
        self.doubts: dict[int, str] = {}
        self._steps = 0

    def step(self, frames: Sequence[Numbered]) -> list[Measurement]:
        """Take the frames that arrived in the next `STEP_NS`, in order of arrival; return what they completed."""
        self.end_ns += STEP_NS
        self.origin, frames = move_origin(self.origin, frames)
        out: list[Measurement] = []
        for arrived in self._intakes.push(frames):
            out += self._arrived(arrived)
        self._banks.step()
        self._steps += 1
        if self._steps % DOUBT_STEPS == 0:
            self.doubts = self._banks.doubts()
        now_s = (self.end_ns - self.origin.monotonic_ns) / NS
        for slot, subject in self._subjects.items():
            out += [self._measure(slot, result, devices) for result, devices in subject.step(now_s)]
            if curves := subject.curves(now_s):
                self._curves[slot] = SlotCurves(
                    slot, self._sessions[slot], subject.pseudonym, self._simulated, tuple(curves)
                )
        return out

    def take_curves(self) -> list[SlotCurves]:
        """Return the mean curves of the joints that came since the last call, the newest of each slot."""
        curves, self._curves = list(self._curves.values()), {}
        return curves

    def finish(self) -> list[Measurement]:
        """End of the run: return what was still open."""
        out: list[Measurement] = []
        for slot, subject in self._subjects.items():
            out += [self._measure(slot, result, devices) for result, devices in subject.finish()]
        return out

    def mounting(self, number: int) -> Mounting | None:
        """Return how a device is found to be strapped on, where somebody looks for it."""
        return self._banks.mounting(number)

    def to_utc_us(self, seconds: float) -> int:
        """Return UTC microseconds of a gateway time in seconds."""
        return self.origin.utc_us + round(seconds * 1e6)

    def _arrived(self, arrived: Arrived) -> list[Measurement]:
        if self.taps:
            self._tap(arrived)
        banks = self._banks.fed[arrived.number]
        if banks and is_imu(arrived.spec.channels):
            for bank in banks:
                bank.add(arrived)
        elif arrived.stream == "heart_rate":
            self._subject(arrived).heart_rate(arrived)
        elif arrived.stream == "rr":
            self._subject(arrived).heart_beats(arrived)
        elif arrived.stream == "battery":
            return self._charge(arrived)
        rate_hz = arrived.spec.rate_hz
        return self._gaps(arrived, rate_hz) if rate_hz and arrived.missing >= GAP_SAID_S * rate_hz else []

    def _refuse(self, number: int, reason: str) -> None:
        intake = self.intakes[number]
        log.warning("%s: %s", intake.device.id, reason)
        intake.note(reason)

    def _subject(self, arrived: Arrived) -> Subject:
        return self._subjects[self.intakes[arrived.number].slot]

    def _charge(self, arrived: Arrived) -> list[Measurement]:
        number, value = arrived.number, float(arrived.samples[-1, 0])
        if self._battery.get(number) == value:
            return []
        self._battery[number] = value
        at = arrived.timeline.newest_s
        return [self._said(number, Result("battery_pct", value, "none", at, at, 1, INTAKE_ALGORITHM))]

    def _gaps(self, arrived: Arrived, rate_hz: float) -> list[Measurement]:
        """Say each absence as what it is: a gap, not a zero and not an old value."""
        index = arrived.index
        out: list[Measurement] = []
        steps = np.diff(index, prepend=arrived.before)
        for at in np.flatnonzero(steps - 1 >= GAP_SAID_S * rate_hz):
            last = index[at - 1] if at else arrived.before
            start, end = arrived.timeline.at(np.array([last, index[at]], float)).tolist()
            reason = "device clock restarted" if arrived.reset else "samples lost"
            out.append(
                self._said(
                    arrived.number,
                    Result("stream_gap", end - start, "none", start, end, int(steps[at]) - 1, INTAKE_ALGORITHM,
                           quality="degraded", reason=reason),
                )
            )  # fmt: skip
        return out

    def _tap(self, arrived: Arrived) -> None:
        tap = self.taps.get((self.intakes[arrived.number].device.id, arrived.stream))
        if tap is None or not arrived.spec.rate_hz:
            return
        index = arrived.index
        whole = np.full((int(index[-1] - index[0]) + 1, arrived.samples.shape[1]), np.nan)
        whole[index - index[0]] = arrived.samples
        tap(float(arrived.timeline.at(index[:1].astype(float))[0]), whole)

    def _said(self, number: int, result: Result) -> Measurement:
        return self._measure(self.intakes[number].slot, result, (number,))

    def _doubted(self, result: Result, devices: Sequence[int]) -> Result:
        """Mark what rests on a device whose units are in doubt."""
        doubts = dict.fromkeys(doubt for number in devices if (doubt := self.doubts.get(number)))
        if not doubts:
            return result
        quality = "degraded" if result.quality == "ok" else result.quality
        return replace(result, quality=quality, reason="; ".join(filter(None, (result.reason, *doubts))))

    def _measure(self, slot: str, result: Result, devices: Sequence[int]) -> Measurement:
        subject = self._subjects[slot]
        if self.doubts and result.algorithm != INTAKE_ALGORITHM:
            result = self._doubted(result, devices)
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
