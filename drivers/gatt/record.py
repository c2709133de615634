"""Records whose flags say which fields follow: a table a characteristic, and one reader for all tables.

This is how nearly all health and fitness characteristics of the Bluetooth SIG are laid out: flags of one to three
bytes, then the fields whose bit is set, little endian, in the order of the specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from drivers.errors import MalformedFrameError
from drivers.gatt.date_time import DATE_TIME_BYTES, date_time
from drivers.gatt.ieee11073 import float32, sfloat

MAX_BYTES: Final = 512  # no attribute value is longer (Core specification, Vol 3, Part F, 3.2.9)
ALWAYS: Final = -1


class Kind(NamedTuple):
    """A type of field: how long it is, and what its bytes mean (None: no value)."""

    size: int
    read: Callable[[bytes], Any]


U8, U16, U24, U32 = (Kind(size, partial(int.from_bytes, byteorder="little")) for size in (1, 2, 3, 4))
I8, I16, I32 = (Kind(size, partial(int.from_bytes, byteorder="little", signed=True)) for size in (1, 2, 4))
SFLOAT, FLOAT = Kind(2, sfloat), Kind(4, float32)
TIME = Kind(DATE_TIME_BYTES, date_time)


class Field(NamedTuple):
    """One field of a record.

    Attributes:
        name: What the value is called, with its unit where it has one.
        kind: Its type.
        bit: The flag bit that says that it is there; `ALWAYS` for one that always is.
        per: So many of the wire's units make one of ours.
        inverted: Whether it is there when its bit is 0.
        missing: What stands on the wire for "not available".
    """

    name: str
    kind: Kind
    bit: int = ALWAYS
    per: float = 1
    inverted: bool = False
    missing: tuple[int, ...] = ()

    def there(self, flags: int) -> bool:
        """Whether a record with these flags has it."""
        return self.bit == ALWAYS or bool(flags >> self.bit & 1) != self.inverted

    def value(self, data: bytes) -> Any:
        """Return the value of its bytes; None where they stand for none."""
        raw = self.kind.read(data)
        if raw is None or raw in self.missing:
            return None
        return raw if self.per == 1 else raw / self.per


class Reading(NamedTuple):
    """What one record holds.

    Attributes:
        flags: Its flags.
        values: The fields that are there and whole; None for one that tells no value.
        truncated: Whether fields that the flags announce are missing at the end.
        left: Bytes that were not read: of a cut field, or behind the last one.
    """

    flags: int
    values: dict[str, Any]
    truncated: bool
    left: int

    def number(self, name: str) -> float:
        """Return a value as a number; NaN where there is none."""
        value = self.values.get(name)
        return float("nan") if value is None else float(value)


class Record:
    """A characteristic's layout.

    Args:
        flag_bytes: Length of the flags; 0 for a record without any.
        fields: Its fields, in order.
    """

    def __init__(self, flag_bytes: int, fields: Sequence[Field]) -> None:
        self.flag_bytes = flag_bytes
        self.fields = tuple(fields)

    def leading(self, data: bytes) -> Reading:
        """Read the fields that are whole, from the first on; raises MalformedFrameError where not even flags are."""
        if not data:
            raise MalformedFrameError("empty frame")
        if len(data) > MAX_BYTES:
            raise MalformedFrameError("oversized frame")
        if len(data) < self.flag_bytes:
            raise MalformedFrameError("truncated frame")
        flags = int.from_bytes(data[: self.flag_bytes], "little")
        values: dict[str, Any] = {}
        at = self.flag_bytes
        for field in self.fields:
            if not field.there(flags):
                continue
            end = at + field.kind.size
            if end > len(data):
                return Reading(flags, values, truncated=True, left=len(data) - at)
            values[field.name] = field.value(data[at:end])
            at = end
        return Reading(flags, values, truncated=False, left=len(data) - at)

    def whole(self, data: bytes) -> Reading:
        """Read all fields; raises MalformedFrameError where one is cut."""
        reading = self.leading(data)
        if reading.truncated:
            raise MalformedFrameError("truncated frame")
        return reading
