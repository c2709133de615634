"""The topics of a fleet: beside those of its gateways, so that no rule about measurements says anything about these.

Who may write and read which stands in `gateway.fleet.mosquitto`; docs/fleet.md has the table for people.
"""

from __future__ import annotations

from dataclasses import dataclass

FLEET_ROOT = "rehab/fleet/v1"


@dataclass(frozen=True, slots=True)
class FleetTopics:
    """The topics of the fleet of one site. ``"+"`` for a gateway or client gives a subscription filter."""

    site: str

    @property
    def prefix(self) -> str:
        """Return what all topics of this fleet start with."""
        return f"{FLEET_ROOT}/{self.site}"

    def request(self, client: str = "+") -> str:
        """Who wants to join, by a random client id."""
        return f"{FLEET_ROOT}/enrol/{client}/request"

    def answer(self, client: str) -> str:
        """Return where who wants to join is answered."""
        return f"{FLEET_ROOT}/enrol/{client}/answer"

    @property
    def plan(self) -> str:
        """The plan of the newest roll-out, signed, retained."""
        return f"{self.prefix}/plan"

    @property
    def overview(self) -> str:
        """Who is in the fleet and how the roll-out goes, for pages; retained."""
        return f"{self.prefix}/overview"

    def state(self, gateway: str = "+") -> str:
        """What a gateway's agent has done; retained."""
        return f"{self.prefix}/from/{gateway}/state"

    def want(self, gateway: str = "+") -> str:
        """A part of a bundle that a gateway asks for."""
        return f"{self.prefix}/from/{gateway}/want"

    def renew(self, gateway: str = "+") -> str:
        """A gateway asks for new certificates while its old ones still hold."""
        return f"{self.prefix}/from/{gateway}/renew"

    def part(self, gateway: str) -> str:
        """A part of a bundle for one gateway."""
        return f"{self.prefix}/to/{gateway}/part"

    def renewed(self, gateway: str) -> str:
        """New certificates for one gateway."""
        return f"{self.prefix}/to/{gateway}/renewed"


NOBODY = ""
"""Whoever is in no fleet yet: all of them are one sender, since each may have as many names as they like."""


def whose(topic: str) -> str:
    """Return on whose account a message is that the desk hears: of whoever is in no fleet, or of a gateway."""
    levels = topic.split("/")
    if topic.startswith(f"{FLEET_ROOT}/"):
        return NOBODY if levels[-1] == "request" else levels[-2]
    return levels[3]


def sender_of(topic: str) -> str:
    """Return who a topic below ``from/`` or ``enrol/`` is of."""
    return topic.rsplit("/", 2)[1]
