"""A struct format of a declaration, as Python's `struct` and a firmware's packed struct have it."""

from __future__ import annotations

import re
import struct
from typing import Any, Final

import numpy as np

KINDS: Final = {
    "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "l": "i4", "L": "u4", "q": "i8", "Q": "u8",
    "f": "f4", "d": "f8",
}  # fmt: skip
PADDING: Final = "x"
MOST_BYTES: Final = 240  # of a struct: what fits into one notification

_FORMAT = re.compile(r"(?P<order>[<>])(?P<fields>(?:\s*[0-9]*[bBhHiIlLqQfdx])+)\s*")
_FIELD = re.compile(r"(?P<times>[0-9]*)(?P<kind>[a-zA-Z])")


def dtype_of(text: str) -> np.dtype[Any]:
    """Return the fields of a struct format, one for each value, named by their numbers; raises ValueError."""
    found = _FORMAT.fullmatch(text)
    if found is None:
        known = " ".join(KINDS)
        raise ValueError(
            f"struct = '{text[:40]}' is none: begin with < (little-endian, as most microcontrollers are) or >, then a"
            f" letter a value, of {known} (x for a byte to skip)"
        )
    size = struct.calcsize(text)
    if not 0 < size <= MOST_BYTES:
        raise ValueError(f"struct = '{text[:40]}' has {size} bytes: 1 to {MOST_BYTES} will do")
    kinds, offsets, at = [], [], 0
    for field in _FIELD.finditer(found["fields"]):
        for _ in range(int(field["times"] or 1)):
            if field["kind"] != PADDING:
                kinds.append(found["order"] + KINDS[field["kind"]])
                offsets.append(at)
            at += struct.calcsize(f"<{field['kind']}")
    names = [str(number) for number in range(len(kinds))]
    return np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": size})
