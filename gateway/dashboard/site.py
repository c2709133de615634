"""The gateways that the pages show: what each says, kept apart by its id, and what every page is sent of them.

A bed is a gateway's: two gateways may have beds, and devices, of one name. A view is ``ward``, ``devices``,
``devices/<gateway>``, ``slot/<slot>`` or ``slot/<slot>/<gateway>``; without a gateway it is of the first.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from config.settings import Settings
from gateway.audit.access_log import Person
from gateway.dashboard import pages, views
from gateway.dashboard.feed import Feed, Message
from gateway.dashboard.looks import people
from gateway.dashboard.ward import Ward
from gateway.dashboard.waveforms import Waveforms
from gateway.wire.topics import ROOT, Topics

ALL = "*"
GATEWAYS = 64  # of a site: more than any hospital; a bound on what a wrong publisher can make us hold
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
KINDS = frozenset({"status", "measurements", "cycles", "notices", "waveform"})
TROUBLES = {
    "offline": "is offline: what is shown of its beds is old",
    "silent": "has not been heard for some time: what is shown of its beds is old",
    "unknown": "has not been heard yet: its beds are missing",
    "no status": "sends numbers and no status: devices, batteries and notices of its beds are missing or old",
}
"""What to say of a gateway that is not online, by its state."""
MILLI = 1000


class View(NamedTuple):
    """What a page is about; an empty gateway is the first, an empty slot none."""

    kind: str
    slot: str = ""
    gateway: str = ""


def read_view(name: str) -> View:
    """Return what the name of a view means."""
    kind, _, rest = name.partition("/")
    slot, _, gateway = rest.partition("/") if kind == "slot" else ("", "", rest)
    return View(kind, slot, gateway)


class Site:
    """The wards of a site's gateways.

    Args:
        settings: Which gateways, and how fast their clocks run.

    Attributes:
        first: The ward that a page without the name of a gateway is about.
        dropped: Messages of gateways that found no room.
    """

    def __init__(self, settings: Settings) -> None:
        named = [name for name in settings.dashboard.gateways if name != ALL]
        self.dropped: Counter[str] = Counter()
        self._named = named or ([] if settings.dashboard.gateways else [settings.site.gateway])
        self._all = ALL in settings.dashboard.gateways
        self._settings = settings
        self._wards: dict[str, Ward] = {}
        self._waveforms: dict[str, Waveforms] = {}
        self._feed: Feed | None = None
        for name in self._named:
            self._add(name)
        own = settings.site.gateway
        self.first = self._wards.get(own) or (self._wards[named[0]] if named else self._add(own))

    def filters(self) -> list[tuple[str, int]]:
        """Return the subscriptions: topic filters, each with its QoS."""
        found = []
        for name in ["+"] if self._all else self._named:
            topics = Topics(self._settings.site.site, name)
            once = (topics.status, topics.status_page(), topics.measurements(), topics.notices, topics.cycles())
            found += [*((topic, 1) for topic in once), (topics.waveform(), 0)]
        return found

    def use(self, feed: Feed) -> None:
        """Send what is asked of gateways by a feed."""
        self._feed = feed

    def wards(self) -> list[Ward]:
        """Return the wards to show: of gateways that were named, and of those that spoke."""
        shown = [ward for name, ward in self._wards.items() if name in self._named or ward.state != "unknown"]
        return shown or [self.first]

    def ward(self, gateway: str | None) -> Ward | None:
        """Return the ward of a gateway, the first without a name; None where there is none."""
        return self._wards.get(gateway) if gateway else self.first

    def waveforms(self, ward: Ward) -> Waveforms:
        """Return the raw samples of a ward's devices."""
        if ward.gateway not in self._waveforms:
            assert self._feed is not None
            topics = Topics(self._settings.site.site, ward.gateway)
            self._waveforms[ward.gateway] = Waveforms(self._feed, topics)
        return self._waveforms[ward.gateway]

    def all_waveforms(self) -> Sequence[Waveforms]:
        """Return those of all gateways that anybody has asked for any, or that sent some."""
        return list(self._waveforms.values())

    def take(self, message: Message) -> None:
        """Take a message of any gateway."""
        gateway, _, rest = message.topic.removeprefix(f"{ROOT}/{self._settings.site.site}/").partition("/")
        kind, _, name = rest.partition("/")
        ward = self._wards.get(gateway) or self._new(gateway, kind)
        if ward is None:
            self.dropped["too many gateways"] += 1
        elif kind == "waveform":
            self.waveforms(ward).take(message.topic, message.payload)
        else:
            ward.take(kind, name, message.payload, retained=message.retained)

    def render(self, name: str) -> dict[str, Any]:
        """Return what a page is sent."""
        view, up = read_view(name), self._feed is not None and self._feed.up
        ward = self.ward(view.gateway) or Ward(view.gateway)
        now_us = ward.now_us()
        state = views.header(ward, now_us, connected=up)
        state |= {"build": pages.BUILD, "sent_ms": round(time.monotonic() * MILLI)}
        if view.kind == "slot":
            return state | views.slot_view(ward, view.slot, now_us)
        return state | (views.devices_view(ward) if view.kind == "devices" else self._ward_view(now_us))

    def revision(self, name: str) -> object:
        """Return what changes with everything that a page shows; None where it comes with the status only."""
        view = read_view(name)
        if view.kind == "devices":
            return None
        if view.kind == "ward":
            return sum(ward.revision for ward in self._wards.values())
        ward = self.ward(view.gateway)
        return None if ward is None else ward.slot(view.slot).revision

    def told(self) -> None:
        """Note that every open page has what there was."""
        for ward in self._wards.values():
            ward.delays.told()

    def people(self, view: View) -> list[Person]:
        """Return who is seen in a view."""
        if view.kind == "devices":
            return []
        if view.kind == "ward":
            return [person for ward in self.wards() for person in people(ward)]
        ward = self.ward(view.gateway)
        return [] if ward is None else people(ward, view.slot)

    def losses(self) -> Counter[str]:
        """Return what was not understood or found no room, by reason."""
        found = Counter(self.dropped)
        for ward in self._wards.values():
            found.update(ward.dropped)
        for waveforms in self._waveforms.values():
            found.update(waveforms.dropped)
        return found

    def _ward_view(self, now_us: int) -> dict[str, Any]:
        wards = self.wards()
        if wards == [self.first]:
            return views.ward_view(self.first, now_us)
        told = [(ward, views.ward_view(ward, ward.now_us())) for ward in wards]
        states = {ward.gateway: ward.gateway_state() for ward in wards}
        troubles = [f"Gateway {name} {TROUBLES[state]}." for name, state in states.items() if state in TROUBLES]
        return {
            "slots": [_tile(tile, ward, now_us) for ward, view in told for tile in view["slots"]],
            "more_slots": sum(view["more_slots"] for _, view in told),
            "gateways": [{"id": name, "state": state} for name, state in states.items()],
            "gateway_state": "online",  # of the page: which of them are not stands among the doubts
            "simulated": any(ward.simulated for ward in wards),
            "notices": [
                {**notice, "id": f"{ward.gateway}/{notice['id']}", "text": f"{ward.gateway}: {notice['text']}",
                 "gateway": ward.gateway}
                for ward in wards for notice in ward.notices.shown()
            ],
            "doubts": [*troubles, *(f"{ward.gateway}: {doubt}" for ward in wards for doubt in views.doubts(ward))],
        }  # fmt: skip

    def _new(self, gateway: str, kind: str) -> Ward | None:
        """Begin with a gateway that speaks for the first time; None where there is no room, or it is no gateway."""
        if not self._all or kind not in KINDS or not NAME.fullmatch(gateway) or len(self._wards) >= GATEWAYS:
            return None
        return self._add(gateway)

    def _add(self, gateway: str) -> Ward:
        self._wards[gateway] = Ward(gateway, speed=self._settings.speed)
        return self._wards[gateway]


def _tile(tile: dict[str, Any], ward: Ward, now_us: int) -> dict[str, Any]:
    """Return a bed of one gateway among those of others: with its name, and its times on the page's clock."""
    ahead_us = now_us - ward.now_us()
    since_us = tile["patient_since_us"]
    values = {
        metric: shown and {**shown, "end_us": shown["end_us"] + ahead_us} for metric, shown in tile["values"].items()
    }
    return {
        **tile, "gateway": ward.gateway, "values": values,
        "patient_since_us": None if since_us is None else since_us + ahead_us,
    }  # fmt: skip
