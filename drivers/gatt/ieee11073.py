"""Numbers of medical devices: SFLOAT and FLOAT of IEEE 11073-20601, a mantissa and a power of ten.

Mantissa and exponent are two's complement. Some libraries read the exponent as one with an offset, and make a
saturation of 100 % (``64 00``) a millionth.
"""

from __future__ import annotations

import struct

_SFLOAT_SPECIAL = frozenset({0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802})
"""+INFINITY, NaN, NRes (not at this resolution), reserved, -INFINITY: of the mantissa, whatever the exponent says."""
_FLOAT_SPECIAL = frozenset({0x7FFFFE, 0x7FFFFF, 0x800000, 0x800001, 0x800002})


def sfloat(data: bytes) -> float | None:
    """Return the value of two bytes (12 bits of mantissa, 4 of exponent); None where they stand for no number."""
    raw = int.from_bytes(data, "little")
    if raw & 0x0FFF in _SFLOAT_SPECIAL:
        return None
    return _scaled(_signed(raw & 0x0FFF, 12), _signed(raw >> 12, 4))


def float32(data: bytes) -> float | None:
    """Return the value of four bytes (24 bits of mantissa, 8 of exponent); None where they stand for no number."""
    mantissa, (exponent,) = int.from_bytes(data[:3], "little"), struct.unpack("<b", data[3:])
    return None if mantissa in _FLOAT_SPECIAL else _scaled(_signed(mantissa, 24), exponent)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _scaled(mantissa: int, exponent: int) -> float:
    """Divide by a power of ten where there is a decimal point: 376 / 10 is 37.6, and 376 * 0.1 is not."""
    return mantissa * 10.0**exponent if exponent >= 0 else mantissa / 10.0**-exponent
