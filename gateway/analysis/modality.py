"""What a kind of signal is: the streams it comes in, where it is worn, and what is measured by it.

The table of all of them is `gateway.analysis.modalities`. Nothing here imports an operator: the configuration's check
and the dashboard read the table too, and load no kernel for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from config.settings import Placement
from drivers.packet import StreamSpec

if TYPE_CHECKING:
    from gateway.analysis.ward_operators import WardOperators


@dataclass(frozen=True, slots=True)
class Signal:
    """A kind of stream: drivers give their streams its name, and at least its channels.

    Attributes:
        stream: Name of the stream.
        channels: What operators need of it, in any order; a device may send more.
        units: UCUM unit of each of the channels.
        some: Whether a device may send only some of them: at least one.
    """

    stream: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    some: bool = False

    def misfit(self, spec: StreamSpec) -> str:
        """Return why a stream of this name cannot be measured by; empty if it can."""
        units = dict(zip(spec.channels, spec.units, strict=True))
        if self.some and not units.keys() & set(self.channels):
            return f"{spec.name} without any channel that is known: nothing is computed from it"
        for channel, unit in zip(self.channels, self.units, strict=True):
            if self.some and channel not in units:
                continue
            if channel not in units:
                return f"{spec.name} without {channel}: nothing is computed from it"
            if units[channel] != unit:
                return f"{channel} of {spec.name} in {units[channel]}, not {unit}: nothing is computed from it"
        return ""


@dataclass(frozen=True, slots=True)
class Modality:
    """A row of the table: one kind of signal, from the stream to the metrics.

    Attributes:
        name: In code.
        sensor: What people call a device that measures it.
        signals: The streams that it comes in.
        placements: Where such a device may be worn; none for what is about the device itself, wherever it is.
        metrics: Ids in the catalogue of all that comes out; none of a signal that is recorded and drawn, no more.
        operators: Imports and returns the class whose objects take the streams of a whole ward; it decides what comes
            of them by where the devices are worn.
        tells_of: Whether results are about who wears the device, or about the device itself. Those of a device come at
            once, and are not doubted when its samples are.
    """

    name: str
    sensor: str
    signals: tuple[Signal, ...]
    placements: tuple[Placement, ...]
    metrics: tuple[str, ...]
    operators: Callable[[], type[WardOperators]]
    tells_of: Literal["wearer", "device"] = "wearer"
