"""What a device tells of itself that tells it from all others of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Trait = Literal["serial", "tag", "address"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What one device told when it was connected; empty where it tells nothing.

    Attributes:
        serial: Serial number, as its maker gave it.
        tag: What its owner named it, where the device keeps that.
        address: Bluetooth address that it was found under; may be another one each day.
    """

    serial: str = ""
    tag: str = ""
    address: str = ""


def serial_text(data: bytes) -> str:
    """Return a serial number that a device tells as text; empty where it is none.

    One character over and over, such as 00000000, is what devices tell that were never given a number.
    """
    text = data.decode("utf-8", "replace").replace("\0", " ").strip()
    plain = "".join(character for character in text if character.isalnum())
    return text if len(set(plain)) > 1 and text.isprintable() else ""
