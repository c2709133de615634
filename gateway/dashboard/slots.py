"""What is kept of every bed of one gateway, bounded; and who is in it, as the newest word says."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.dashboard.gateway_status import SLOTS, GatewayStatus
from gateway.dashboard.slot_state import SlotState, Wearer


class Slots:
    """The beds that a gateway has spoken of."""

    def __init__(self) -> None:
        self._states: dict[str, SlotState] = {}

    @property
    def revision(self) -> int:
        """What changes with every measurement of any bed."""
        return sum(state.revision for state in self._states.values())

    @property
    def simulated(self) -> bool:
        """Whether anything that is kept may be simulated."""
        return any(state.wearer is not None and state.wearer.simulated for state in self._states.values())

    def get(self, slot: str) -> SlotState:
        """Return what a bed said last; empty if it said nothing."""
        return self._states.get(slot) or SlotState()

    def others(self, known: Collection[str]) -> list[str]:
        """Return the beds that have spoken and are none of these, in the order of their names."""
        return sorted(name for name in self._states.keys() - set(known) if self._states[name].newest_us)

    def clear(self) -> None:
        """Forget everything."""
        self._states.clear()

    def find_room(self, slot: str, status: GatewayStatus) -> SlotState | None:
        """Return what is kept of a bed, to be added to; None where there is no room for another.

        A bed that the gateway tells of always finds room: one that it does not tell of gives way.
        """
        if slot not in self._states and len(self._states) >= SLOTS:
            stranger = next((name for name in self._states if name not in status.slots), None)
            if slot not in status.slots or stranger is None:
                return None
            del self._states[stranger]
        return self._states.setdefault(slot, SlotState())

    def seat(self, status: GatewayStatus, at_us: int, latest_us: int) -> None:
        """Note who is in each bed by a status, unless a newer word is known.

        Args:
            status: What was said.
            at_us: When, on the gateway's clock.
            latest_us: So much newer a word may be; beyond it, the clock was set back.
        """
        for name, entry in status.slots.items():
            state = self.find_room(name, status)
            if state is None or not entry.keys() >= {"subject", "session"}:
                continue
            subject, session = entry["subject"] or "", entry["session"] or ""  # an empty bed may say null
            before = state.wearer
            if before is not None and (before.subject, before.session) == (subject, session):
                state.known_us = max(state.known_us, at_us)
            elif at_us >= state.known_us or state.known_us - at_us > latest_us:
                state.give_to(Wearer(subject, session, status.simulated), at_us)

    def empty(self, is_empty: Callable[[str], bool], at_us: int, *, simulated: bool) -> None:
        """Forget what is of somebody who has left: a status tells of taken beds only."""
        for name, state in self._states.items():
            if is_empty(name) and state.wearer is not None and state.wearer.is_somebody:
                state.give_to(Wearer("", "", simulated), max(at_us, state.known_us))
