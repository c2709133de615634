"""Wall clocks that are set while everything runs: by an hour, and from 1970 to today."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

from gateway.model.measurement import Measurement
from tests.faults.beds import Beds
from tests.faults.chain import chain_in
from tests.faults.files import works
from tests.faults.kills import SETTLE_S, Progress
from tests.faults.outcome import Outcome
from tests.faults.stepped import move
from tests.servers import mosquitto_in

HOUR_S = 3600.0
BETWEEN_S = 4.0
"""From one step to the next."""
LONGEST_S = 400.0
"""No measurement spans more, five minutes of heart beats included; one with a step within it would span an hour."""
SINCE_START = "stride_time"
"""A metric whose value is the time from its start to its end."""
TOLERANCE_S = 0.002


def to_1970_s() -> float:
    """Return by how much a clock is off that was never set."""
    return -time.time()


def steps(times: int) -> list[float]:
    """Return what the wall clock is off by, seconds, one after the other: right at last, an hour on, an hour back."""
    return [(0.0, HOUR_S, -HOUR_S)[turn % 3] for turn in range(times)]


def delivery(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Set the clock of outbox, publisher and historian, kill one now and then; nothing may be lost, doubled or late."""
    outcome = Outcome("wall clock set: from 1970, +-1 h")
    rng = random.Random(seed)
    folder.mkdir()
    clock = folder / "clock"
    move(clock, to_1970_s())
    with chain_in(folder / "chain", clock=clock, resend_after_s=5.0) as chain:
        for off_s in steps(times):
            works(chain)
            move(clock, off_s)
            began = time.monotonic()
            if rng.random() < 0.3:
                chain.gateway.end()
                chain.start_gateway()
            if not works(chain):
                outcome.notes.append(f"did not go on after step {outcome.times + 1}")
            outcome.recovery_s = max(outcome.recovery_s or 0.0, time.monotonic() - began)
            outcome.times += 1
            progress(outcome.times / times)
        chain.settle(SETTLE_S)
        chain.result(outcome)
    return outcome


def beds(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Set the clock under the whole product with simulated beds: order and durations stay right, the replay agrees."""
    outcome = Outcome("wall clock set under a ward: from 1970, +-1 h")
    folder.mkdir()
    clock = folder / "clock"
    move(clock, to_1970_s())
    began_s = time.time()
    with mosquitto_in(folder / "broker") as broker, Beds(folder, broker, beds=1, seed=seed, clock=clock) as ward:
        time.sleep(BETWEEN_S)
        before = ward.next_status()
        for off_s in steps(times):
            move(clock, off_s)
            time.sleep(BETWEEN_S)
            outcome.times += 1
            progress(outcome.times / times)
        after = ward.next_status()
        _, stored = ward.finish(outcome, mended=True)
    if before["clock"]["believed_at_start"] or before["clock"]["synchronised"]:
        outcome.notes.append("a clock of 1970 was believed")
    if not after["clock"]["steps"]:
        outcome.notes.append("no step was noticed")
    outcome.notes += wrong(stored)
    # The history goes by the clock that was right last.
    late_s = steps(times)[-1]
    right = sum(began_s <= m.start_us / 1e6 - late_s <= m.end_us / 1e6 - late_s <= time.time() for m in stored)
    if right < len(stored):
        outcome.notes.append(f"{len(stored) - right} of {len(stored)} wall times are not those of the run")
    outcome.said = f"{after['clock']['steps']} steps noticed, {len(stored)} durations right"
    return outcome


def wrong(stored: list[Measurement]) -> list[str]:
    """Return what is wrong with durations and order, each kind once."""
    found: dict[str, str] = {}
    for m in stored:
        span_s = (m.end_us - m.start_us) / 1e6
        if not 0 <= span_s <= LONGEST_S:
            found.setdefault("span", f"a {m.metric} spans {span_s:.1f} s")
        if m.metric == SINCE_START and m.value is not None and abs(m.value - span_s) > TOLERANCE_S:
            found.setdefault("value", f"a {m.metric} of {m.value:.3f} s spans {span_s:.3f} s")
    return [*found.values(), *out_of_order(stored)]


def out_of_order(stored: list[Measurement]) -> list[str]:
    """Return a sentence if heart beats were told in another order than that of their clock between two steps."""
    beats = [m.end_us / 1e6 for m in stored if m.metric == "heart_rate"]
    back = [later - earlier for earlier, later in pairwise(beats) if later < earlier and earlier - later < HOUR_S / 2]
    return [f"heart rates go back by {-min(back):.1f} s"] if back else []
