"""The worn devices of a running gateway, as whoever pairs needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from drivers.transport.supervisor import DeviceState
from gateway.analysis.pipeline import Pipeline
from gateway.intake.placeable import Placeable
from gateway.pairing.worn import Moved
from gateway.run.devices import Devices

BATTERY = "battery"


class WornDevices:
    """Implements `gateway.pairing.worn.Worn`; on the gateway's event loop.

    Args:
        devices: Keeps them connected.
        pipeline: Decodes what they send.
        states: What each device's supervisor said last.
    """

    running = True

    def __init__(self, devices: Devices, pipeline: Pipeline, states: Mapping[str, DeviceState]) -> None:
        self._devices = devices
        self._pipeline = pipeline
        self._states = states

    def kept(self, device: str) -> bool:
        """Whether the gateway keeps this device connected, or tries to."""
        return self._devices.kept(device)

    def connected(self) -> Mapping[str, str]:
        """Return the Bluetooth address of each that streams, by id."""
        return {
            name: state.identity.address
            for name, state in self._states.items()
            if state.state in ("starting", "streaming") and state.identity.address
        }

    def battery(self, device: str) -> float | None:
        """Return the level of its battery that was told last in this run, percent."""
        levels = [i.latest[BATTERY] for i in self._pipeline.intakes if i.device.id == device and BATTERY in i.latest]
        return float(levels[-1][0]) if levels else None

    async def blink(self, device: str) -> None:
        """Make a device show itself. Raises LinkError."""
        await self._devices.blink(device)

    @contextmanager
    def watch(self, moved: Moved) -> Iterator[None]:
        """Have somebody told of all samples meanwhile, as they are decoded."""

        def watcher(packets: Sequence[Placeable]) -> None:
            for each in packets:
                for decoded in each.each():
                    device = self._pipeline.intakes[decoded.number].device.id
                    moved(device, decoded.spec.channels, decoded.packet.samples)

        self._pipeline.watchers.append(watcher)
        try:
            yield
        finally:
            self._pipeline.watchers.remove(watcher)
