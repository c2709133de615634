"""Numbers of medical devices as IEEE 11073-20601 writes them: SFLOAT (16 bits) and FLOAT (32 bits), little endian."""

from __future__ import annotations

SFLOAT_NAN = b"\xff\x07"
LARGEST_SFLOAT = 2045  # mantissas beyond stand for no number


def sfloat(value: float, decimals: int = 0) -> bytes:
    """Return a number with so many decimals; one that is too large loses decimals. Raises ValueError beyond that."""
    mantissa = round(value * 10.0**decimals)
    if abs(mantissa) > LARGEST_SFLOAT:
        return sfloat(value, decimals - 1)
    if not -8 <= -decimals <= 7:
        raise ValueError(f"{value} does not fit into 16 bits")
    return ((mantissa & 0xFFF) | ((-decimals & 0xF) << 12)).to_bytes(2, "little")


def float32(value: float, decimals: int = 0) -> bytes:
    """Return a number with so many decimals."""
    return (round(value * 10.0**decimals) & 0xFFFFFF).to_bytes(3, "little") + (-decimals & 0xFF).to_bytes(1, "little")
