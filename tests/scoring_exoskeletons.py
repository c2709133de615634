"""Bytes of exoskeletons and their actuators, through the product's own parse functions (for the vector scorer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drivers.openexo.message import parse_fault, parse_handshake, parse_message
from drivers.vesc.packet import describe, parse_packet


def openexo(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what notifications of an OpenExo mean."""
    if "33b65d43" in stream.lower():
        code, joint = parse_fault(b"".join(packets))
        return {"code": code, "joint": joint}
    if "6e400003" not in stream.lower():
        return None
    if len(packets) != 1 or packets[0].startswith(b"READY"):
        table = parse_handshake(packets)
        return {"ready": True, "names": list(table.names), "values": [list(row) for row in table.values]}
    message = parse_message(packets[0])
    return {
        "command": message.command,
        "count": len(message.values),
        "values": list(message.values),
        "ascii": packets[0].decode("ascii"),
    }


def vesc(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a packet of a VESC means: commands too, which are read here and never sent."""
    return describe(parse_packet(b"".join(packets)))
