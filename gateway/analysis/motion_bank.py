"""Motion sensors and the operators that look at one of them at a time: fed seldom, whatever a step brings.

numpy takes its time to be called: an operator that is called for every step of 50 ms costs twenty times as much as one
that gets a second at once. So what arrives waits in one array for the whole ward, and each sensor has its own turn in
the second (two, where nobody waits for it), which its own samples say: the same in a replay.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from config.settings import Device
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.result import Result
from gateway.analysis.motion import (
    ClosingMotion,
    MarkedMotion,
    Motion,
    MotionOperator,
    SharedPart,
    SteppingMotion,
    Worn,
)  # fmt: skip
from gateway.analysis.motion_sensor import MotionSensor, SensorOperator
from gateway.analysis.motions import MOTIONS
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.waiting_samples import ROOM, WaitingSamples
from gateway.analysis.ward_operators import DeviceResult
from gateway.clocks.timeline import Floats, Ints, Timeline
from gateway.intake.intake import ArrivedBatch
from gateway.intake.streams import Stream
from gateway.model.ward import Bed

TURN_S: Final = 2.0
"""An operator is called as often: nothing that it finds is later by more for it. A fall is known seconds after it
anyway, and a ward costs a quarter less than with a second."""
TEST_TURN_S: Final = 1.0
"""In a session with a test or an exercise: somebody waits for what is counted."""
SILENT_S: Final = 2.5
"""What waits of a sensor that has sent nothing for so long, longer than any turn, is not left waiting."""
SPREAD: Final = 37  # turns of devices with neighbouring numbers are far apart: prime to every usual rate
NOT_FED: Final = -1
MOST_DEFECTS: Final = 3
"""An operator that fails so often in one session fails at what this sensor sends: it is not begun anew again."""
FAILED: Final = "the program failed at these samples: what it knew until here is lost"

log = logging.getLogger(__name__)


class _Turn(NamedTuple):
    """A sensor, by its device number, and what is given to its operators (`MotionOperator.process`)."""

    number: int
    at: Ints
    acc: Floats
    gyr: Floats


class MotionBank:
    """All devices of the ward that have such operators.

    Args:
        refuse: Told of a device, and why, whose stream an operator cannot take.
        motions: The table.

    Attributes:
        found: What the newest step brought, by device number.
    """

    def __init__(self, refuse: Refuse | None = None, motions: Sequence[Motion] = MOTIONS) -> None:
        self.found: dict[int, list[Result]] = {}
        self._refuse: Refuse = refuse or (lambda _number, _reason: None)
        self._motions = motions
        self._sensors: dict[int, MotionSensor] = {}
        self._waiting = WaitingSamples()
        self._row = np.zeros(0, np.int64)  # by device number, of what waits; NOT_FED
        self._version = np.zeros(0, np.int64)  # by device number, of the stream that its row is for

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> list[int]:
        """Begin with a person; return the numbers of the devices that have operators."""
        for number, device in devices.items():
            motions = tuple(motion for motion in self._motions if number in motion.on(bed, devices))
            if motions:
                turn_s = TEST_TURN_S if any(motion.protocols for motion in motions) else TURN_S
                self._sensors[number] = MotionSensor(bed, device, motions, self._take_row(number), turn_s)
        return [number for number in devices if number in self._sensors]

    def detach(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        if (sensor := self._sensors.pop(number, None)) is not None:
            self._row[number] = NOT_FED
            self._waiting.free_row(sensor.row)
        self.found.pop(number, None)

    def add(self, arrived: ArrivedBatch) -> None:
        """Have wait what arrived of the devices that have operators."""
        self._row, self._version = _with_room(self._row, self._version, int(arrived.numbers.max()))
        rows = self._row[arrived.numbers]
        fed = np.flatnonzero(rows != NOT_FED)
        if not len(fed):
            return
        for at in fed[self._version[arrived.numbers[fed]] != arrived.versions[fed]].tolist():
            self._see_stream(int(arrived.numbers[at]), arrived.streams[at], int(arrived.versions[at]))
        counts = arrived.start[fed + 1] - arrived.start[fed]
        rows = rows[fed]
        alone = self._waiting.held[rows] + counts > ROOM
        if alone.any() or np.bincount(rows).max() > 1:
            for at in range(len(fed)):
                self._add_one(arrived, int(fed[at]), int(rows[at]))
        else:
            self._waiting.append(arrived, arrived.start[fed], counts, rows)

    def step(self) -> None:
        """Give the sensors whose turn it is to their operators."""
        if not self._sensors:
            return
        self._run(self._waiting.due_numbers())

    def drain(self, numbers: Iterable[int]) -> list[DeviceResult]:
        """Return what came of devices since the last call."""
        found = self.found
        if not found or found.keys().isdisjoint(numbers):
            return []
        return [(result, (number,)) for number in numbers for result in found.pop(number, ())]

    def flush(self, numbers: Iterable[int], silent_since_s: float) -> float:
        """Let devices have their turn that have sent nothing since a gateway time, and of which something waits.

        Return since when the one has sent nothing that is next; inf where nothing waits.
        """
        next_s = math.inf
        for number in numbers:
            sensor = self._sensors[number]
            if sensor.timeline is None or not self._waiting.held[sensor.row]:
                continue
            if sensor.timeline.newest_s < silent_since_s:
                self._run([number])
            else:
                next_s = min(next_s, sensor.timeline.newest_s)
        return next_s

    def timeline(self, number: int) -> Timeline | None:
        """Return the timeline of a device that has operators; None before its first sample."""
        return self._sensors[number].timeline

    def mark(self, number: int, text: str, now_s: float) -> None:
        """Tell the operators of a device what was marked, and when on the gateway clock."""
        self._sensors[number].marks.append((text.strip().lower(), now_s))
        self._tell_marks(number)

    def stride(self, number: int, stride: Result) -> None:
        """Tell the operators of a device, if it has any, of a stride of its leg."""
        if (sensor := self._sensors.get(number)) is None or not sensor.started:
            return
        first, last = sensor.numbers_of(stride.start_s, stride.end_s)
        for motion, operator, stepping in list(sensor.operators):
            if stepping is not None:
                tell = partial(stepping.stride, first, last, stride.quality, stride.reason)
                self._note(number, motion, operator, partial(_told, tell))

    def finish(self, number: int) -> None:
        """Whoever wears a device takes it off, or the session is over: `drain` then has what was open."""
        self._run([number])
        for motion, operator, _ in list(self._sensors[number].operators):
            if isinstance(operator, ClosingMotion):
                self._note(number, motion, operator, operator.finish)

    def _see_stream(self, number: int, stream: Stream, version: int) -> None:
        """Take a stream that is new, or another one than it was."""
        sensor, spec = self._sensors[number], stream.spec
        if sensor.timeline is not None:
            self._run([number])
        self._version[number] = version
        self._waiting.set_axes(sensor.row, sensor.device.axes, spec.channels)
        sensor.timeline = stream.timeline
        rate_hz = spec.rate_hz or 0.0
        if sensor.rate_hz != rate_hz:
            if sensor.operators:
                self.finish(number)
            sensor.rate_hz, sensor.operators = rate_hz, []
            worn = Worn.of(sensor.bed, sensor.device, rate_hz)
            for motion in sensor.motions:
                _make(sensor, motion, worn, partial(self._refuse, number))
            sensor.parts = tuple(worn.parts.values())

    def _add_one(self, arrived: ArrivedBatch, at: int, row: int) -> None:
        """Have wait what arrived of one device; as much at a time as there is room for."""
        number = int(arrived.numbers[at])
        begin, end = int(arrived.start[at]), int(arrived.start[at + 1])
        while begin < end:
            if self._waiting.held[row] == ROOM:
                self._run([number])
            count = min(end - begin, ROOM - int(self._waiting.held[row]))
            self._waiting.append(arrived, np.array([begin]), np.array([count]), np.array([row]))
            begin += count

    def _run(self, numbers: Iterable[int]) -> None:
        """Give what waits of devices to their operators."""
        turns = [self._take(number) for number in numbers if self._waiting.held[self._sensors[number].row]]
        _feed((part, turn) for turn in turns for part in self._sensors[turn.number].parts)
        for turn in turns:
            self._tell_marks(turn.number)
            for motion, operator, _ in list(self._sensors[turn.number].operators):
                self._note(turn.number, motion, operator, partial(operator.process, *turn[1:]))

    def _take(self, number: int) -> _Turn:
        """Take what waits of a device, and set when its next turn is."""
        sensor = self._sensors[number]
        turn = _Turn(number, *self._waiting.take(sensor.row))
        sensor.last = int(turn.at[-1])
        every = max(1, round(sensor.turn_s * sensor.rate_hz))
        own = number * SPREAD % every
        self._waiting.due[sensor.row] = (sensor.last - own) // every * every + every + own
        return turn

    def _tell_marks(self, number: int) -> None:
        """Tell operators of marks, once it is known where on the grid they lie."""
        sensor = self._sensors[number]
        if not sensor.marks or not sensor.operators or not sensor.started:
            return
        marks, sensor.marks = sensor.marks, []
        for text, at_s in marks:
            (at,) = sensor.numbers_of(at_s)
            for motion, operator, _ in list(sensor.operators):
                if isinstance(operator, MarkedMotion):
                    self._note(number, motion, operator, partial(_told, partial(operator.mark, text, at)))

    def _note(self, number: int, motion: Motion, operator: MotionOperator, ask: Callable[[], Iterable[Found]]) -> None:
        """Note what an operator finds; one that fails does so alone: the other patients' devices go on."""
        sensor, found = self._sensors[number], list[Found]()
        try:
            found.extend(ask())
            results = [*sensor.results(found, operator.algorithm)] if found else []
        except Exception:
            log.exception("%s of %s failed", motion.name, sensor.device.id)
            self._refuse(number, f"{motion.name}: the program failed")
            at = float(sensor.last)
            known = [each for each in found if each.metric in CATALOGUE]
            known += [Found(metric, None, at, at, 0, quality="invalid", reason=FAILED) for metric in motion.metrics]
            results = [*sensor.results(known, operator.algorithm)]
            self._begin_anew(number, motion, operator)
        if results:
            self.found.setdefault(number, []).extend(results)

    def _begin_anew(self, number: int, motion: Motion, failed: MotionOperator) -> None:
        """Put another operator in place of one that failed, as long as that may help."""
        sensor = self._sensors[number]
        sensor.operators = [each for each in sensor.operators if each.operator is not failed]
        defects = sensor.defects[motion.name] = sensor.defects.get(motion.name, 0) + 1
        if defects < MOST_DEFECTS:
            worn = Worn.of(sensor.bed, sensor.device, sensor.rate_hz)
            _make(sensor, motion, replace(worn, interrupted=True), partial(self._refuse, number))

    def _take_row(self, number: int) -> int:
        self._row, self._version = _with_room(self._row, self._version, number)
        self._row[number], self._version[number] = self._waiting.take_row(number), 0
        return int(self._row[number])


def _make(sensor: MotionSensor, motion: Motion, worn: Worn, refuse: Callable[[str], None]) -> None:
    """Give a sensor the operator of a row, or say why it has none."""
    try:
        operator = motion.make(worn)
        stepping = operator if isinstance(operator, SteppingMotion) else None
        sensor.operators.append(SensorOperator(motion, operator, stepping))
    except ValueError as problem:  # a rate that a device may be set to, and an operator is not made for
        refuse(str(problem))
    except Exception:
        log.exception("%s of %s failed", motion.name, sensor.device.id)
        refuse(f"{motion.name}: the program failed")


def _feed(fed: Iterable[tuple[SharedPart, _Turn]]) -> None:
    """Feed what operators of sensors have in common: each kind once, for all sensors."""
    kinds: dict[type[SharedPart], list[tuple[SharedPart, Ints, Floats]]] = {}
    for part, taken in fed:
        kinds.setdefault(type(part), []).append((part, taken.at, taken.acc))
    for kind, alike in kinds.items():
        try:
            kind.feed(alike)
        except Exception:  # what was not worked out, the operators of each sensor miss, and say so
            log.exception("%s failed", kind.__name__)


def _with_room(row: Ints, version: Ints, number: int) -> tuple[Ints, Ints]:
    """Return what is known by the number of a device, with room for a number."""
    if number < len(row):
        return row, version
    more = (0, number + 1)
    return np.pad(row, more, constant_values=NOT_FED), np.pad(version, more)


def _told(tell: Callable[[], None]) -> Iterable[Found]:
    tell()
    return ()
