"""Links that are slow, half-open, reset or gone for days."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

from gateway.outbox.opening import WAL_LIMIT
from tests.faults.chain import Chain, wait_for
from tests.faults.content import EVENT_EVERY
from tests.faults.files import works
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.faults.proxy import Proxy
from tests.servers import mosquitto_in

LIVE_S = 1.0
"""From durable at the bedside to durable in the history, for an event."""
DRAIN = 10.0
"""Times real time at which a backlog goes, at least."""
DRAIN_S = 1800.0
"""Longest wait for it: a full outbox of half a gigabyte at that rate, and some."""


TROUBLES = ("slow", "reset", "refused", "half-open", "hole")


def bad_links(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Put a bad link between gateway and broker: latency, resets, refusals, half-open connections, a hole."""
    outcome = Outcome("slow, reset, refused and half-open links")
    rng = random.Random(seed)
    folder.mkdir()
    with mosquitto_in(folder / "broker") as broker, Proxy(broker.port) as proxy:
        with Chain(folder, broker, port=proxy.port, resend_after_s=5.0) as chain:
            while outcome.times < times:
                trouble(proxy, TROUBLES[outcome.times % len(TROUBLES)], rng)
                outcome.end_round(partial(works, chain), of=times, progress=progress)
            chain.wait_until_quiet(QUIET_WITHIN_S)
            chain.result(outcome)
        outcome.remark = f"{proxy.connections} connections"
    return outcome


def trouble(proxy: Proxy, kind: str, rng: random.Random) -> None:
    """Make trouble of a kind for a while, and end it."""
    if kind == "slow":
        proxy.delay_s = rng.uniform(0.05, 0.4)
        time.sleep(3)
        proxy.delay_s = 0.0
    elif kind == "reset":
        for _ in range(5):
            proxy.reset()
            time.sleep(rng.random())
    elif kind == "refused":
        proxy.refuse(True)
        time.sleep(rng.uniform(0.5, 2))
        proxy.refuse(False)
    elif kind == "half-open":
        proxy.half_open()  # nobody says a word: the link has to notice by itself
    else:
        proxy.black_hole = True
        # Longer than one and a half keep-alives: the link has to notice by itself.
        time.sleep(rng.uniform(12, 18))
        proxy.black_hole = False
        proxy.reset()


def offline(
    folder: Path, *, hours: float, rate: float, speed: float, outbox_mb: int, seed: int, progress: Progress
) -> Outcome:
    """Cut a ward off for days, compressed: what it makes in so many hours, made ``speed`` times as fast.

    Then the link is back and the ward goes on at its real rate. Measured: the outbox against its cap, how fast the
    backlog drains beside the present, and the latency of what is made meanwhile.
    """
    del seed
    outcome = Outcome(f"{hours:g} h without a network, {rate:.0f} measurements/s", times=1)
    folder.mkdir()
    total = int(hours * 3600 * rate)
    with mosquitto_in(folder / "broker") as broker, Proxy(broker.port) as proxy:
        proxy.refuse(True)
        chain = Chain(folder, broker, port=proxy.port, outbox_mb=outbox_mb)
        with chain:
            chain.gateway.end()
            began = time.monotonic()
            chain.start_gateway("--rate", str(rate * speed), "--most", str(total))
            largest = 0
            while (done := chain.promised()) < total:
                largest = max(largest, size(chain))
                progress(0.7 * done / total)
                time.sleep(1.0)
                if time.monotonic() - began > 20 * total / (rate * speed) + QUIET_WITHIN_S:
                    outcome.notes.append(f"only {done} of {total} made")
                    break
            chain.gateway.end()
            # The cap is that of the rows; the log of the database comes on top.
            if largest > 1.1 * (outbox_mb << 20) + WAL_LIMIT:
                outcome.notes.append(f"the outbox grew to {largest >> 20} MB, cap {outbox_mb}")
            drain(chain, proxy, rate, outcome, largest)
            chain.wait_until_quiet(QUIET_WITHIN_S)
            found = chain.result(outcome, gaps_allowed=True)
            outcome.remark += f", {found.declared} of {found.promised} told as a gap: the cap"
    return outcome


def drain(chain: Chain, proxy: Proxy, rate: float, outcome: Outcome, largest: int) -> None:
    """Open the link with the ward at its real rate; measure how fast the backlog goes and how late the present is."""
    before = chain.promised()
    chain.start_gateway("--rate", str(rate))
    wait_for(lambda: chain.promised() > before, QUIET_WITHIN_S)
    proxy.refuse(False)
    # The gateway has to find out that the link is back.
    if not wait_for(lambda: chain.known() > 0, QUIET_WITHIN_S):
        outcome.notes.append("the link was not used again")
    began = time.monotonic()
    stored = chain.stored()
    latencies: list[float] = []
    while chain.known() < before:
        mark = chain.promised()
        seen = time.monotonic()
        # The last event among them: it goes at once, the others wait for the second of their slot.
        if not wait_for(partial(newer, chain, mark - EVENT_EVERY), 30, poll_s=0.01):
            outcome.notes.append("the present waited behind the past")
            break
        latencies.append(time.monotonic() - seen)
        if time.monotonic() - began > DRAIN_S:
            outcome.notes.append("the backlog did not drain")
            break
    took = time.monotonic() - began
    stored = chain.stored() - stored
    outcome.recovery_s = took
    latencies.sort()
    p95 = latencies[int(0.95 * (len(latencies) - 1))] if latencies else 0.0
    outcome.remark = (
        f"outbox at most {largest / 2**20:.0f} MB, {stored} rows in {took:.0f} s = {stored / took / rate:.0f} x real"
        f" time, live p95 {p95 * 1000:.0f} ms"
    )
    if stored / took < DRAIN * rate:
        outcome.notes.append(f"drained at less than {DRAIN:.0f} x real time")
    if p95 > LIVE_S:
        outcome.notes.append(f"live latency p95 {p95:.2f} s")


def newer(chain: Chain, number: int) -> bool:
    """Whether something beyond a number is stored."""
    return chain.newest() > number


def size(chain: Chain) -> int:
    """Return the bytes of the outbox on disk, its log included."""
    return sum(path.stat().st_size for path in chain.folder.glob("outbox.db*") if path.exists())
