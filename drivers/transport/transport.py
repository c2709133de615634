"""What the supervisor asks of a way to a device; BLE, serial and UDP implement it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from drivers.driver import Driver, Link
from drivers.errors import DriverError, ForbiddenWriteError, LinkError
from drivers.packet import Frame

IN_USE_ADVICE = "End the other program that reads it (another gateway?), or take it out of one of the two."

Sink = Callable[[Frame], None]
Clock = Callable[[], int]


class Connection(Link):
    """An open link to one device. Frames are stamped where the bytes arrive and go to ``sink`` at once.

    Attributes:
        lost: Set once the link is gone.
        address: Bluetooth address of the device, or which USB adapter it is behind; empty where it has neither.
        radio: Name of the adapter that has the link; empty where there is none.
        signal_dbm: Signal of its last advertisement; None where that is not known.
    """

    radio: str = ""
    signal_dbm: int | None = None

    def __init__(self, driver: Driver, sink: Sink, clock_ns: Clock) -> None:
        self.lost = asyncio.Event()
        self.address = ""
        self._driver = driver
        self._sink = sink
        self._clock_ns = clock_ns

    def announce(self, channel: str, data: bytes) -> None:
        """Pass an answer of the dialogue on as a frame."""
        self._sink(Frame(self._clock_ns(), channel, data))

    def begin_stream(self) -> None:
        """The start dialogue is over: what comes now is the stream."""

    def begin_dialogue(self) -> None:
        """The stop dialogue begins: what comes now are answers."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the device, within a few seconds and without raising."""

    def _check_write(self, characteristic: str, data: bytes) -> None:
        if not self._driver.allows(characteristic, data):
            where = characteristic or "the port"
            raise ForbiddenWriteError(f"driver '{self._driver.name}' may not write {data.hex()} to {where}")


class Transport(ABC):
    """A way to one device."""

    @abstractmethod
    async def search(self) -> None:
        """Wait until the device is there, some seconds at most. Raises NotFoundError, AdapterError."""

    @abstractmethod
    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Connect to what `search` found. Raises ConnectError, AdapterError."""

    def begin(self) -> None:  # noqa: B027 - a hook, optional
        """Somebody wants this device from now on, whether or not it is connected."""

    def end(self) -> None:  # noqa: B027 - a hook, optional
        """Nobody wants it any more."""

    def confirm(self) -> None:  # noqa: B027 - a hook, optional
        """The device that is connected is the right one: prefer it from now on."""

    def release(self) -> None:  # noqa: B027 - a hook, optional
        """The device is not used any more: others may have it."""

    def explain(self, error: DriverError) -> DriverError:
        """Return what ended an attempt, in the light of those before it."""
        return error

    @abstractmethod
    async def reset(self, error: LinkError) -> None:
        """Do what may help after repeated failures of this kind. Raises AdapterError."""
