"""What hands do to the whole data folder while it is in use: moved away, moved and linked, moved away and back."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

from tests.faults.chain import Chain, chain_in
from tests.faults.files import works
from tests.faults.hands import REPORTED_WITHIN_S, WORK_S, reported_since, without_damage
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress

AWAY_S = 3.0
"""How long a folder is away that comes back: longer than any look of a process at its files."""
LINKED = "moved to another place and linked"


def move_away(chain: Chain, turn: int) -> str:
    """Move the folder away and leave nothing in its place."""
    chain.data.rename(chain.folder / f"away-{turn}")
    return "moved away"


def link(chain: Chain, turn: int) -> str:
    """Move the folder to where there is more room, and leave a link."""
    away = chain.folder / f"elsewhere-{turn}"
    chain.data.rename(away)
    chain.data.symlink_to(away)
    return LINKED


def put_back(chain: Chain, turn: int) -> str:
    """Move the folder away, and after a while put it back in the place of whatever was begun there."""
    away = chain.folder / f"back-{turn}"
    chain.data.rename(away)
    time.sleep(AWAY_S)
    if chain.data.exists():
        chain.data.rename(chain.folder / f"begun-{turn}")
    away.rename(chain.data)
    return "moved away and put back"


WAYS = (move_away, link, put_back)


def moved_folders(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Move the data folder away under gateway and historian: what is made goes on, and what went with it is told."""
    outcome = Outcome("data folder moved away in use")
    rng = random.Random(seed)
    with chain_in(folder, resend_after_s=3.0, data=folder / "data") as chain:
        while outcome.times < times:
            works(chain)
            time.sleep(rng.random() * WORK_S)
            began_us = time.time_ns() // 1000
            how = WAYS[outcome.times % len(WAYS)](chain, outcome.times)
            outcome.end_round(partial(works, chain), of=times, progress=progress)
            if how != LINKED and not reported_since(chain, began_us):
                outcome.notes.append(f"nobody said within {REPORTED_WITHIN_S:g} s that the folder was {how}")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, gaps_allowed=True)
    outcome.notes = without_damage(outcome.notes)
    outcome.remark = f"{found.declared} told as gaps: what only the history that went along held"
    return outcome
