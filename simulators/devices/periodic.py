"""A Bluetooth device that sends one record after another, or one when somebody uses it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.devices.common import battery_service, information, time_service
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic


class PeriodicDevice(Peripheral):
    """Sends what `records` returns, each ``period_s``.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.

    Attributes:
        service: Number of its service.
        measurement: UUID of the characteristic that it sends by.
        model: What it is.
        indicates: Whether it asks for a confirmation of each record.
        period_s: Seconds between two looks at what there is to send.
    """

    service: ClassVar[int]
    measurement: ClassVar[str]
    model: ClassVar[str]
    indicates: ClassVar[bool] = False
    period_s: ClassVar[float] = 1.0

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str) -> None:
        serial = address[-5:].replace(":", "")
        local_name = f"{self.model} {serial}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name, services=[self.service]),
        )  # fmt: skip
        self._serial = serial
        self.battery = Battery(lasts_h=100.0)
        self._measurement = characteristic(self.measurement, notify=not self.indicates, indicate=self.indicates)
        self._next_s = self.period_s

    def services(self) -> list[Service]:
        """Return the GATT services."""
        return [
            Service(f"{self.service:04X}", [self._measurement]),
            battery_service(self.battery, self.timeline),
            information(f"Simulated {self.model.lower()}", self._serial),
            time_service(self.timeline),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._measurement)

    @abstractmethod
    def records(self, now_s: float) -> Sequence[bytes]:
        """Return what is to be sent at a moment."""

    def _send(self, until_s: float) -> bool:
        while self._next_s <= until_s:
            for record in self.records(self._next_s):
                self._send_record(record)
            self._next_s += self.period_s
        return True

    def _send_record(self, record: bytes) -> None:
        if self._muted:
            self.counts.lost += 1
            return
        attribute = self._measurement
        sent = self.indicate(attribute, record) if self.indicates else self.notify(attribute, [record])
        self.streaming = sent
        if sent:
            self.counts.sent += 1
        else:
            self.counts.unsent += 1


class UsedDevice(PeriodicDevice):
    """A device that somebody uses now and then: what was measured waits until it is subscribed to.

    Args:
        measured: When somebody used it, seconds (below nought: before the scene), and what was measured, in order.
    """

    indicates: ClassVar[bool] = True

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, measured: Sequence[tuple[float, float]]
    ) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._measured = list(measured)

    @abstractmethod
    def record(self, at_s: float, value: float) -> bytes:
        """Return one measurement."""

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return what was measured until now and not sent yet."""
        due = [each for each in self._measured if each[0] <= now_s] if self.wanted else []
        self._measured = self._measured[len(due) :]
        self.streaming = self.wanted
        return [self.record(*each) for each in due]
