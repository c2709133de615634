"""What became of the samples of one device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Samples of one device by what became of them.

    Attributes:
        sent: Handed to the radio or the port.
        lost: Lost on the air, because the source says so or a fault does.
        unsent: Taken while nobody had started the stream.
    """

    sent: int = 0
    lost: int = 0
    unsent: int = 0
