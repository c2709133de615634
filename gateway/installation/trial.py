"""Whether a version that was just started does its work: services run, nothing new is wrong, a receipt came back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from gateway.installation.services import Services, not_running

TRIAL_S = 300.0
LOOK_S = 2.0
STEADY_LOOKS = 3
"""Looks in a row at which all is well: a service that dies and is started again is up at some of them."""
SAY_EVERY_S = 15.0
PASSING = frozenset({"analysis-preparing"})
"""Notices that are of every first start of a version, and say so themselves."""

Said = dict[str, Any] | None


def troubles(said: Said) -> set[str]:
    """Return what is wrong by what a gateway says, in words that stay the same while it does."""
    if not said or not said.get("fresh"):
        return {"the gateway says nothing"}
    status = said.get("status") or {}
    active = (status.get("notices") or {}).get("active", ())
    found = {f"{of.get('code')} {of.get('device') or of.get('slot') or ''}".strip() for of in active}
    found |= {f"{of['id']} is {of['state']}" for of in status.get("devices", ()) if of.get("state") != "streaming"}
    return {words for words in found if words.partition(" ")[0] not in PASSING}


class Trial:
    """Looks at a version until it is well, or time is up.

    Args:
        services: Who starts services.
        names: Those that are to run.
        ask: Asks the new program for the status.
        before: What was wrong before: it may go on being so.
        say: Told how it goes.
    """

    def __init__(
        self, services: Services, names: Sequence[str], ask: Callable[[], Said], before: set[str],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._services = services
        self._names = list(names)
        self._ask = ask
        self._before = before
        self._say = say
        self._promised: tuple[str, int] | None = None  # epoch and number that a receipt has to reach

    def wait(self, within_s: float) -> str:
        """Return why it is not well, or nothing once it is."""
        began = said_at = time.monotonic()
        steady = 0
        while True:
            why = self._look()
            steady = 0 if why else steady + 1
            if steady >= STEADY_LOOKS:
                return ""
            now = time.monotonic()
            if now - began >= within_s:
                return why or "it was well too late"
            if now - said_at >= SAY_EVERY_S:
                said_at = now
                self._say(f"  {now - began:.0f} of {within_s:.0f} s: {why or 'well, looking again'}")
            time.sleep(LOOK_S)

    def _look(self) -> str:
        if missing := not_running(self._services, self._names):
            return missing
        if "run" not in self._names:
            return ""
        said = self._ask()
        if new := troubles(said) - self._before - {"the gateway says nothing"}:
            return f"new since then: {', '.join(sorted(new))}"
        if said is None or not said.get("fresh"):
            return "the gateway says nothing"
        return self._receipt((said.get("status") or {}).get("outbox") or {})

    def _receipt(self, outbox: dict[str, Any]) -> str:
        """Return nothing once all is stored that was there when this version was first heard."""
        epoch, last, released = (outbox.get(key) for key in ("epoch", "last_seq", "released_seq"))
        if not isinstance(epoch, str) or not isinstance(last, int) or not isinstance(released, int) or not last:
            return "nothing was measured or noted yet"
        if self._promised is None or self._promised[0] != epoch:
            self._promised = (epoch, last)
        if released < self._promised[1]:
            return f"no receipt yet: stored up to {released} of {self._promised[1]}"
        return ""
