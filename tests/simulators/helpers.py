"""Small sources whose samples say which they are, and waiting for a condition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from bleak.backends.device import BLEDevice
from numpy.typing import NDArray

from drivers.driver import Driver
from drivers.packet import Frame, Packet
from drivers.transport.radios import Radios
from drivers.transport.search import Wanted
from drivers.transport.transport import Transport
from simulators.motion.source import Beats, BeatSource, Floats, Motion, MotionSource
from simulators.radio.device import SimulatedDevice
from simulators.radio.hub import Hub
from simulators.radio.radio import SimulatedRadio

PATIENCE_S = 10.0  # far longer than anything here takes on a busy machine


async def until(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Wait until ``condition()`` holds; fails with a time-out."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - conditions come from anywhere
            await asyncio.sleep(0.005)


class Counting(MotionSource):
    """Sample k has k in each channel, scaled to the range of a sensor; every ``lose``-th is lost on the air."""

    def __init__(self, rate_hz: float = 60.0, *, count: int | None = None, lose: int = 0, clock_s: float = 0.0) -> None:
        self.rate_hz = rate_hz
        self.taken = 0
        self._count, self._lose, self._clock_s = count, lose, clock_s

    def read_until(self, until_s: float) -> Motion | None:
        """Return samples up to ``until_s``; None once all are taken."""
        if self._count is not None and self.taken >= self._count:
            return None
        stop = int(until_s * self.rate_hz) + 1
        if self._count is not None:
            stop = min(stop, self._count)
        k = np.arange(self.taken, max(stop, self.taken))
        self.taken += len(k)
        acc, gyr, mag = vectors(k)
        sent = (k % self._lose != 0) if self._lose else np.ones(len(k), np.bool_)
        return Motion(self._clock_s + k / self.rate_hz, acc, gyr, mag, sent)


def vectors(k: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return acceleration (m/s^2), angular velocity (rad/s) and magnetic field of samples k of `Counting`."""
    ramp = (k % 1000) / 1000
    acc = np.stack([ramp, -2 * ramp, 9.0 + ramp], axis=1)
    gyr = np.stack([0.5 * ramp, -ramp, 2 * ramp], axis=1)
    mag = np.stack([0.1 * ramp, 0.2 * ramp, -0.3 * ramp], axis=1)
    return acc, gyr, mag


class Metronome(BeatSource):
    """Beats at a fixed interval until ``end_s``."""

    def __init__(self, rr_s: float = 0.75, *, end_s: float = np.inf, silent_from_s: float = np.inf) -> None:
        self._rr_s, self._end_s, self._silent_from_s = rr_s, end_s, silent_from_s
        self._taken = 0

    def read_until(self, until_s: float) -> Beats | None:
        """Return the beats up to ``until_s``."""
        if until_s > self._end_s:
            return None
        last = int(min(until_s, self._silent_from_s) / self._rr_s)
        k = np.arange(self._taken + 1, last + 1, dtype=np.int64)
        self._taken = max(self._taken, last)
        return Beats(np.asarray(k * self._rr_s, np.float64), np.full(len(k), self._rr_s))


class OneRadio(Radios):
    """What a gateway has that has one simulated radio: that radio, and the searches for devices over it."""

    def __init__(self, socket: Path) -> None:
        self.one = SimulatedRadio(socket=socket)
        super().__init__([self.one])

    async def find(
        self, *, address: str | None = None, name: str | None = None, timeout_s: float, owner: object | None = None
    ) -> BLEDevice:
        """Wait for an advertisement of a device."""
        return (await self.place(Wanted(address, name), timeout_s=timeout_s, owner=owner)).device


@asynccontextmanager
async def on_air(hub: Hub, socket: Path, *devices: SimulatedDevice) -> AsyncIterator[OneRadio]:
    """Switch devices on, serve the socket, and yield a radio that is attached to it."""
    radio = OneRadio(socket)
    try:
        for device in devices:
            await device.start()
        await hub.serve(socket)
        await radio.start()
        yield radio
    finally:
        await radio.stop()
        for device in devices:
            await device.stop()
        await hub.stop()


@asynccontextmanager
async def streaming(transport: Transport, driver: Driver) -> AsyncIterator[list[Frame]]:
    """Connect over a real transport of the product, start the stream, and yield the frames as they come."""
    frames: list[Frame] = []
    await transport.search()
    connection = await transport.connect(driver, frames.append, time.monotonic_ns)
    try:
        await driver.start(connection)
        connection.begin_stream()
        yield frames
    finally:
        if not connection.lost.is_set():
            connection.begin_dialogue()
            await driver.stop(connection)
            await connection.close()


def count(frames: list[Frame], channel: str) -> int:
    """Return how many frames of a channel have arrived."""
    return sum(frame.channel == channel for frame in frames)


def size(frames: list[Frame], channel: str) -> int:
    """Return how many bytes of a channel have arrived."""
    return sum(len(frame.data) for frame in frames if frame.channel == channel)


def decoded(driver: Driver, frames: list[Frame], stream: str, *, forgiven: Collection[str] = ()) -> Packet:
    """Decode frames with a fresh decoder that must find no fault but the forgiven, and return one stream."""
    decoder = driver.decoder()
    packets = {packet.stream: packet for packet in decoder.decode(frames)}
    assert set(decoder.faults) <= set(forgiven), decoder.faults
    return packets[stream]
