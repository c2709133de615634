"""SIGKILL at random instants, under load."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from pathlib import Path

from tests.faults.chain import Chain, chain_in, wait_for
from tests.faults.outcome import Outcome, Progress

PAUSE_S = 1.2
"""Longest time between two kills: long enough to get through a start, short enough to hit one."""
QUIET_WITHIN_S = 120.0


def victims(rng: random.Random) -> list[str]:
    """Return who is killed: mostly one, sometimes two or all three in the same instant."""
    parts = ["gateway", "historian", "broker"]
    return rng.sample(parts, rng.choices((1, 2, 3), (7, 2, 1))[0])


def kill(chain: Chain, names: list[str], down_s: float) -> None:
    """Kill parts, leave them dead for a while, start them again."""
    ends = {"gateway": chain.gateway.end, "historian": chain.historian.end, "broker": chain.broker.end}
    starts = {"gateway": chain.start_gateway, "historian": chain.historian.start, "broker": chain.broker.start}
    for name in names:
        ends[name](signal.SIGKILL)
    time.sleep(down_s)
    for name in names:
        starts[name]()


def random_kills(folder: Path, *, kills: int, seed: int, progress: Progress) -> Outcome:
    """Kill gateway, historian and broker, one or more of them, so many times in all."""
    outcome = Outcome("SIGKILL of gateway, historian, broker")
    rng = random.Random(seed)
    by_part = {"gateway": 0, "historian": 0, "broker": 0}
    with chain_in(folder, resend_after_s=5.0) as chain:
        while outcome.times < kills:
            time.sleep(rng.random() * PAUSE_S)
            names = victims(rng)
            kill(chain, names, rng.random() * 0.3)
            outcome.times += len(names)
            for name in names:
                by_part[name] += 1
            progress(outcome.times / kills)
        outcome.recovery_s = chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    outcome.remark = ", ".join(f"{name} {n}" for name, n in by_part.items())
    return outcome


def stored_upto(chain: Chain, last: int) -> bool:
    """Whether so many numbers are stored, or known to be gaps, within a while."""
    return wait_for(lambda: chain.known() >= last, QUIET_WITHIN_S, poll_s=0.02)


def broker_loses_queue(folder: Path, *, kills: int, seed: int, progress: Progress) -> Outcome:
    """Let a broker take measurements for a historian that is away, and kill it: its queue is gone.

    mosquitto with Debian's persistence writes its queue every half hour. Recovery is measured from the instant that
    broker and historian run again until everything made before is stored.
    """
    outcome = Outcome("broker killed, queue lost")
    rng = random.Random(seed)
    with chain_in(folder, resend_after_s=5.0) as chain:
        while outcome.times < kills:
            chain.historian.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
            time.sleep(0.5 + rng.random())
            chain.broker.end(signal.SIGKILL)
            before = chain.promised()
            chain.broker.start()
            chain.historian.start()
            outcome.end_round(partial(stored_upto, chain, before), of=kills, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    return outcome
