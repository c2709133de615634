"""What an operator of one motion sensor is, and a row of the table of them (`gateway.analysis.motions`).

Nothing here imports an operator: who reads the table does not load what it names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

from config.protocol import Protocol as SessionProtocol
from config.protocol import read_protocol
from config.settings import Device, Placement
from dsp.found import Found
from dsp.result import Quality
from gateway.model.ward import Bed

if TYPE_CHECKING:
    from gateway.clocks.timeline import Floats, Ints

INTERRUPTED = "the session was interrupted, or devices changed in it, before: this is what came since"


class MotionOperator(Protocol):
    """Takes the samples of one sensor while one person wears it in one session; the next begins with another one.

    Attributes:
        algorithm: Name and version.
    """

    algorithm: str

    def process(self, index: Ints, acc: Floats, gyr: Floats) -> Iterable[Found]:
        """Return what these samples completed; the same in any chunking. Never raises on what a sensor sends.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s², along forward, left and up as the device's ``axes`` say it is worn; NaN
                where there is none, or what came is no measure of a worn sensor.
            gyr: (n, 3) rad/s, along the same.
        """
        ...


@runtime_checkable
class ClosingMotion(MotionOperator, Protocol):
    """One that holds back what is not whole yet: a timed test, above all."""

    def finish(self) -> Iterable[Found]:
        """Return what was still open: the session is over, or whoever wears the sensor takes it off."""
        ...


@runtime_checkable
class MarkedMotion(MotionOperator, Protocol):
    """One that goes by what people mark in a session."""

    def mark(self, text: str, at: float) -> None:
        """Take a mark (`dsp.marks`; what else people write is for people).

        Args:
            text: In lower case.
            at: When, as the number of a sample on the sensor's grid; it may be a fraction, and lie before or behind
                what was processed.
        """
        ...


@runtime_checkable
class SteppingMotion(MotionOperator, Protocol):
    """One that goes by the strides of the leg that its sensor is on, which the walk of the person tells."""

    def stride(self, first: float, last: float, quality: Quality, reason: str) -> None:
        """Take a stride, from initial contact to initial contact, as numbers of samples on the sensor's grid.

        Args:
            first: Of its beginning; a fraction, and it may lie behind what was processed, as ``last``.
            last: Of its end.
            quality: How sure the stride is.
            reason: Why not ok.
        """
        ...


class SharedPart(Protocol):
    """What operators of one sensor have in common: fed before them, with those of all sensors that have their turn."""

    @staticmethod
    def feed(fed: Sequence[tuple[Any, Ints, Floats]]) -> None:
        """Take (part, index, acc) of sensors, as of `MotionOperator.process`: each finds what it would find alone.

        Operators then feed it once more, which changes nothing.
        """
        ...


Part = TypeVar("Part", bound=SharedPart)


@dataclass(frozen=True, slots=True)
class Worn:
    """A sensor on somebody in a session: what an operator may have to know of it.

    Attributes:
        placement: Where.
        rate_hz: Samples a second.
        protocol: What is done, and how.
        height_m: Of who wears it, metres; NaN where it is not known.
        mass_kg: Kilograms; NaN likewise.
        affected_side: ``left``, ``right``, ``both`` or ``none``.
        interrupted: Whether the session was paused, or the gateway began anew in it, before: a test is not whole.
        parts: What its operators have in common, by name.
    """

    placement: Placement
    rate_hz: float
    protocol: SessionProtocol
    height_m: float = math.nan
    mass_kg: float = math.nan
    affected_side: str = "none"
    interrupted: bool = False
    parts: dict[str, SharedPart] = field(default_factory=dict, compare=False, repr=False)

    def shared(self, name: str, make: Callable[[], Part]) -> Part:
        """Return what operators of this sensor have in common, which the first that asks makes."""
        part: Any = self.parts.get(name)
        if part is None:
            part = self.parts[name] = make()
        return cast("Part", part)

    @classmethod
    def of(cls, bed: Bed, device: Device, rate_hz: float) -> Worn:
        """Return what is known of a device of a bed."""
        slot = bed.slot
        return cls(
            device.placement, rate_hz, read_protocol(slot.protocol), slot.height_m or math.nan,
            slot.mass_kg or math.nan, slot.affected_side, bed.interrupted,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Motion:
    """A row of the table.

    Attributes:
        name: In code.
        places: Groups of placements, the best first: every sensor of the first group of which somebody wears one gets
            an operator, and no other.
        metrics: Ids in the catalogue of all that comes out.
        make: Imports and makes the operator of a sensor. Raises ValueError, in words, for a rate that it cannot take.
        protocols: The words of the sessions that it runs in; empty: always.
        beside: It runs beside a sensor at one of these places only; empty: always.
    """

    name: str
    places: tuple[tuple[Placement, ...], ...]
    metrics: tuple[str, ...]
    make: Callable[[Worn], MotionOperator]
    protocols: frozenset[str] = frozenset()
    beside: tuple[Placement, ...] = ()

    def on(self, bed: Bed, devices: Mapping[int, Device]) -> list[int]:
        """Return the numbers of the devices of a bed that get an operator."""
        if self.protocols and read_protocol(bed.slot.protocol).word not in self.protocols:
            return []
        if self.beside and not any(device.placement in self.beside for device in devices.values()):
            return []
        for group in self.places:
            if found := [number for number, device in devices.items() if device.placement in group]:
                return found
        return []
