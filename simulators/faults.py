"""What goes wrong with devices, on purpose and on time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

from simulators.devices.battery import Battery
from simulators.motion.timeline import Timeline
from simulators.radio.device import SimulatedDevice
from simulators.radio.peripheral import Peripheral

NEARLY_EMPTY = 3  # percent

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
        for_a_while = {
            "silence": device.silence, "leave": device.leave, "power_cycle": device.power_cycle, "drift": device.drift,
        }  # fmt: skip
        match self.kind:
            case "silence" | "leave" | "power_cycle" | "drift":
                await for_a_while[self.kind](self.for_s)
            case "flood" | "repeat" | "garbage":
                await device.misbehave(self.kind, self.for_s)
            case "drop":
                await device.drop()
            case "reset":
                device.reset()
            case "low_battery":
                await _run_low(device, self.for_s)
            case "rotate":
                await _rotate(device)


async def _rotate(device: SimulatedDevice) -> None:
    """Have another address from now on. Raises ValueError: only a Bluetooth device has one."""
    peripheral = device if isinstance(device, Peripheral) else None
    if peripheral is None:
        raise ValueError(f"'{device.name}' has no Bluetooth address that could change")
    await peripheral.rotate()


async def _run_low(device: SimulatedDevice, for_s: float) -> None:
    """Have its battery nearly empty for a while (simulated seconds). Raises ValueError where it has none."""
    battery: Battery | None = getattr(device, "battery", None)
    if battery is None:
        raise ValueError(f"'{device.name}' has no battery")
    battery.at_most = NEARLY_EMPTY
    await device.timeline.reach(device.timeline.now_s + for_s)
    battery.at_most = 100


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
