"""A scene: devices, worn by people in beds, on one timeline and one radio; and what a gateway must know of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.plain_file import SIMULATED
from simulators.faults import Fault, play
from simulators.motion.timeline import Timeline
from simulators.radio.device import SimulatedDevice
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral


@dataclass(frozen=True, slots=True)
class PlacedDevice:
    """A device on a body, as a gateway's configuration names it.

    Attributes:
        device: The simulated device.
        driver: Name of the gateway's driver for it.
        placement: Where it is worn.
        address: Bluetooth address, or None for another device.
        port: Serial port, or None for another device.
        listen: Address and port that a device of the network sends to, or None for another one.
        sender: Address that it sends from.
        axes: Which sensor axes point forward, left and up.
        local_name: Bluetooth name by which the gateway finds it, in the place of an address.
        options: Of the driver.
    """

    device: SimulatedDevice
    driver: str
    placement: str
    address: str | None = None
    port: Path | None = None
    listen: tuple[str, int] | None = None
    sender: str | None = None
    axes: str = "x y z"
    local_name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bed:
    """A slot of the gateway, and what the person there wears; ``affected_side`` is empty where neither is."""

    id: str
    label: str
    subject: str
    placed: Sequence[PlacedDevice]
    height_m: float | None = None
    affected_side: str = ""


@dataclass
class Scene:
    """All that is simulated in one process.

    Attributes:
        hub: The radio.
        timeline: Simulated time; if it is not running, it begins when the gateway has started every device.
        beds: The people and their devices.
        faults: What goes wrong.
    """

    hub: Hub
    timeline: Timeline
    beds: Sequence[Bed]
    faults: Sequence[Fault] = ()
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False)

    @property
    def devices(self) -> dict[str, SimulatedDevice]:
        """The devices by name."""
        return {placed.device.name: placed.device for bed in self.beds for placed in bed.placed}

    def check(self) -> None:
        """Raise ValueError if a fault names a device that is not there, or to which it cannot happen."""
        for fault in self.faults:
            if fault.device not in self.devices:
                raise ValueError(f"no device '{fault.device}': there are {', '.join(self.devices)}")
            if fault.kind == "rotate" and not isinstance(self.devices[fault.device], Peripheral):
                raise ValueError(f"'{fault.device}' has no Bluetooth address that could change")

    async def start(self, socket: Path) -> None:
        """Switch all devices on; the socket appears when everything serves."""
        for device in self.devices.values():
            await device.start()
        self._tasks.append(asyncio.create_task(play(self.faults, self.devices, self.timeline), name="faults"))
        await self.hub.serve(socket)

    async def begin(self, wait_s: float) -> bool:
        """Begin when the gateway has started every device, or after ``wait_s``; return whether it had."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not all(device.streaming for device in self.devices.values()):
                    await self.timeline.tick()
        complete = all(device.streaming for device in self.devices.values())
        self.timeline.start()
        return complete

    async def finished(self) -> None:
        """Wait until the sources of all devices have ended."""
        for device in self.devices.values():
            await device.finished.wait()

    async def stop(self) -> None:
        """Switch everything off."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        await asyncio.gather(*(device.stop() for device in self.devices.values()))
        await self.hub.stop()

    def configuration(self, socket: Path) -> str:
        """Return the part of a gateway's configuration file that finds these devices, as TOML."""
        lines = [SIMULATED, "", "simulated = true", f"speed = {float(self.timeline.speed)!r}", ""]
        lines += ["[radio]", 'name = "simulated"', f"socket = {_quoted(socket)}", ""]
        for bed in self.beds:
            lines += ["[[slot]]", f"id = {_quoted(bed.id)}", f"label = {_quoted(bed.label)}"]
            lines += [f"subject = {_quoted(bed.subject)}"]
            lines += [f"height_m = {bed.height_m!r}"] if bed.height_m is not None else []
            lines += [f"affected_side = {_quoted(bed.affected_side)}"] if bed.affected_side else []
            lines.append("")
            for placed in bed.placed:
                lines += ["[[slot.device]]", *_device_lines(placed), ""]
        return "\n".join(lines)


def _device_lines(placed: PlacedDevice) -> list[str]:
    lines = [f"id = {_quoted(placed.device.name)}", f"driver = {_quoted(placed.driver)}"]
    lines.append(f"placement = {_quoted(placed.placement)}")
    if placed.address is not None:
        lines.append(f"address = {_quoted(placed.address)}")
    if placed.local_name is not None:
        lines.append(f"name = {_quoted(placed.local_name)}")
    if placed.port is not None:
        lines.append(f"port = {_quoted(placed.port)}")
    if placed.listen is not None and placed.sender is not None:
        host, number = placed.listen
        where = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        lines += [f"listen = {_quoted(where)}", f"sender = {_quoted(placed.sender)}"]
    if placed.axes != "x y z":
        lines.append(f"axes = {_quoted(placed.axes)}")
    if placed.options:
        lines.append(f"options = {_value(placed.options)}")
    return lines


def _value(value: Any) -> str:
    """Return a TOML value: of tables inline ones."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(value: str | Path) -> str:
    """Return a TOML basic string: JSON's escapes are a part of TOML's, but for characters beyond 16 bits and delete."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
