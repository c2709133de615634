"""Bytes of what laboratories build with, through the product's own parse functions (for the vector scorer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drivers.bno08x_rvc.message import parse_message
from drivers.openbci_cyton.packet import counts_of, parse_packet, words_of


def bno08x_rvc(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message of the UART-RVC mode means."""
    message = parse_message(b"".join(packets))
    return {
        "index": message.index,
        "yaw_deg": message.yaw_deg,
        "pitch_deg": message.pitch_deg,
        "roll_deg": message.roll_deg,
        "acc_mg": list(message.acc_mg),
    }


def openbci_cyton(stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a packet of a Cyton means, or the numbers in it alone."""
    name = stream.lower()
    if "int16" in name or "int24" in name:
        width, read = (2, words_of) if "int16" in name else (3, counts_of)
        raw = np.frombuffer(b"".join(packets), np.uint8)
        if not raw.size or raw.size % width:
            raise ValueError("no whole numbers")
        return {"values": read(raw.reshape(-1, width)).tolist()}
    return parse_packet(b"".join(packets), gain=context.get("gain", 24))
