"""A ward that was taken for the first of all, until the broker could be heard: then an earlier one may show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.outbox.outbox import Outbox
from gateway.ward.kept_ward import KeptWard
from gateway.ward.state import WardState

FACT: Final = "first-ward"
"""Under which the outbox keeps whether that is still to be seen."""
UNSEEN, SEEN = "unseen", "seen"
MISSING: Final = "outbox-missing"
"""The incident of a receipt for an outbox that was here before and is not known any more."""


class FirstWard:
    """Looks for what shows that a ward from the configuration is not the first, until the historian has answered.

    Args:
        ward: The registry.
        outbox: Whose receipts tell of it, and where it is kept over starts.
        now_us: Wall clock, UTC microseconds.
    """

    def __init__(self, ward: KeptWard, outbox: Outbox, *, now_us: Callable[[], int]) -> None:
        self._ward = ward
        self._outbox = outbox
        self._now_us = now_us
        if ward.begun:
            outbox.facts.keep(FACT, UNSEEN)

    def look(self) -> WardState | None:
        """Return the ward with nobody in a bed by the configuration alone, where it proves not to be the first."""
        facts = self._outbox.facts
        if facts.get(FACT) != UNSEEN:
            return None
        if any(incident.what == MISSING for incident in self._outbox.incidents.shown()):
            facts.keep(FACT, SEEN)
            stays = ", ".join(subject.stay for subject in self._ward.state.subjects)
            trace = "the historian has measurements of it"
            return self._ward.vacate(f"{trace}; what stands under {stays} may be of others", at_us=self._now_us())
        if facts.keys("history"):  # a historian has spoken of this outbox, and of none before it
            facts.keep(FACT, SEEN)
        return None
