"""The live state of each page by the name of its view: ``ward``, ``slot/<id>``, ``devices``, ``beds``, ``bed/<id>``."""

from __future__ import annotations

import time
from typing import Any

from gateway.dashboard import pages
from gateway.dashboard.bed_views import bed_view, beds_view
from gateway.dashboard.views import devices_view, header, slot_view, ward_view
from gateway.dashboard.ward import Ward

MILLI = 1000


def render(ward: Ward, view: str, *, connected: bool) -> dict[str, Any]:
    """Return what a page is sent; ``connected`` says whether the broker is there."""
    now_us = ward.now_us()
    state = header(ward, now_us, connected=connected)
    state |= {"build": pages.BUILD, "sent_ms": round(time.monotonic() * MILLI)}
    kind, _, bed = view.partition("/")
    if kind == "slot":
        return state | slot_view(ward, bed, now_us)
    if kind == "bed":
        return state | bed_view(ward, bed)
    if kind == "beds":
        return state | beds_view(ward)
    return state | (devices_view(ward) if kind == "devices" else ward_view(ward, now_us))


def revision(ward: Ward, view: str) -> object:
    """Return what changes when a page has to hear at once; None where a state now and then is soon enough."""
    kind, _, bed = view.partition("/")
    if kind == "devices":  # what it shows comes with the status, once a second
        return None
    if kind in {"bed", "beds"}:
        return ward.registry.number
    return ward.revision if kind == "ward" else ward.slot(bed).revision
