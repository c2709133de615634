"""Who is in the fleet and how the roll-out goes, as the desk tells pages: no key, no code, no sum."""

from __future__ import annotations

from typing import Any

from gateway.fleet.health import MICRO
from gateway.fleet.register import Register, RollOut

OVERVIEW_VERSION = 1


def overview(register: Register, roll_out: RollOut | None, now_s: float) -> dict[str, Any]:
    """Return what is retained for pages; it changes only when something did."""
    return {
        "v": OVERVIEW_VERSION,
        "members": [
            {
                "gateway": member.gateway, "ring": member.ring, "joined_us": round(member.joined_s * MICRO),
                "revoked_us": None if member.revoked_s is None else round(member.revoked_s * MICRO), "why": member.why,
            }
            for member in register.members()
        ],
        "invitations": [
            {"gateway": one.gateway, "ring": one.ring, "expires_us": round(one.expires_s * MICRO)}
            for one in register.open_invitations(now_s)
        ],
        "roll_out": None if roll_out is None else _told(roll_out),
    }  # fmt: skip


def _told(roll_out: RollOut) -> dict[str, Any]:
    return {
        "id": roll_out.id, "attempt": roll_out.attempt, "kind": roll_out.bundle.kind,
        "version": roll_out.bundle.version, "file": roll_out.bundle.file, "bytes": roll_out.bundle.size,
        "state": roll_out.state, "why": roll_out.why, "open": roll_out.open, "made_us": round(roll_out.made_s * MICRO),
        "rings": [{"name": ring.name, "gateways": list(ring.gateways)} for ring in roll_out.rings],
    }  # fmt: skip
