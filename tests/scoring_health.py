"""Bytes of Bluetooth health devices that others published, through the product's own parse functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drivers.errors import MalformedFrameError
from drivers.gatt.date_time import DateTime
from drivers.pulse_oximeter.records import parse_continuous, parse_spot

Answer = dict[str, Any] | None


def pulse_oximeter(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what an oximeter tells."""
    if "2A5F" in stream:
        return told(parse_continuous(only(packets)).values)
    if "2A5E" in stream:
        return told(parse_spot(only(packets)).values)
    return None


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with moments as the vectors write them."""
    return {name: moment(value) if isinstance(value, DateTime) else value for name, value in values.items()}


def moment(value: DateTime) -> str | dict[str, int | None]:
    """Return a moment as text, or in parts where some are not known."""
    return value._asdict() if None in value else str(value)


def only(packets: Sequence[bytes]) -> bytes:
    """Return the one frame there is; raises MalformedFrameError for more."""
    if len(packets) != 1:
        raise MalformedFrameError(f"one frame expected, not {len(packets)}")
    return packets[0]
