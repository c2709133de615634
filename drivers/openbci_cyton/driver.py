"""OpenBCI Cyton over the serial port of its dongle: eight electrodes, 250 samples a second, and acceleration.

Each packet has a counter of eight bits, which is its clock too: up to 255 lost in a row are counted, more as far as
arrival tells. The board is told to begin and to end, and nothing else: what its channels are set to stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError
from drivers.fixed_frames import FixedFrames
from drivers.openbci_cyton.packet import (
    AXES,
    CHANNELS,
    FULL_SCALE,
    G_A_STEP,
    GAINS,
    MARK,
    PACKET,
    TIMED_ACCELERATION,
    WITH_ACCELERATION,
    WORDS,
    counts_of,
    holds,
    volts_a_count,
)
from drivers.packet import Flag, Frame, Packet, StreamSpec

DATA_CHANNEL: Final = "data"
START, STOP = b"b", b"s"
BANNER_END: Final = b"$$$"
FAILURE: Final = b"Failure"  # what the dongle says when no board answers it

RATE_HZ: Final = 250.0
ACCELERATION_RATE_HZ: Final = 25.0
COUNTER_BITS: Final = 8
STANDARD_GRAVITY: Final = 9.80665
MV_A_V: Final = 1e3

QUIET_S: Final = 0.3  # a port that gives nothing for so long has stopped streaming
BANNER_S: Final = 3.0  # between two bytes of a banner that has begun
LONGEST_BANNER: Final = 256  # bytes
MOST_HEARD: Final = 1 << 16  # bytes: a board that goes on for so long does not obey

EMG: Final = StreamSpec(
    "emg", tuple(f"emg_{n}" for n in range(1, CHANNELS + 1)), ("mV",) * CHANNELS, RATE_HZ, tick_hz=RATE_HZ,
    tick_bits=COUNTER_BITS,
)  # fmt: skip
ACCELERATION: Final = StreamSpec(
    "acceleration", ("acc_x", "acc_y", "acc_z"), ("m/s2",) * 3, ACCELERATION_RATE_HZ, tick_hz=RATE_HZ,
    tick_bits=COUNTER_BITS,
)  # fmt: skip

Taken = tuple[int, list[float]]  # number of the packet, acceleration


class CytonDecoder(Decoder):
    """Packets to samples of the electrodes, one each, and of the accelerometer where there is a new one.

    Args:
        gain: Of the amplifier.
    """

    def __init__(self, gain: int) -> None:
        super().__init__()
        self._mv_a_count = volts_a_count(gain) * MV_A_V
        self._packets = FixedFrames(MARK, PACKET.itemsize, holds, self.faults, sure=False)
        self._letters: dict[int, int] = {}  # what has come of an acceleration that is sent byte by byte

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Always the same."""
        return {spec.name: spec for spec in (EMG, ACCELERATION)}

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode what the port gave."""
        packets: list[bytes] = []
        arrivals: list[int] = []
        for frame in frames:
            if frame.channel == DATA_CHANNEL:
                found = self._packets.cut(frame.data)
                packets += found
                arrivals += [frame.arrival_ns] * len(found)
        if not packets:
            return []
        rows = np.frombuffer(b"".join(packets), PACKET)
        arrival_ns, ticks = np.array(arrivals, np.int64), rows["counter"].astype(np.int64)
        counts = counts_of(rows["counts"])
        flags = np.zeros(len(rows), np.uint8)
        if max(counts.max(), -counts.min()) >= FULL_SCALE:
            flags[(np.abs(counts) >= FULL_SCALE).any(axis=1)] = Flag.CLIPPED
        emg = Packet(EMG.name, arrival_ns, ticks, (counts * self._mv_a_count).astype(np.float64), flags)
        return [emg, *self._acceleration(rows, arrival_ns, ticks)]

    def _acceleration(
        self, rows: NDArray[Any], arrival_ns: NDArray[np.int64], ticks: NDArray[np.int64]
    ) -> list[Packet]:
        taken: list[Taken] = []
        for k, (end, aux) in enumerate(zip(rows["end"].tolist(), rows["aux"].tolist(), strict=True)):
            if end == WITH_ACCELERATION:
                if any(aux):
                    taken.append((k, list(map(float, WORDS.unpack(bytes(aux))))))
            elif end in TIMED_ACCELERATION:
                whole = self._with_letter(aux[0], aux[1])
                if whole is not None:
                    taken.append((k, whole))
        if not taken:
            return []
        numbers, values = zip(*taken, strict=True)
        own = list(numbers)
        samples = np.array(values, np.float64) * (G_A_STEP * STANDARD_GRAVITY)
        return [Packet(ACCELERATION.name, arrival_ns[own], ticks[own], samples, np.zeros(len(own), np.uint8))]

    def _with_letter(self, letter: int, byte: int) -> list[float] | None:
        """Take one byte of an acceleration; return the three numbers when the last one has come."""
        if letter not in AXES:
            return None
        if letter == AXES[0]:
            self._letters.clear()
        self._letters[letter] = byte
        if letter != AXES[-1]:
            return None
        known, self._letters = self._letters, {}
        if len(known) < len(AXES):  # a packet with one of its bytes was lost
            return None
        return list(map(float, WORDS.unpack(bytes(known[each] for each in AXES))))


class OpenBciCyton(Driver):
    """Tells the board to begin and to end; nothing that sets its channels, resets it or writes to its card.

    Options: ``gain`` of the amplifier, 24 as the board starts with; one of 1, 2, 4, 6, 8, 12, 24.
    """

    name: ClassVar[str] = "openbci_cyton"
    title: ClassVar[str] = "OpenBCI Cyton (eight electrodes)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0

    def __init__(self, *, gain: int = 24, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(gain, bool) or gain not in GAINS:
            raise ValueError(f"driver '{self.name}': gain is one of {', '.join(map(str, GAINS))}, not {gain}")
        self._gain = gain

    def allows(self, characteristic: str, data: bytes) -> bool:
        """To begin and to end."""
        return characteristic == "" and data in {START, STOP}

    def decoder(self) -> CytonDecoder:
        """Return a decoder for a new connection."""
        return CytonDecoder(self._gain)

    async def start(self, link: Link) -> None:
        """End what may still run, hear the board's banner out if it has just been switched on, and begin."""
        await self.stop(link)
        await link.write("", START)

    async def stop(self, link: Link) -> None:
        """End the stream and take what is still on the way."""
        await link.write("", STOP)
        await _hear_out(link)


async def _hear_out(link: Link) -> None:
    """Take what comes until the port is quiet, or a banner has ended. Raises DialogueError."""
    tail, banner = b"", False
    for _ in range(MOST_HEARD):
        try:
            tail = (tail + await link.receive(1, timeout_s=BANNER_S if banner else QUIET_S))[-LONGEST_BANNER:]
        except DialogueError:
            return
        if tail.endswith(BANNER_END):
            if FAILURE in tail:
                words = tail[tail.index(FAILURE) : -len(BANNER_END)].decode("ascii", "replace").strip()
                raise DialogueError(
                    f"the dongle says '{words}'",
                    advice="Switch the board on, near its dongle and on its radio channel.",
                )
            banner = False
        elif tail.endswith(b"OpenBCI"):
            banner = True
    raise DialogueError("the board does not stop streaming")
