"""What the fleet page is sent: a row a gateway, whether it is in the fleet, is heard, or both."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.fleet_words import FleetWords
from gateway.dashboard.known_sentences import HEALTH, said
from gateway.dashboard.site import Site
from gateway.dashboard.ward import MICRO, Ward
from gateway.fleet.health import Health

Json = dict[str, Any]
NOT_HEARD = "has not been heard yet"
NOT_ONLINE = {
    "offline": "is offline", "silent": "has not been heard for some time", "unknown": "has not been heard yet",
    "no status": "sends numbers and says nothing of itself",
}  # fmt: skip


def fleet_view(site: Site) -> Json:
    """Return the rows: those that need somebody first, then by name."""
    words = site.fleet
    wards = {ward.gateway: ward for ward in site.wards()}
    members = words.members if words is not None else {}
    names = sorted(wards.keys() | members.keys())
    rows = [_row(name, wards.get(name), words) for name in names]
    rows.sort(key=lambda row: (row["state"] == "revoked", row["well"], row["gateway"]))
    return {
        "fleet": {
            "desk": words.heard if words is not None else None,
            "trouble": words.trouble if words is not None else "",
            "invited": words.invited if words is not None else [],
            "roll_out": words.roll_out if words is not None else None,
            "gateways": rows,
        }
    }


def _row(name: str, ward: Ward | None, words: FleetWords | None) -> Json:
    member = words.members.get(name) if words is not None else None
    result = words.results.get(name) if words is not None else None
    revoked = member is not None and member["revoked_us"] is not None
    row = {
        "gateway": name, "ring": member["ring"] if member else "", "result": result, **_said(ward),
        "in_fleet": None if words is None or not words.heard else member is not None and not revoked,
    }  # fmt: skip
    if revoked and member is not None:
        why = f": {member['why']}" if member["why"] else ""
        row |= {"state": "revoked", "well": False, "health": f"was taken out of the fleet{why}"}
    return {**row, "health_said": said(HEALTH, row["health"])}


def _said(ward: Ward | None) -> Json:
    """Return what a gateway says of itself, with how old that is."""
    if ward is None or ward.state == "unknown":
        return {
            "state": "unknown", "well": False, "health": NOT_HEARD, "age_s": None, "version": "", "notices": 0,
            "clock_s": None, "synchronised": None, "certificate_days": None, "outbox": None, "disk_free": None,
            "disk_total": None,
        }  # fmt: skip
    status, health = ward.status, _health(ward)
    outbox, disk, clock = (status.parts.get(name) or {} for name in ("outbox", "disk", "clock"))
    return {
        "state": ward.gateway_state(), "well": health.well, "health": health.sentence, "age_s": ward.gateway_age_s(),
        "version": status.version, "notices": len(ward.notices.shown()), "clock_s": _ahead_s(ward),
        "synchronised": clock.get("synchronised") if isinstance(clock.get("synchronised"), bool) else None,
        "certificate_days": status.certificate_days, "outbox": _number(outbox.get("depth")),
        "disk_free": _number(disk.get("free_bytes")), "disk_total": _number(disk.get("total_bytes")),
    }  # fmt: skip


def _health(ward: Ward) -> Health:
    """Return how a gateway is, by its own word and by whether it is heard."""
    state = ward.gateway_state()
    return ward.own_health if state == "online" else Health(well=False, sentence=NOT_ONLINE[state])


def _ahead_s(ward: Ward) -> float | None:
    """Return by how much a gateway's clock is ahead of ours, with the way of its message: none before it spoke."""
    return None if ward.clock_ahead_us is None else round(ward.clock_ahead_us / MICRO, 2)


def _number(value: object) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
