"""How far a roll-out may go: ring by ring, and not past a gateway that is not well. Pure: words in, a step out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.fleet.health import Health
from gateway.fleet.plan import Ring

Outcome = Literal["waiting", "fetching", "applying", "committed", "failed"]


@dataclass(frozen=True, slots=True)
class Word:
    """What is known of one gateway in a roll-out.

    Attributes:
        outcome: What its agent says came of the newest attempt.
        why: In the agent's words.
        health: How the gateway is.
        version: What it says that it runs; empty where that does not matter.
    """

    outcome: Outcome
    why: str
    health: Health
    version: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with the present ring: wait, go on to the next, or stop; and the sentence for people."""

    what: Literal["wait", "next", "stop"]
    why: str
    all_well: bool = False


def next_step(
    ring: Ring,
    words: Mapping[str, Word],
    *,
    version: str,
    well_for_s: float,
    soak_s: float,
    open_for_s: float,
    within_s: float,
) -> Step:
    """Judge a ring.

    Args:
        ring: The ring that was opened last.
        words: Of its gateways.
        version: What each must say that it runs; empty for a configuration.
        well_for_s: How long all of them have been well, as an earlier step said.
        soak_s: How long they have to be before others follow.
        open_for_s: How long the ring has been open while not all of them were well.
        within_s: How long that may be.
    """
    failed = [f"{name}: {words[name].why}" for name in ring.gateways if words[name].outcome == "failed"]
    if failed:
        return Step("stop", "; ".join(failed))
    missing = [f"{name} {_lacks(words[name], version)}" for name in ring.gateways if _lacks(words[name], version)]
    if missing:
        if open_for_s > within_s:
            return Step("stop", f"after {within_s:.0f} s {_listed(missing)}")
        return Step("wait", _listed(missing))
    if well_for_s < soak_s:
        return Step("wait", f"all well for {well_for_s:.0f} of {soak_s:.0f} s", all_well=True)
    return Step("next", "all have it and are well", all_well=True)


def _lacks(word: Word, version: str) -> str:
    """Return what is missing before a gateway counts as done; empty where nothing is."""
    if word.outcome != "committed":
        return f"{'has not answered' if word.outcome == 'waiting' else f'is {word.outcome}'}"
    if not word.health.well:
        return word.health.sentence
    return f"says that it runs {word.version or 'an unknown version'}" if version and word.version != version else ""


MOST_LISTED = 5


def _listed(missing: Sequence[str]) -> str:
    more = len(missing) - MOST_LISTED
    return "; ".join(missing[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
