"""The live state of each page, by the name of its view: of one gateway's ward, or of all that are shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from dsp.catalogue import CATALOGUE
from gateway.dashboard import pages
from gateway.dashboard.bed_views import bed_view, beds_view, dock_view
from gateway.dashboard.feedback_views import feedback_view
from gateway.dashboard.fleet_view import fleet_view
from gateway.dashboard.live import SPACING_S
from gateway.dashboard.outside_text import clean
from gateway.dashboard.site import Site, read_view
from gateway.dashboard.timed_view import timed_view
from gateway.dashboard.views import Doubt, devices_view, doubts, header, said, slot_view, ward_view
from gateway.dashboard.ward import Ward

Json = dict[str, Any]

MILLI = 1000
MANY = 24
"""Beds of one page: up to so many a tile follows each step, beyond it the ward is told twice a second."""
WALL_S = 0.5
LONGEST_NAME = 32  # characters of a gateway's name that came with an address
TROUBLES = {"offline": "offline", "silent": "silent", "unknown": "unknown", "no status": "no_status"}
"""Keys of what to say of a gateway that is not online, by its state."""
OF_A_BED: Mapping[str, Callable[[Ward, str, int], Json]] = MappingProxyType(
    {
        "slot": slot_view,
        "bed": lambda ward, bed, _now_us: bed_view(ward, bed),
        "test": lambda ward, bed, _now_us: timed_view(ward, bed),
        "feedback": feedback_view,
    }
)
OF_A_GATEWAY: Mapping[str, Callable[[Ward], Json]] = MappingProxyType({"devices": devices_view, "dock": dock_view})
"""What a page of one bed, or of one gateway, is sent beside what stands on every page."""


def render(site: Site, name: str) -> Json:
    """Return what a page is sent."""
    view = read_view(name)
    found = site.ward(view.gateway)
    ward = found or Ward(clean(view.gateway, LONGEST_NAME))
    now_us = ward.now_us()
    state = header(ward, now_us, connected=site.up)
    state |= {"build": pages.BUILD, "sent_ms": round(time.monotonic() * MILLI)}
    if found is None:
        state |= said([Doubt("no_gateway", {"gateway": clean(view.gateway, LONGEST_NAME)})])
    if view.kind in OF_A_BED:
        return state | OF_A_BED[view.kind](ward, view.bed, now_us)
    if view.kind in OF_A_GATEWAY:
        return state | OF_A_GATEWAY[view.kind](ward)
    if view.kind == "fleet":
        return state | {"doubts": [], "notices": []} | fleet_view(site)  # each gateway's stand in its row
    if view.kind == "people":
        return state | {"doubts": [], "notices": []}  # of no ward: what it shows it asks for
    return state | (_beds(site, now_us) if view.kind == "beds" else _tiles(site, now_us, name.partition("/")[2]))


def revision(site: Site, name: str) -> object:
    """Return what changes when a page has to hear at once; None where a state now and then is soon enough."""
    view = read_view(name)
    if view.kind == "ward":
        return sum(ward.revision for ward in site.wards())
    if view.kind == "beds":
        return [(ward.gateway, ward.registry.number) for ward in site.wards()]
    ward = site.ward(view.gateway)
    if ward is None or view.kind in {
        "devices",
        "fleet",
        "people",
    }:  # what it shows comes with the status, once a second
        return None
    if view.kind in {"test", "feedback"}:
        return ward.registry.number, ward.slot(view.bed).revision
    return ward.registry.number if view.kind in {"bed", "dock"} else ward.slot(view.bed).revision


def least_s(site: Site, name: str) -> float:
    """Return the least seconds between two states of a page: a wall of many beds is read, not followed."""
    if read_view(name).kind != "ward" or sum(len(ward.status.slots) for ward in site.wards()) <= MANY:
        return SPACING_S
    return WALL_S


def unknown(gateway: str) -> str:
    """Return the sentence for a gateway that this dashboard does not show."""
    return f"This dashboard hears no gateway '{clean(gateway, LONGEST_NAME)}'."


def _tiles(site: Site, now_us: int, metric: str) -> Json:
    wards = site.wards()
    if wards == [site.first]:
        return ward_view(site.first, now_us, metric)
    views = [(ward, ward_view(ward, ward.now_us(), metric)) for ward in wards]
    return _of_several(wards) | {
        "slots": [_tile(tile, ward, now_us) for ward, view in views for tile in view["slots"]],
        "more_slots": sum(view["more_slots"] for _, view in views),
    }


def _beds(site: Site, now_us: int) -> Json:
    wards = site.wards()
    if wards == [site.first]:
        return beds_view(site.first)
    views = [(ward, beds_view(ward)) for ward in wards]
    numbers = [view["number"] for _, view in views if view["number"] is not None]
    return _of_several(wards) | {
        "number": sum(numbers) if numbers else None,
        "beds": [_bed(bed, ward, now_us) for ward, view in views for bed in view["beds"]],
        "free": [{**one, "gateway": ward.gateway} for ward, view in views for one in view["free"]],
    }


def _of_several(wards: list[Ward]) -> Json:
    """Return what stands above the beds of several gateways: how each is, and what each says, with its name."""
    states = {ward.gateway: ward.gateway_state() for ward in wards}
    troubles = [Doubt(TROUBLES[state], {"gateway": name}) for name, state in states.items() if state in TROUBLES]
    return {
        "gateways": [{"id": name, "state": state} for name, state in states.items()],
        "gateway_state": "online",  # of the page: which of them are not stands among the doubts
        "simulated": any(ward.simulated for ward in wards),
        "notices": [
            {**notice, "id": f"{ward.gateway}/{notice['id']}", "text": f"{ward.gateway}: {notice['text']}",
             "gateway": ward.gateway}
            for ward in wards for notice in ward.notices.shown()
        ],
        "pauses": [{**pause, "gateway": ward.gateway} for ward in wards for pause in ward.notices.pauses],
        **said([*troubles, *(doubt for ward in wards for doubt in doubts(ward, ward.gateway))]),
    }  # fmt: skip


def _tile(tile: Json, ward: Ward, now_us: int) -> Json:
    """Return a bed of one gateway among those of others: with its name, and its times on the page's clock."""
    ahead_us = now_us - ward.now_us()
    since_us = tile["patient_since_us"]

    def moved(shown: Json) -> Json:
        return {**shown, "end_us": shown["end_us"] + ahead_us}

    return {
        **tile, "gateway": ward.gateway,
        "values": {metric: shown and moved(shown) for metric, shown in tile["values"].items()},
        "alarms": [moved(shown) for shown in tile["alarms"]],
        "patient_since_us": None if since_us is None else since_us + ahead_us,
    }  # fmt: skip


def _bed(bed: Json, ward: Ward, now_us: int) -> Json:
    """Return the same of the page of beds."""
    session = bed["session"]
    if session is not None:
        session = {**session, "started_us": session["started_us"] + now_us - ward.now_us()}
    return {**bed, "gateway": ward.gateway, "session": session}


def view_of(query: Mapping[str, str]) -> str:
    """Return the name of the view that a page asks for."""
    gateway = f"/{name}" if (name := query.get("gateway")) else ""
    for kind in ("slot", "bed", "test", "feedback"):
        if bed := query.get(kind):
            return f"{kind}/{bed.replace('/', '')}{gateway}"
    wanted = query.get("view", "")
    if wanted in {"devices", "dock"}:
        return f"{wanted}{gateway}"
    if wanted in {"beds", "fleet", "people"}:
        return wanted
    return f"ward/{metric}" if (metric := query.get("number", "")) in CATALOGUE else "ward"
