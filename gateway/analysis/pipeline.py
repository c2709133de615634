"""Frames in, measurements out: the one path of live data and of replays.

Time moves in steps: a step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what
is computed is a function of the frames and their arrival stamps alone, and a recording gives the same measurements
as the live run did. Nothing in here reads a clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from config.settings import Settings
from gateway.analysis.afterwards import Afterwards, Found
from gateway.analysis.backlog import Backlog, KeptStep
from gateway.analysis.doubted import mark_doubted
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.modality import Modality
from gateway.analysis.needs import CLOCKS, UNREADY_CHANNEL, compiled_streams, needs_of, unready_of
from gateway.analysis.operators import Banks
from gateway.analysis.stream_gaps import LEAST_GAP_S, gap_of, gaps_within
from gateway.analysis.stream_taps import StreamTaps
from gateway.analysis.subject import Subject
from gateway.analysis.ward_operators import DeviceResult
from gateway.analysis.wearers import Wearers
from gateway.clocks.device_clock import NS
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.frames import STEP_NS, WARD_CHANNEL, Numbered, Origin, move_origin, part_frames
from gateway.intake.intakes import Intakes
from gateway.intake.placeable import Placeable
from gateway.intake.sent import SENT_CHANNEL
from gateway.model.measurements import Fields, Measurements
from gateway.model.ward import NOTHING_GOES_ON, GoingOn, Ward, decode_ward, ward_of
from gateway.wire.curves import SlotCurves

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.mounting.alignment import Mounting

DOUBT_STEPS = 20  # one second: units are looked at over seconds

log = logging.getLogger(__name__)

Watcher = Callable[[Sequence[Placeable]], None]


class Pipeline:
    """All devices of a gateway, all subjects, one step at a time.

    Args:
        settings: The configuration, with the first ward.
        origin: Second 0. Wall-clock steps after it move nothing.
        sessions: Session id of each slot of the first ward.
        going_on: Which of these sessions began before the run: no test in them is whole.
        modalities: What is measured by: the table.

    Attributes:
        ward: Who is in which bed, wearing what, from the end of the newest step on.
        intakes: The devices that were ever worn in this run, by number.
        sent: Which records each of them has sent.
        taps: Who watches a stream.
        watchers: Are told what is decoded, step by step, before it is placed in time; they must not raise.
        doubts: By device number, why what it measures seems to be in other units: what is computed from it is marked.
    """

    def __init__(
        self,
        settings: Settings,
        origin: Origin,
        sessions: Mapping[str, str],
        modalities: Sequence[Modality] = MODALITIES,
        *,
        going_on: GoingOn = NOTHING_GOES_ON,
    ) -> None:
        self.origin = origin
        self.end_ns = origin.monotonic_ns
        self._intakes = Intakes(origin.monotonic_ns)
        self.intakes, self.sent = self._intakes.all, self._intakes.sent
        self.taps = StreamTaps()
        self.watchers: list[Watcher] = []
        self._modalities = modalities
        self._backlog = Backlog(self.intakes, compiled_streams(modalities))
        self._banks = Banks(self._refuse, modalities)
        self._subjects: dict[str, Subject] = {}
        self._curves: dict[str, SlotCurves] = {}
        self._simulated = settings.simulated
        self.doubts: dict[int, str] = {}
        self._steps = 0
        self._wearers = Wearers(self._intakes)
        self._afterwards = Afterwards()
        self.ward: Ward = ()
        self._change_ward(ward_of(settings, sessions, going_on), 0.0)

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
            elif note.channel == SENT_CHANNEL:
                self.sent.remember(note.data, self.origin)
        packets = self._intakes.decode(frames)
        for watcher in self.watchers:
            watcher(packets)
        out: list[Fields] = []
        waiting: Collection[str] = tuple(self._backlog.waiting)
        if waiting:
            packets = self._backlog.keep(self._steps, now_s, packets)
            out += self._catch_up(waiting, self._backlog.due())
        out += self._analyse(KeptStep(self._steps, now_s, self._subjects.keys() - waiting), packets)
        for slot in waiting:
            out += self._completed(self._subjects[slot], self._subjects[slot].drain_results())
        out += self._of(self._afterwards.due(now_s))
        for note in notes:
            if note.channel == WARD_CHANNEL:
                out += self._apply_change(note.data, now_s)
        return Measurements(out)

    @property
    def unready(self) -> frozenset[str]:
        """Names of the kernels that some of the analysis waits for."""
        return self._backlog.unready

    def drain_curves(self) -> list[SlotCurves]:
        """Return the mean curves of the joints that came since the last call, the newest of each slot."""
        curves, self._curves = list(self._curves.values()), {}
        return curves

    def finish(self) -> Measurements:
        """End of the run: return what was still open."""
        out = [row for slot in self._subjects for row in self._finish(slot)]
        return Measurements(out + self._of(self._afterwards.keep(lambda _: False)))

    def mounting(self, number: int) -> Mounting | None:
        """Return how a device is found to be strapped on, where somebody looks for it."""
        return self._banks.mounting(number)

    def _analyse(self, step: KeptStep, packets: Sequence[Placeable]) -> list[Fields]:
        """Place the samples of a step, run the kernels over them, and return what came of it in its slots."""
        found = [each for arrived in self._intakes.place(packets) for each in self._arrived(arrived)]
        out = [row for _, row in sorted(found, key=itemgetter(0))]
        news = {self.intakes[number].slot for number in self._banks.step()}
        if step.number % DOUBT_STEPS == 0:
            self.doubts = self._banks.doubts()
        for slot, subject in self._subjects.items():
            if (step.now_s < subject.due_s and slot not in news) or slot not in step.slots:
                continue
            if results := subject.step(step.now_s, news=slot in news):
                out += self._completed(subject, results)
            if subject.draws and (curves := subject.curves(step.now_s)):
                self._curves[slot] = curves
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
        """Analyse what was kept; where nothing is left, report the gaps that remain of what found no room."""
        out: list[Fields] = []
        for step in steps:
            out += self._analyse(step, Placeable.of(step.packets))
        for slot in slots:
            if slot not in self._backlog.waiting:
                subject = self._subjects[slot]
                gone = self._backlog.left_out(subject.devices)
                out += self._measure(
                    subject, [(gap_of(left_out, self.origin.monotonic_ns), (number,)) for number, left_out in gone]
                )
        return out

    def _apply_change(self, ward: bytes, now_s: float) -> list[Fields]:
        try:
            after = decode_ward(ward)
        except ValueError as problem:  # of a recording that somebody else wrote: a ward of ours has been checked
            log.warning("a change of the ward is passed over: %s", problem)
            return []
        return self._change_ward(after, now_s)

    def _change_ward(self, after: Ward, now_s: float) -> list[Fields]:
        """Take off what is worn no more, put on what is, and leave the other beds alone; return what that closed."""
        before = {bed.slot.id: bed for bed in self.ward}
        former = {number: subject.pseudonym for subject in self._subjects.values() for number in subject.devices}
        going_on = {bed.session for bed in self.ward}
        self.taps.end_of_others(self.ward, after)
        kept = {bed.slot.id for bed in after if bed.same_work(before.get(bed.slot.id))}
        out: list[Fields] = []
        for slot in [slot for slot in self._subjects if slot not in kept]:
            out += self._finish(slot)
            for number in self._subjects.pop(slot).devices:
                self._banks.remove_device(number)
        numbers = iter(self._intakes.wear([(device, bed.slot.id) for bed in after for device in bed.slot.device]))
        for bed in after:
            devices = {next(numbers): device for device in bed.slot.device}
            if bed.slot.id not in kept:
                anew = replace(bed, interrupted=bed.interrupted or bed.session in going_on)
                subject = Subject(anew, devices, self._banks, simulated=self._simulated)
                self._subjects[bed.slot.id] = subject
                self._hold(bed.slot.id, subject)
                if now_s > 0.0:
                    again = [number for number in devices if former.get(number) == subject.pseudonym]
                    self._wearers.put_on(devices, now_s, again=again)
                continue
            for mark in bed.marks[len(before[bed.slot.id].marks) :]:
                self._subjects[bed.slot.id].mark(mark, now_s)
        self._subjects = {bed.slot.id: self._subjects[bed.slot.id] for bed in after}
        out += self._of(self._afterwards.keep(self._is_there))
        self.ward = after
        return out

    def _is_there(self, subject: Subject) -> bool:
        """Whether somebody of a former session is still in the bed."""
        present = self._subjects.get(subject.slot)
        return present is not None and present.pseudonym == subject.pseudonym

    def _finish(self, slot: str) -> list[Fields]:
        out: list[Fields] = []
        if slot in self._backlog.waiting:
            out += self._catch_up((slot,), self._backlog.of(slot))
        subject = self._subjects[slot]
        now_s = (self.end_ns - self.origin.monotonic_ns) / NS
        out += self._completed(subject, subject.finish(now_s))
        return out + self._of(self._afterwards.begin(subject, now_s))

    def _completed(self, subject: Subject, results: Sequence[DeviceResult]) -> list[Fields]:
        """Return results of a subject as fields, and what follows from them for their session before."""
        return self._measure(subject, results) + self._of(self._afterwards.follow(subject.slot, results))

    def _of(self, found: Found) -> list[Fields]:
        return [row for subject, results in found for row in self._measure(subject, results)]

    def _arrived(self, batch: ArrivedBatch) -> list[tuple[int, Fields]]:
        """Take what arrived; return what that alone completed, with the number of each one's device."""
        theirs = self._wearers.samples_of(batch)
        if theirs is None:
            return []
        if self.taps:
            self.taps.feed(theirs, self._subjects)
        out: list[tuple[int, Fields]] = []
        if handed := self._banks.process(theirs):
            modality, each = handed
            for at, number in enumerate(each.numbers.tolist()):
                subject = self._wearer_of(number)
                results = subject.process(modality, each.one(at))
                out += [(number, row) for row in self._measure(subject, results)]
        for at in np.flatnonzero(theirs.missing).tolist():
            rate_hz = theirs.streams[at].spec.rate_hz
            if rate_hz and theirs.missing[at] >= LEAST_GAP_S * rate_hz:
                number = int(theirs.numbers[at])
                since_s = self._wearers.since_s(number)
                gaps = [(gap, (number,)) for gap in gaps_within(theirs.one(at), rate_hz, since_s)]
                out += [(number, row) for row in self._measure(self._wearer_of(number), gaps)]
        return out

    def _wearer_of(self, number: int) -> Subject:
        return self._subjects[str(self.intakes[number].slot)]

    def _refuse(self, number: int, reason: str) -> None:
        intake = self.intakes[number]
        log.warning("%s: %s", intake.device.id, reason)
        intake.note(reason)

    def _measure(self, subject: Subject, results: Iterable[DeviceResult]) -> list[Fields]:
        """Return results of a subject as the fields of measurements, marked where their devices are in doubt."""
        doubts, origin = self.doubts, self.origin
        if doubts:
            results = [(mark_doubted(result, devices, doubts), devices) for result, devices in results]
        return [subject.measurement(result, devices, origin) for result, devices in results]
