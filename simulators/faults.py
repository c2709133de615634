"""What goes wrong with devices, on purpose and on time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

from simulators.motion.timeline import Timeline
from simulators.radio.device import SimulatedDevice

Kind = Literal[
    "drop", "silence", "leave", "power_cycle", "flood", "repeat", "garbage", "drift", "reset", "low_battery", "rotate"
]  # fmt: skip

KINDS: Mapping[Kind, str] = {
    "drop": "the link is lost once",
    "silence": "the link stays, but nothing comes for a while",
    "leave": "the device goes out of range for a while",
    "power_cycle": "the device is switched off and on, and its clock starts at nought",
    "flood": "every packet is sent twenty times over",
    "repeat": "every packet is sent twice",
    "garbage": "packets have their length, and bytes at random",
    "drift": "its clock runs fast for a while",
    "reset": "its clock starts at nought, and the link stays",
    "low_battery": "its battery is nearly empty for a while",
    "rotate": "it has another address from then on, as straps do",
}

_SHAPE = re.compile(
    r"(?P<device>[a-z0-9-]+):(?P<kind>[a-z_]+)@(?P<at>[0-9]+(\.[0-9]+)?)(\+(?P<for>[0-9]+(\.[0-9]+)?))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        device: Name of the device.
        kind: What happens; see `KINDS`.
        at_s: When, in simulated seconds.
        for_s: How long, in simulated seconds; a drop, a reset and another address have no length.
    """

    device: str
    kind: Kind
    at_s: float
    for_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``device:kind@seconds`` or ``device:kind@seconds+length``; raises ValueError with what is expected."""
        match = _SHAPE.fullmatch(text)
        if match is None or match["kind"] not in KINDS:
            raise ValueError(
                f"'{text}' is no fault: write device:kind@seconds+length, such as bed-1-left-foot:silence@30+10;"
                f" kinds are {', '.join(KINDS)}"
            )
        return cls(match["device"], cast("Kind", match["kind"]), float(match["at"]), float(match["for"] or 0.0))

    async def happen(self, device: SimulatedDevice) -> None:
        """Let it go wrong, and return when it is over."""
        match self.kind:
            case "drop":
                await device.drop()
            case "silence":
                await device.silence(self.for_s)
            case "leave":
                await device.leave(self.for_s)
            case "power_cycle":
                await device.power_cycle(self.for_s)
            case "flood" | "repeat" | "garbage":
                await device.misbehave(self.kind, self.for_s)
            case "drift":
                await device.drift(self.for_s)
            case "reset":
                device.reset()
            case "low_battery":
                await device.run_low(self.for_s)
            case "rotate":
                await device.rotate()


def read_faults(text: str) -> list[Fault]:
    """Read one fault a line, as `Fault.parse` does; empty lines, and what stands behind a ``#``, are left out."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Fault.parse(line) for line in lines if line]


async def play(faults: Sequence[Fault], devices: Mapping[str, SimulatedDevice], timeline: Timeline) -> None:
    """Let every fault happen at its time; raises KeyError if one names a device that is not there."""
    due = [(fault, devices[fault.device]) for fault in faults]

    async def one(fault: Fault, device: SimulatedDevice) -> None:
        await timeline.reach(fault.at_s)
        if not device.finished.is_set():
            await fault.happen(device)

    async with asyncio.TaskGroup() as group:
        for fault, device in due:
            group.create_task(one(fault, device), name=f"fault {fault.kind} of {fault.device}")
