"""What a device tells of itself that tells it from all others of its kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Trait = Literal["serial", "tag", "address"]
Side = Literal["", "left", "right"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What one device told when it was connected; empty where it tells nothing.

    Attributes:
        serial: Serial number, as its maker gave it.
        tag: What its owner named it, where the device keeps that.
        address: Bluetooth address that it was found under, which may be another one each day; or which USB adapter it
            was behind.
        maker: Its maker, in the maker's words; this and what follows tells it from no other of its kind.
        model: Its model.
        firmware: Version of its firmware.
        side: Which side of the body it is made for, or set to; it must not be worn on the other.
    """

    serial: str = ""
    tag: str = ""
    address: str = ""
    maker: str = ""
    model: str = ""
    firmware: str = ""
    side: Side = ""

    def on(self, side: Side) -> Identity:
        """Return the same of a device that tells which side it is for."""
        return replace(self, side=side)

    def denies(self, placement: str) -> bool:
        """Whether a place on the body, such as ``left_foot``, is on the other side than the device is for."""
        side, _, where = placement.partition("_")
        return bool(self.side and where) and side in {"left", "right"} and side != self.side

    @property
    def traits(self) -> Identity:
        """What tells it from all others of its kind, and nothing else."""
        return Identity(self.serial, self.tag, self.address)


LONGEST_LINE = 64
"""Characters of what a device tells of itself that are kept: it goes into the status, and an attribute may have 512."""


def plain_line(data: bytes) -> str:
    """Return what a device tells as one line of text; empty where it is none."""
    text = " ".join(data.decode("utf-8", "replace").replace("\0", " ").split())
    return text[:LONGEST_LINE] if text.isprintable() else ""


def serial_text(data: bytes) -> str:
    """Return a serial number that a device tells as text; empty where it is none.

    One character over and over, such as 00000000, is what devices tell that were never given a number.
    """
    text = data.decode("utf-8", "replace").replace("\0", " ").strip()
    plain = "".join(character for character in text if character.isalnum())
    return text if len(set(plain)) > 1 and text.isprintable() else ""
