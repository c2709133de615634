"""Wall clocks that are set while everything runs: by an hour, and from 1970 to today."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.model.measurement import Measurement
from tests.faults.beds import Beds
from tests.faults.chain import chain_in
from tests.faults.files import works
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.faults.stepped import move
from tests.servers import mosquitto_in

HOUR_S = 3600.0
BETWEEN_S = 4.0
"""From one step to the next."""
DAY_S = 86_400
DAYS_OFF = (400, -200, 0)
"""What the historian's clock is off by, one after the other."""
KEEP_DAYS = 30
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
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
            outcome.end_round(partial(works, chain), of=times, progress=progress, began=began)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    return outcome


def historian(folder: Path, *, times: int, hold_s: float, seed: int, progress: Progress) -> Outcome:
    """Set the historian's clock, and the kernel's calls with it, by months: nothing is taken for old and deleted."""
    outcome = Outcome("historian's clock: +400 d, -200 d, right")
    if FAKETIME is None:
        pytest.skip("needs libfaketime: apt install libfaketime")
    rng = random.Random(seed)
    folder.mkdir()
    offset = folder / "offset"
    offset.write_text("+0")
    faked = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    with chain_in(folder / "chain", resend_after_s=5.0, keep_days=KEEP_DAYS, env={**os.environ, **faked}) as chain:
        works(chain)
        while outcome.times < times:
            days = DAYS_OFF[outcome.times % len(DAYS_OFF)]
            before = chain.stored()
            offset.write_text(f"{days * DAY_S:+d}")
            if rng.random() < 0.7:
                chain.historian.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
                chain.historian.start()
            time.sleep(hold_s)
            if chain.stored() < before:
                outcome.notes.append(f"{before - chain.stored()} were deleted with the clock at {days:+d} days")
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    outcome.remark = f"kept for {KEEP_DAYS} days, none deleted"
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
    outcome.remark = f"{after['clock']['steps']} steps noticed, {len(stored)} durations right"
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
