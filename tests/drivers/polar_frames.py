"""Frames of a Polar sensor, packed by hand as its specification says, and a sensor that answers its control point."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.gatt.battery import BATTERY_LEVEL
from drivers.polar.driver import CONTROL_POINT

SECOND = 10**9
BEGIN = 600_000_000 * SECOND  # 2019: what an H10 shows after it was off
ECG_START = bytes.fromhex("02000001820001010e00")
STARTED = bytes.fromhex("f002000000")  # ECG, done, no more


def head(kind: int, stamp: int, frame_type: int) -> bytes:
    return struct.pack("<BQB", kind, stamp, frame_type)


def int24(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little", signed=True) for value in values)


def ecg(stamp: int, *microvolts: int) -> bytes:
    return head(0, stamp, 0) + int24(*microvolts)


def acceleration(stamp: int, *rows: tuple[int, int, int]) -> bytes:
    return head(2, stamp, 1) + b"".join(struct.pack("<3h", *row) for row in rows)


def ppi(*rows: tuple[int, int, int, int], stamp: int = 0) -> bytes:
    return head(3, stamp, 0) + b"".join(struct.pack("<BHHB", *row) for row in rows)


def block(width: int, rows: Sequence[Sequence[int]]) -> bytes:
    """Return a block of differences, packed one bit after another."""
    bits = [value >> bit & 1 for row in rows for value in row for bit in range(width)]
    bits += [0] * (-len(bits) % 8)
    packed = bytes(sum(bit << n for n, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
    return bytes((width, len(rows))) + packed


def started(kind: int, rate_hz: int, *, factor: float | None = None) -> list[bytes]:
    """Return a command that starts a measurement and its answer."""
    params = b"" if factor is None else b"\x05\x01" + struct.pack("<f", factor)
    return [struct.pack("<4BH", 2, kind, 0, 1, rate_hz), bytes((0xF0, 2, kind, 0, 0)) + params]


def settings(*pairs: tuple[int, Iterable[int]]) -> bytes:
    found = b""
    for kind, values in pairs:
        each = list(values)
        width = {4: 1}.get(kind, 2)
        found += bytes((kind, len(each))) + b"".join(value.to_bytes(width, "little") for value in each)
    return found


H10 = {0: settings((0, [130]), (1, [14])), 2: settings((0, [25, 50, 100, 200]), (1, [16]), (2, [2, 4, 8]))}
VERITY = {
    1: settings((0, [55]), (1, [22]), (4, [4])),
    2: settings((0, [52]), (1, [16]), (2, [8]), (4, [3])),
    3: b"",
    5: settings((0, [52]), (1, [16]), (2, [2000]), (4, [3])),
    6: settings((0, [10, 20, 50]), (1, [16]), (2, [50]), (4, [3])),
}


class Sensor(Link):
    """A sensor that answers at once.

    Attributes:
        offers: What it can measure, and how each may be set.
        written: What was written to it.
        announced: What was announced: (channel, data).
        running: What it measures.
        refuses: Answers with this status to a start of these.
    """

    def __init__(self, offers: dict[int, bytes], *, unreadable: str = "", parts: bool = False) -> None:
        self.offers = offers
        self.written: list[bytes] = []
        self.announced: list[tuple[str, bytes]] = []
        self.running: set[int] = set()
        self.refuses: dict[int, int] = {}
        self.mute = False
        self.silent_battery = False
        self.stopped_before_data: set[int] = set()
        self._unreadable, self._parts = unreadable, parts
        self._heard: dict[str, Callable[[bytes], None]] = {}
        self.subscribed: list[str] = []

    async def subscribe(self, channel: str, characteristic: str) -> None:
        del characteristic
        if channel == "battery" and self.silent_battery:
            raise DialogueError("could not subscribe: [org.bluez.Error.NotSupported]")
        self.subscribed.append(channel)
        if channel == "data":
            self.stopped_before_data = {each[1] for each in self.written if each[0] == 3}

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        self._heard[channel] = heard

    def send(self, channel: str, data: bytes) -> None:
        """Notify."""
        self._heard[channel](data)

    async def read(self, characteristic: str) -> bytes:
        if characteristic == CONTROL_POINT:
            if self._unreadable:
                raise DialogueError(self._unreadable)
            bitmap = sum(1 << kind for kind in self.offers)
            return b"\x0f" + bitmap.to_bytes(2, "little") + bytes(14)
        return b"\x50" if characteristic == BATTERY_LEVEL else b"0A1B2C3D"

    async def write(self, characteristic: str, data: bytes) -> None:
        assert characteristic == CONTROL_POINT
        self.written.append(data)
        if self.mute:
            return
        status, params, kind = 0, b"", data[1]
        if data[0] == 1:
            params = self.offers[kind]
        elif data[0] == 2:
            status = self.refuses.get(kind, 6 if kind in self.running else 0)
            if not status:
                self.running.add(kind)
                params = b"\x05\x01" + struct.pack("<f", 0.5)
        else:
            self.running.discard(kind)
        answer = bytes((0xF0, *data[:2], status, 0)) + params
        if self._parts and len(params) > 5:
            answer = bytes((0xF0, *data[:2], status, 1)) + params[:3]
            self.send("control", answer)
            self.send("control", b"\x01" + params[3:4])
            answer = b"\x00" + params[4:]
        self.send("control", answer)

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        raise DialogueError(f"no {count} bytes within {timeout_s} s")

    def announce(self, channel: str, data: bytes) -> None:
        self.announced.append((channel, data))
