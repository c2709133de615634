"""Devices that flood, repeat themselves, or send garbage: what their neighbours measure must all arrive."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

from gateway.recordings.replay import Replay
from simulators.radio.device import Misbehaviour
from simulators.scenes.scene import Scene
from tests.faults.beds import Beds
from tests.faults.chain import wait_for
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.servers import mosquitto_in

FOR_S, APART_S = 4.0, 2.0
"""How long each misbehaves, and rests after it."""
KINDS: tuple[Misbehaviour, ...] = ("flood", "repeat", "garbage")
BAD = ("bed-1-left-foot", "bed-1-lower-back", "bed-2-chest")
"""A Bluetooth sensor, a serial one, and one whose packets have neither time nor number."""
MEASURED = ("imu", "heart_rate")
"""Streams that a simulated device counts as sent; battery levels go beside them."""
HELD = 1
"""Samples: the last packet of a serial stream is believed when the next one begins."""
LATE_MS = 1000.0
"""A step's own delay, 95 of 100, while they misbehave: beyond it they hold up the others."""


def bad_devices(folder: Path, *, rounds: int, beds: int, seed: int, progress: Progress) -> Outcome:
    """Let three devices flood, repeat themselves and send garbage in turn, over the real radio and a pty.

    Nothing that the undisturbed devices sent may be missing, nothing that was made may be lost or doubled, and the
    three must work again afterwards.
    """
    outcome = Outcome("device floods, repeats itself, sends garbage")
    folder.mkdir()
    with mosquitto_in(folder / "broker") as broker, Beds(folder, broker, beds=beds, seed=seed) as ward:
        for turn in range(rounds * len(KINDS)):
            # At any time each in another way.
            ward.air.run(misbehave(ward.scene, {bad: KINDS[(turn + i) % len(KINDS)] for i, bad in enumerate(BAD)}))
            again = partial(wait_for, ward.well, QUIET_WITHIN_S)
            outcome.end_round(again, of=rounds * len(KINDS) * len(BAD), progress=progress, by=len(BAD))
            time.sleep(APART_S)
        ward.air.off()
        time.sleep(APART_S)
        judge(ward.next_status(), outcome)
        replay, _ = ward.finish(outcome)
        compare(ward.scene, replay, outcome)
    return outcome


async def misbehave(scene: Scene, how: dict[str, Misbehaviour]) -> None:
    """Let devices misbehave for a while, all at once."""
    await asyncio.gather(*(scene.devices[name].misbehave(kind, FOR_S) for name, kind in how.items()))


def compare(scene: Scene, replay: Replay, outcome: Outcome) -> None:
    """Hold what the undisturbed devices sent against what the gateway got of them."""
    total = 0
    for intake in replay.pipeline.intakes:
        name, serial = intake.device.id, intake.device.port is not None
        if name in BAD:
            continue
        got = sum(count.samples for stream, count in intake.counts.items() if stream in MEASURED)
        sent = scene.devices[name].counts.sent
        total += got
        if not sent - HELD * serial <= got <= sent:
            outcome.notes.append(f"{name} sent {sent} samples, {got} arrived")
        if intake.faults:
            outcome.notes.append(f"{name} has faults: {dict(intake.faults)}")
    outcome.remark += f", {total} samples of the undisturbed"


def judge(status: dict[str, Any], outcome: Outcome) -> None:
    """Note whether parts and pace of the gateway held, and that what was bad was counted."""
    pipeline = status["pipeline"]
    if pipeline["dropped"] or status["parts"]:
        outcome.notes.append(f"dropped {pipeline['dropped']}, failed {status['parts']}")
    if pipeline["latency_ms"]["p95"] > LATE_MS:
        outcome.notes.append(f"a step was ready after {pipeline['latency_ms']['p95']} ms")
    counted = {device["id"]: sum(device["faults"].values()) for device in status["devices"] if device["id"] in BAD}
    outcome.notes += [f"nothing bad was counted of {name}" for name, count in counted.items() if not count]
    outcome.remark = (
        f"{sum(counted.values())} bad packets counted, a step ready after {pipeline['latency_ms']['p95']} ms"
    )
