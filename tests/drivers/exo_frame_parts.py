"""Parts of the open exoskeleton frame, one a frame, and the contract of the drivers that get them so."""

from __future__ import annotations

from drivers.contract import DriverContract
from drivers.exo_frame.framing import checked_part
from drivers.packet import Frame
from tests.drivers.exo_frames import LEFT_ANKLE, device, limb


def parts(*wires: bytes) -> list[Frame]:
    """Return what goes over a serial port part by part, one frame each."""
    found = [checked_part(frame) for wire in wires for frame in wire.split(b"\0") if frame]
    return [Frame(10_000_000 * k, "measurement", part) for k, part in enumerate(found)]


class PartsContract(DriverContract):
    main_stream = "exoskeleton"
    forbidden = (("", b"\x00"), ("", b"E"), ("x", b"\x01"), ("5b0d0002-7c6e-4f6c-9d3a-2f1f5a9e6b10", b"\x01"))

    def announced(self) -> list[Frame]:
        return parts(device(LEFT_ANKLE))

    def streamed(self, count: int) -> list[Frame]:
        return parts(*(limb(k, angle=k % 90) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        del cuts
        return frames
