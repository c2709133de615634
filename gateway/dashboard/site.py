"""The gateways that the pages show: what each says, kept apart by its id.

A bed is a gateway's: two gateways may have beds, and devices, of one name. A view is ``ward``, ``ward/<metric>``,
``beds``, ``devices``, ``devices/<gateway>``, ``slot/<bed>``, ``slot/<bed>/<gateway>``, the same of ``bed``, of
``test`` and of ``feedback``, ``dock`` like ``devices``, ``fleet``, ``people``;
those without a gateway are of the first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from config.section import IDENTIFIER
from config.settings import Settings
from gateway.audit.access_log import Person
from gateway.dashboard.feed import Feed, Message
from gateway.dashboard.fleet_words import FleetWords
from gateway.dashboard.looks import people
from gateway.dashboard.ward import Ward
from gateway.dashboard.waveforms import Waveforms
from gateway.wire.topics import ROOT, Topics

ALL = "*"
GATEWAYS = 128  # of a site: more than any hospital; a bound on what a wrong publisher can make us hold
NAME = re.compile(IDENTIFIER)
KINDS = frozenset({"status", "measurements", "cycles", "notices", "ward", "waveform"})


class View(NamedTuple):
    """What a page is about; an empty gateway is the first, an empty bed none."""

    kind: str
    bed: str = ""
    gateway: str = ""


def read_view(name: str) -> View:
    """Return what the name of a view means."""
    kind, _, rest = name.partition("/")
    if kind == "ward":
        return View(kind)  # and the metric that its tiles tell besides
    bed, _, gateway = rest.partition("/") if kind in {"slot", "bed", "test", "feedback"} else ("", "", rest)
    return View(kind, bed, gateway)


class Site:
    """The wards of a site's gateways.

    Args:
        settings: Which gateways, and how fast their clocks run.

    Attributes:
        first: The ward that a page without the name of a gateway is about.
        fleet: What the fleet's desk says; None where it is not listened to.
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
        self.fleet = FleetWords(settings.site.site) if settings.dashboard.fleet else None
        for name in self._named:
            self._add(name)
        own = settings.site.gateway
        self.first = self._wards.get(own) or (self._wards[named[0]] if named else self._add(own))

    def filters(self) -> list[tuple[str, int]]:
        """Return the subscriptions: topic filters, each with its QoS."""
        found = [] if self.fleet is None else self.fleet.filters()
        for name in ["+"] if self._all else self._named:
            topics = Topics(self._settings.site.site, name)
            once = (topics.status, topics.status_page(), topics.measurements(), topics.notices, topics.ward)
            found += [*((topic, 1) for topic in once), (topics.cycles(), 1), (topics.waveform(), 0)]
        return found

    @property
    def up(self) -> bool:
        """Whether the broker is there now."""
        return self._feed is not None and self._feed.up

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

    def topics(self, ward: Ward) -> Topics:
        """Return where to speak to the gateway of a ward, and to no other."""
        return Topics(self._settings.site.site, ward.gateway)

    def waveforms(self, ward: Ward) -> Waveforms:
        """Return the raw samples of a ward's devices."""
        if ward.gateway not in self._waveforms:
            assert self._feed is not None
            self._waveforms[ward.gateway] = Waveforms(self._feed, self.topics(ward))
        return self._waveforms[ward.gateway]

    def all_waveforms(self) -> Sequence[Waveforms]:
        """Return those of all gateways that anybody has asked for any, or that sent some."""
        return list(self._waveforms.values())

    def on_message(self, message: Message) -> None:
        """Take a message of any gateway."""
        if self.fleet is not None and self.fleet.on_message(message.topic, message.payload):
            return
        gateway, _, rest = message.topic.removeprefix(f"{ROOT}/{self._settings.site.site}/").partition("/")
        kind, _, name = rest.partition("/")
        ward = self._wards.get(gateway) or self._new(gateway, kind)
        if ward is None:
            self.dropped["too many gateways"] += 1
        elif kind == "waveform":
            self.waveforms(ward).on_frame(message.topic, message.payload)
        else:
            ward.on_message(kind, name, message.payload, retained=message.retained)

    def note_shown(self, behind_s: float) -> None:
        """Note that every open page has what there was so many seconds ago."""
        for ward in self._wards.values():
            ward.delays.note_shown(behind_s)

    def people(self, view: View) -> list[Person]:
        """Return who is seen in a view."""
        if view.kind in {"devices", "fleet", "people"}:
            return []
        if view.kind in {"ward", "beds"}:
            return [person for ward in self.wards() for person in people(ward)]
        ward = self.ward(view.gateway)
        if ward is None:
            return []
        return people(ward) if view.kind == "dock" else people(ward, view.bed)

    def losses(self) -> Counter[str]:
        """Return what was not understood or found no room, by reason."""
        found = Counter(self.dropped)
        for ward in self._wards.values():
            found.update(ward.dropped)
        for waveforms in self._waveforms.values():
            found.update(waveforms.dropped)
        return found

    def _new(self, gateway: str, kind: str) -> Ward | None:
        """Begin with a gateway that speaks for the first time; None where there is no room, or it is no gateway."""
        if not self._all or kind not in KINDS or not NAME.fullmatch(gateway) or len(self._wards) >= GATEWAYS:
            return None
        return self._add(gateway)

    def _add(self, gateway: str) -> Ward:
        self._wards[gateway] = Ward(gateway, speed=self._settings.speed)
        return self._wards[gateway]
