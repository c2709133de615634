"""Bluetooth UUIDs, always written in full and in lower case, as bleak does."""

from __future__ import annotations


def sig_uuid(short: int) -> str:
    """Return the full UUID of a 16-bit number that the Bluetooth SIG assigned."""
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


def dot_uuid(short: int) -> str:
    """Return the full UUID of one of Movella DOT's services or characteristics (XD0506P, section 1)."""
    return f"1517{short:04x}-4947-11e9-8646-d663bd873d93"
