"""The check sums that prototypes put behind a frame."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Final


def _table(polynomial: int) -> tuple[int, ...]:
    """Return what each byte does to a check sum of 16 bits whose lowest bit goes first."""
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)  # noqa: PLW2901 - bit by bit
        found.append(value)
    return tuple(found)


_MODBUS: Final = _table(0xA001)


def crc16_modbus(data: bytes) -> int:
    """Return CRC-16/MODBUS: polynomial 8005, lowest bit first, start FFFF."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _MODBUS[(crc ^ byte) & 0xFF]
    return crc


CHECKSUMS: Final[Mapping[str, tuple[int, Callable[[bytes], int]]]] = {
    "sum": (1, lambda data: sum(data) & 0xFF),
    "xor": (1, lambda data: reduce(xor, data, 0)),
    "crc16-modbus": (2, crc16_modbus),
    "crc16-ccitt": (2, lambda data: binascii.crc_hqx(data, 0xFFFF)),
    "crc16-xmodem": (2, lambda data: binascii.crc_hqx(data, 0)),
}
"""Bytes of each, and what makes it of the bytes that it is of. Two bytes stand in the order of the struct's numbers."""
