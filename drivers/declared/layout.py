"""A struct format of a declaration, as Python's `struct` and a firmware's packed struct have it."""

from __future__ import annotations

import re
import struct
from typing import Final

KINDS: Final = "bBhHiIlLqQfd"
MOST_BYTES: Final = 240  # of a struct: what fits into one notification

_FORMAT = re.compile(r"[<>](?:\s*[0-9]{0,3}[bBhHiIlLqQfdx])+\s*")


def layout_of(text: str) -> struct.Struct:
    """Return a struct of so many bytes as its format says; raises ValueError."""
    if not _FORMAT.fullmatch(text):
        known = " ".join(KINDS)
        raise ValueError(
            f"struct = '{text[:40]}' is none: begin with < (little-endian, as most microcontrollers are) or >, then a"
            f" letter a value, of {known} (x for a byte to skip)"
        )
    size = struct.calcsize(text)
    if not 0 < size <= MOST_BYTES:
        raise ValueError(f"struct = '{text[:40]}' has {size} bytes: 1 to {MOST_BYTES} will do")
    return struct.Struct(text)


def values_in(layout: struct.Struct) -> int:
    """Return how many values a struct has."""
    return len(layout.unpack(bytes(layout.size)))
