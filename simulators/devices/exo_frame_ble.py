"""An exoskeleton with the open exoskeleton frame over Bluetooth: section 6 of docs/exoskeleton-frame.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bumble.gatt import Service

from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import ExoTelemetry
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

SERVICE: Final = "5B0D0001-7C6E-4F6C-9D3A-2F1F5A9E6B10"
PARTS: Final = "5B0D0002-7C6E-4F6C-9D3A-2F1F5A9E6B10"
INFORMATION, SERIAL_NUMBER = "180A", "2A25"


class ExoFrameBle(ExoTelemetry, Peripheral):
    """A simulated exoskeleton that notifies a part at a time, as long as somebody is subscribed.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: The exoskeleton and who wears it.
        serial: Its number; 0 for none.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: WornExoskeleton, serial: int = 1001
    ) -> None:
        local_name = f"EXO {address.replace(':', '')[-6:]}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name),
        )  # fmt: skip
        self._wear(source, serial)
        self._parts = characteristic(PARTS, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services."""
        found = [Service(SERVICE, [self._parts])]
        if self.state.serial:
            number = characteristic(SERIAL_NUMBER, read=str(self.state.serial).encode("ascii"))
            found.append(Service(INFORMATION, [number]))
        return found

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._parts)

    def _on_link_lost(self) -> None:
        self._describe_anew()

    def _deliver(self, parts: Sequence[bytes]) -> bool:
        return self.notify(self._parts, parts)
