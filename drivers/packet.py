"""What travels from a driver to the gateway: frames of bytes, and the packets they decode to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]
Samples = NDArray[np.float64]


class Frame(NamedTuple):
    """One notification or one read from a tty, as it arrived; what a recorder stores and a decoder reads.

    Attributes:
        arrival_ns: Arrival on the gateway's monotonic clock, nanoseconds.
        channel: Where it came from: a characteristic's short name, ``"data"`` for a serial port, or the
            name of a dialogue answer that the decoder needs (``"inquiry"``, ``"control"``).
        data: The bytes.
    """

    arrival_ns: int
    channel: str
    data: bytes


class Flag(IntFlag):
    """What a decoder knows to be wrong with a sample."""

    NONE = 0
    MISSING = 1  # the device said that samples before this one were not sent
    TRUNCATED = 2  # the frame was cut: the channels it lacks are NaN
    CLIPPED = 4  # a sensor was at the end of its range
    LOSS_UNKNOWN = 8  # the protocol has no counter: a loss before this sample cannot be seen
    NO_CONTACT = 16  # the sensor says that it does not touch the body


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One sampled group of channels of a device, before any sample has arrived.

    Attributes:
        name: Stream name, unique within the device: ``"imu"``, ``"heart_rate"``, ``"battery"``.
        channels: Names of the columns of ``Packet.samples``.
        units: UCUM unit of each column.
        rate_hz: Nominal samples a second; None for streams that come when they come.
        tick_hz: Device clock ticks a second; None when the device stamps nothing and arrival is all there is.
        tick_bits: Width of the device counter on the wire: it wraps at ``2 ** tick_bits``.
    """

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float | None = None
    tick_hz: float | None = None
    tick_bits: int = 32


@dataclass(frozen=True, slots=True)
class Packet:
    """Samples of one stream in the order the device took them.

    Attributes:
        stream: ``StreamSpec.name``.
        arrival_ns: (n,) arrival of the frame that completed each sample, gateway monotonic nanoseconds.
        ticks: (n,) the device's own counter as on the wire, not unwrapped; empty if the device has no clock.
        samples: (n, channels) in the units of the stream's specification; NaN where the frame had no value.
        flags: (n,) ``Flag`` values.
    """

    stream: str
    arrival_ns: Ticks
    ticks: Ticks
    samples: Samples
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    @classmethod
    def joined(cls, packets: Sequence[Self]) -> Self:
        """Join packets of one stream, in order; raises ValueError when the streams differ or none is given."""
        streams = {p.stream for p in packets}
        if len(streams) != 1:
            raise ValueError(f"packets of one stream expected, got {sorted(streams)}")
        return cls(
            packets[0].stream,
            np.concatenate([p.arrival_ns for p in packets]),
            np.concatenate([p.ticks for p in packets]),
            np.concatenate([p.samples for p in packets]),
            np.concatenate([p.flags for p in packets]),
        )
