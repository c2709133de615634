"""Frames in, measurements out: the one path of live data and of replays.

Time moves in steps: a step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what
is computed is a function of the frames and their arrival stamps alone, and a recording gives the same measurements
as the live run did. Nothing in here reads a clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from config.settings import Device, Settings
from drivers.packet import StreamSpec
from dsp.catalogue import CATALOGUE
from dsp.result import Result
from gateway.analysis.backlog import Backlog, KeptStep
from gateway.analysis.battery import INTAKE_ALGORITHM
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.modality import Modality
from gateway.analysis.needs import CLOCKS, UNREADY_CHANNEL, compiled_streams, needs_of, unready_of
from gateway.analysis.operators import Banks
from gateway.analysis.subject import Subject
from gateway.analysis.ward_operators import Said
from gateway.analysis.wearers import Wearers
from gateway.clocks.device_clock import NS
from gateway.clocks.timeline import Floats
from gateway.intake.frames import STEP_NS, WARD_CHANNEL, Numbered, Origin, move_origin, part_frames
from gateway.intake.intake import Arrived, ArrivedBatch, Intake, Intakes
from gateway.intake.placeable import Placeable
from gateway.model.measurements import Fields, Measurements
from gateway.model.ward import Ward, decode_ward, ward_of
from gateway.wire.curves import SlotCurves

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.mounting.alignment import Mounting

GAP_SAID_S = 0.2  # no operator bridges more, so from here on an absence changes what is computed
DOUBT_STEPS = 20  # one second: units are looked at over seconds
NOT_ANALYSED = "not analysed: movement analysis was being prepared"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tapped:
    """Samples in a row of one stream, as they go to the analysis, and whose they are.

    Attributes:
        device: The device, with where and how it is worn.
        spec: The stream: channels, units and rate.
        slot: The bed.
        subject: Who wears it, by pseudonym.
        session: Id of the session in force.
        before: Number of the sample that came before these; -1 before the first of the run.
        first: Number of the first sample since the start of the run; lost ones count.
        start_s: Gateway time of the first sample, seconds.
        samples: (n, channels); NaN in place of lost ones.
    """

    device: Device
    spec: StreamSpec
    slot: str
    subject: str
    session: str
    before: int
    first: int
    start_s: float
    samples: Floats


Tap = Callable[[Tapped], None]


class Pipeline:
    """All devices of a gateway, all subjects, one step at a time.

    Args:
        settings: The configuration, with the first ward.
        origin: Second 0. Wall-clock steps after it move nothing.
        sessions: Session id of each slot of the first ward.
        modalities: What is measured by: the table.

    Attributes:
        ward: Who is in which bed, wearing what, from the end of the newest step on.
        intakes: The devices that were ever worn in this run, by number.
        doubts: By device number, why what it measures seems to be in other units: what is computed from it is marked.
    """

    def __init__(
        self,
        settings: Settings,
        origin: Origin,
        sessions: Mapping[str, str],
        modalities: Sequence[Modality] = MODALITIES,
    ) -> None:
        self.origin = origin
        self.end_ns = origin.monotonic_ns
        self._intakes = Intakes(origin.monotonic_ns)
        self.intakes = self._intakes.all
        self.taps: dict[tuple[str, str], Tap] = {}
        self._modalities = modalities
        self._backlog = Backlog(self.intakes, compiled_streams(modalities))
        self._banks = Banks(self._refuse, modalities)
        self._subjects: dict[str, Subject] = {}
        self._curves: dict[str, SlotCurves] = {}
        self._simulated = settings.simulated
        self.doubts: dict[int, str] = {}
        self._steps = 0
        self._wearers = Wearers()
        self.ward: Ward = ()
        self._change_ward(ward_of(settings, sessions), 0.0)

    def step(self, frames: Sequence[Numbered]) -> Measurements:
        """Take the frames that arrived in the next `STEP_NS`, in order of arrival; return what they completed.

        A change of the ward among them is in force from the end of the step on.
        """
        self.end_ns += STEP_NS
        self._steps += 1
        now_s = (self.end_ns - self.origin.monotonic_ns) / NS
        notes, frames = part_frames(frames)
        self.origin = move_origin(self.origin, notes)
        for note in notes:
            if note.channel == UNREADY_CHANNEL:
                self._wait_for(unready_of(note.data))
        packets = self._intakes.decode(frames)
        out: list[Fields] = []
        waiting: Collection[str] = tuple(self._backlog.waiting)
        if waiting:
            packets = self._backlog.keep(self._steps, now_s, packets)
            out += self._catch_up(waiting, self._backlog.due())
        out += self._analyse(KeptStep(self._steps, now_s, self._subjects.keys() - waiting), packets)
        for slot in waiting:
            out += self._measured(slot, self._subjects[slot].told())
        for note in notes:
            if note.channel == WARD_CHANNEL:
                out += self._obey(note.data, now_s)
        return Measurements(out)

    @property
    def unready(self) -> frozenset[str]:
        """Names of the kernels that some of the analysis waits for."""
        return self._backlog.unready

    def take_curves(self) -> list[SlotCurves]:
        """Return the mean curves of the joints that came since the last call, the newest of each slot."""
        curves, self._curves = list(self._curves.values()), {}
        return curves

    def finish(self) -> Measurements:
        """End of the run: return what was still open."""
        return Measurements([row for slot in self._subjects for row in self._finish(slot)])

    def mounting(self, number: int) -> Mounting | None:
        """Return how a device is found to be strapped on, where somebody looks for it."""
        return self._banks.mounting(number)

    def to_utc_us(self, seconds: float) -> int:
        """Return UTC microseconds of a gateway time in seconds."""
        return self.origin.utc_us + round(seconds * 1e6)

    def _analyse(self, step: KeptStep, packets: Sequence[Placeable]) -> list[Fields]:
        """Place the samples of a step, run the kernels over them, and return what came of it in its slots."""
        found = [each for arrived in self._intakes.place(packets) for each in self._arrived(arrived)]
        out = [row for _, row in sorted(found, key=itemgetter(0))]
        self._banks.step()
        if step.number % DOUBT_STEPS == 0:
            self.doubts = self._banks.doubts()
        for slot, subject in self._subjects.items():
            if slot not in step.slots:
                continue
            if said := subject.step(step.now_s):
                out += self._measured(slot, said)
            if curves := subject.curves(step.now_s):
                self._curves[slot] = SlotCurves(
                    slot, subject.session, subject.pseudonym, self._simulated, tuple(curves)
                )
        return out

    def _wait_for(self, unready: frozenset[str]) -> None:
        """Take which kernels are not ready: who needs one waits from now on, until all are."""
        self._backlog.unready = unready
        self._intakes.timelines.compiled = CLOCKS not in unready
        for slot, subject in self._subjects.items():
            self._hold(slot, subject)

    def _hold(self, slot: str, subject: Subject) -> None:
        devices = {number: self.intakes[number].device for number in subject.devices}
        if slot not in self._backlog.waiting and needs_of(devices, self._modalities) & self._backlog.unready:
            self._backlog.hold(slot, devices)

    def _catch_up(self, slots: Collection[str], steps: Iterable[KeptStep]) -> list[Fields]:
        """Analyse what was kept; where nothing is left, say of what nothing was."""
        out: list[Fields] = []
        for step in steps:
            out += self._analyse(step, Placeable.of(step.packets))
        for slot in slots:
            if slot not in self._backlog.waiting:
                out += self._left_out(self._subjects[slot].devices)
        return out

    def _left_out(self, devices: Sequence[int]) -> list[Fields]:
        """Say of which samples no analysis was made, because they found no room while kernels were compiled."""
        out: list[Fields] = []
        for number, gone in self._backlog.left_out(devices):
            start_s, end_s = ((ns - self.origin.monotonic_ns) / NS for ns in (gone.first_ns, gone.last_ns))
            gap = Result("stream_gap", end_s - start_s, "none", start_s, end_s, gone.samples, INTAKE_ALGORITHM,
                         quality="degraded", reason=NOT_ANALYSED)  # fmt: skip
            out.append(self._said(number, gap))
        return out

    def _obey(self, ward: bytes, now_s: float) -> list[Fields]:
        try:
            after = decode_ward(ward)
        except ValueError as problem:  # of a recording that somebody else wrote: a ward of ours has been checked
            log.warning("a change of the ward is passed over: %s", problem)
            return []
        return self._change_ward(after, now_s)

    def _change_ward(self, after: Ward, now_s: float) -> list[Fields]:
        """Take off what is worn no more, put on what is, and leave the other beds alone; return what that closed."""
        before = {bed.slot.id: bed for bed in self.ward}
        self._end_taps(self.ward, after)
        kept = {bed.slot.id for bed in after if bed.same_work(before.get(bed.slot.id))}
        out: list[Fields] = []
        for slot in [slot for slot in self._subjects if slot not in kept]:
            out += self._finish(slot)
            for number in self._subjects.pop(slot).devices:
                self._banks.take_off(number)
        numbers = iter(self._intakes.wear([(device, bed.slot.id) for bed in after for device in bed.slot.device]))
        for bed in after:
            devices = {next(numbers): device for device in bed.slot.device}
            if bed.slot.id not in kept:
                subject = self._subjects[bed.slot.id] = Subject(bed, devices, self._banks)
                self._hold(bed.slot.id, subject)
                if now_s > 0.0:
                    self._wearers.put_on(devices, now_s)
        self._subjects = {bed.slot.id: self._subjects[bed.slot.id] for bed in after}
        self.ward = after
        return out

    def _end_taps(self, before: Ward, after: Ward) -> None:
        """Whoever watches a device watches somebody: they have to ask again when that is somebody else."""
        was, now = (
            {device.id: bed.slot.subject for bed in ward for device in bed.slot.device} for ward in (before, after)
        )
        for key in [key for key in list(self.taps) if was.get(key[0]) != now.get(key[0])]:
            self.taps.pop(key, None)

    def _finish(self, slot: str) -> list[Fields]:
        out: list[Fields] = []
        if slot in self._backlog.waiting:
            out += self._catch_up((slot,), self._backlog.of(slot))
        return out + self._measured(slot, self._subjects[slot].finish())

    def _measured(self, slot: str, said: Iterable[Said]) -> list[Fields]:
        return [self._measure(slot, result, devices) for result, devices in said]

    def _arrived(self, batch: ArrivedBatch) -> list[tuple[int, Fields]]:
        """Take what arrived; return what that alone completed, with the number of each one's device."""
        worn = self._wearers.samples_of(batch)
        if worn is None:
            return []
        if self.taps:
            self._tap(worn)
        out: list[tuple[int, Fields]] = []
        if handed := self._banks.process(worn):
            modality, each = handed
            for at, number in enumerate(each.numbers.tolist()):
                slot = str(self.intakes[number].slot)
                said = self._subjects[slot].process(modality, each.one(at))
                out += [(number, self._measure(slot, result, devices)) for result, devices in said]
        for at, missing in enumerate(worn.missing):
            rate_hz = worn.streams[at].spec.rate_hz if missing else None
            if rate_hz and missing >= GAP_SAID_S * rate_hz:
                out += [(int(worn.numbers[at]), gap) for gap in self._gaps(worn.one(at), rate_hz)]
        return out

    def _refuse(self, number: int, reason: str) -> None:
        intake = self.intakes[number]
        log.warning("%s: %s", intake.device.id, reason)
        intake.note(reason)

    def _gaps(self, arrived: Arrived, rate_hz: float) -> list[Fields]:
        """Say each absence as what it is: a gap, not a zero and not an old value."""
        index = arrived.index
        out: list[Fields] = []
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

    def _tap(self, batch: ArrivedBatch) -> None:
        for at, intake in enumerate(batch.intakes):
            tap = self.taps.get((intake.device.id, batch.name))
            if tap is not None and batch.streams[at].spec.rate_hz:
                tap(self._tapped(intake, batch.one(at)))

    def _tapped(self, intake: Intake, arrived: Arrived) -> Tapped:
        index = arrived.index
        whole = np.full((int(index[-1] - index[0]) + 1, arrived.samples.shape[1]), np.nan)
        whole[index - index[0]] = arrived.samples
        subject, start_s = self._subjects[str(intake.slot)], float(arrived.timeline.at(index[:1].astype(float))[0])
        return Tapped(intake.device, arrived.spec, str(intake.slot), subject.pseudonym, subject.session,
                      arrived.before, int(index[0]), start_s, whole)  # fmt: skip

    def _said(self, number: int, result: Result) -> Fields:
        return self._measure(str(self.intakes[number].slot), result, (number,))

    def _doubted(self, result: Result, devices: Sequence[int]) -> Result:
        """Mark what rests on a device whose units are in doubt."""
        doubts = dict.fromkeys(doubt for number in devices if (doubt := self.doubts.get(number)))
        if not doubts:
            return result
        quality = "degraded" if result.quality == "ok" else result.quality
        return replace(result, quality=quality, reason="; ".join(filter(None, (result.reason, *doubts))))

    def _measure(self, slot: str, result: Result, devices: Sequence[int]) -> Fields:
        """Return a result as the fields of a `Measurement`."""
        subject = self._subjects[slot]
        if self.doubts and result.algorithm != INTAKE_ALGORITHM:
            result = self._doubted(result, devices)
        metric, ids, placement = result.metric, *subject.worn(devices)
        return (
            metric, result.value, CATALOGUE[metric].unit, result.side,
            self.to_utc_us(result.start_s), self.to_utc_us(result.end_s),
            None if result.sync_s is None else round(result.sync_s * 1000, 3),
            result.n, result.n_rejected, result.quality, result.reason, result.algorithm,
            ids, placement, slot, subject.session, subject.pseudonym, self._simulated,
        )  # fmt: skip
