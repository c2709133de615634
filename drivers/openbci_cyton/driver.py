"""OpenBCI Cyton over the serial port of its dongle: eight electrodes, 250 samples a second, and acceleration.

Each packet has a counter of eight bits, which is its clock too: up to 255 lost in a row are counted, more as far as
arrival tells. The board is told to begin and to end, and nothing else: what its channels are set to stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from drivers.columns import ColumnDecoder, Columns, Pieces, Told
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
from drivers.packet import Flag, Packets, StreamSpec

DATA_CHANNEL: Final = "data"
START, STOP = b"b", b"s"
BANNER_END: Final = b"$$$"
FAILURE: Final = b"Failure"  # what the dongle says when no board answers it

RATE_HZ: Final = 250.0
ACCELERATION_RATE_HZ: Final = 25.0
COUNTER_BITS: Final = 8
STANDARD_GRAVITY: Final = 9.80665
MV_A_V: Final = 1e3
CLIPPED, NONE = np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE)

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


class CytonDecoder(ColumnDecoder):
    """Packets to samples of the electrodes, one each, and of the accelerometer where there is a new one.

    Args:
        gain: Of the amplifier.
    """

    def __init__(self, gain: int) -> None:
        super().__init__()
        self._mv_a_count = volts_a_count(gain) * MV_A_V  # what the packets of two boards may differ in
        self._packets = FixedFrames(MARK, PACKET.itemsize, holds, self.faults, sure=False)
        self._letters: dict[int, int] = {}  # what has come of an acceleration that is sent byte by byte

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Always the same."""
        return {spec.name: spec for spec in (EMG, ACCELERATION)}

    def sort(self, frames: Pieces, told: Told) -> None:
        """Take the packets that the port gave."""
        told[self._mv_a_count].fill(frames, DATA_CHANNEL, self._packets.cut)

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: float, columns: Columns) -> list[Packets]:
        """Read the packets of boards of one gain."""
        rows = np.frombuffer(b"".join(columns.rows), PACKET)
        columns.ticks = rows["counter"].tolist()
        counts = counts_of(rows["counts"])
        clipped = (np.abs(counts) >= FULL_SCALE).any(axis=1)
        emg = columns.packets(EMG.name, (counts * how).astype(np.float64), np.where(clipped, CLIPPED, NONE))
        taken: list[Taken] = []
        many = [0] * len(decoders)
        ours = cast("Sequence[CytonDecoder]", decoders)
        for device, (begin, end) in zip(columns.device, pairwise(columns.start), strict=True):
            own = ours[device].accelerations(begin, rows[begin:end])
            taken += own
            many[device] = len(own)
        if not taken:
            return [emg]
        numbers, values = zip(*taken, strict=True)
        at = list(numbers)
        samples, flags = np.array(values, np.float64) * (G_A_STEP * STANDARD_GRAVITY), np.zeros(len(at), np.uint8)
        return [emg, *Packets.counted(ACCELERATION.name, many, emg.arrival_ns[at], emg.ticks[at], samples, flags)]

    def accelerations(self, first: int, rows: NDArray[Any]) -> list[Taken]:
        """Return the accelerations that packets complete, by their places, of which theirs is the first."""
        taken: list[Taken] = []
        for k, (end, aux) in enumerate(zip(rows["end"].tolist(), rows["aux"].tolist(), strict=True), first):
            if end == WITH_ACCELERATION:
                if any(aux):
                    taken.append((k, list(map(float, WORDS.unpack(bytes(aux))))))
            elif end in TIMED_ACCELERATION:
                whole = self._with_letter(aux[0], aux[1])
                if whole is not None:
                    taken.append((k, whole))
        return taken

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
