"""What the page is sent that a patient sees of their own movement: what was chosen for them, where it comes from."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.outside_text import clean
from gateway.dashboard.views import age_s, shown
from gateway.dashboard.ward import Ward

Json = dict[str, Any]
OF_DEVICE = ("id", "placement", "state", "streams")


def feedback_view(ward: Ward, slot: str, now_us: int) -> Json:
    """Return it; ``chosen`` is None where nothing was chosen for who is in the bed now, or nobody is."""
    registry = ward.registry
    there, wearer = registry.subjects.get(slot), ward.wearer(slot)
    is_theirs = there is not None and wearer is not None and wearer.subject == there["id"]
    chosen = there["feedback"] if there is not None and is_theirs else None
    value = ward.slot(slot).best(chosen["of"], chosen["side"]) if chosen and chosen["kind"] == "metric" else None
    return {
        "feedback": {
            "id": slot,
            "label": registry.beds.get(slot, {}).get("label") or clean(slot),
            "subject": there["id"] if there else "",
            "chosen": chosen,
            "value": shown(value),
            "age_s": age_s(ward, slot, now_us),
            "devices": [{key: device.get(key) for key in OF_DEVICE} for device in ward.devices(slot)],
        }
    }
