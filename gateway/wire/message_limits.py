"""How much a message may bring, told from its bytes before one of them becomes an object.

An empty entry takes three bytes on the wire and sixty-four as an object, so what is too much is refused unparsed.
The counts are of bytes that begin an entry, a list or another value. A text may hold these bytes as well, so a message
that looks like too much is counted once more without its texts.
"""

from __future__ import annotations

import re

MAX_MESSAGE_BYTES = 256 * 1024
"""Payload of one message: four times what a gateway puts into one."""
PACKET_BYTES = MAX_MESSAGE_BYTES + 4096
"""The same with topic and properties, as the historian names it to the broker: what is larger does not even come."""
MAX_ENTRIES = 1_000
"""Measurements, records or gaps of a message: a gateway sends up to 200 rows, or 1,000 gaps."""
MAX_LISTS = 4 * MAX_ENTRIES
"""A measurement has two lists; this bounds nesting too, and the parser takes 1,024 levels at most."""
MAX_VALUES = 32_768
"""Commas: 200 measurements of 22 fields have 5,000."""

TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
"""A text; one without an end reaches to the end, so that no byte is looked at twice."""


def too_much(payload: bytes) -> str:
    """Return what a payload has too much of, in a short fixed text; empty if it may be parsed."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return "too many bytes"
    return _too_many(payload) and _too_many(TEXTS.sub(b'""', payload))


def entries(payload: bytes) -> int:
    """Return at most how many entries a payload holds, cheaply."""
    return payload.count(b"{")


def _too_many(payload: bytes) -> str:
    if payload.count(b"{") > MAX_ENTRIES + 1:  # one is the message itself
        return "too many entries"
    if payload.count(b"[") > MAX_LISTS:
        return "too many lists"
    if payload.count(b",") > MAX_VALUES:
        return "too many values"
    return ""
