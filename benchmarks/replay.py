"""Whole recordings at once, in samples a second, beside the research pipelines gaitmap and mobgap in the same run.

The peers run as programs of their own in an environment of their own (``benchmarks/peers.sh``). Ours and theirs take
turns, and the best of each counts. gaitmap segments strides, finds their events, and integrates length and angles: what
our foot operator does. Rhythm, symmetry and variability over those strides are timed beside it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.entry import Entry, recordings
from dsp.batch import Batch
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Shape, Walk
from dsp.gait.window import Foot
from dsp.lower_back.lower_back import LowerBack
from dsp.lower_back.walk import LowerBackWalk, timed_events

RATE_HZ = 100.0
COUNT = 10
ROUNDS = 3
SIDES: tuple[Foot, Foot] = ("left", "right")
FOOT_AXES, BACK_AXES = np.array([-1.0, -1.0, 1.0]), (-1.0, 1.0, 1.0)  # sensor axes to forward, left, up


@dataclass(frozen=True, slots=True)
class Signal:
    """One sensor of a recording in the segment frame; lost packets are missing numbers."""

    index: NDArray[np.int64]
    acc: NDArray[np.float64]
    gyr: NDArray[np.float64]


def load(path: Path) -> dict[str, Signal]:
    """Return the three sensors of a recording."""
    found = {}
    with np.load(path) as data:
        for sensor in ("left_foot", "right_foot", "lower_back"):
            index = data[f"{sensor}_pc"].astype(np.int64)
            new = np.diff(index, prepend=index[0] - 1) > 0
            acc, gyr = (data[f"{sensor}_{kind}"].astype(np.float64)[new] for kind in ("acc", "gyr"))
            if sensor == "lower_back":
                acc, gyr = (each[:, [2, 1, 0]] * BACK_AXES for each in (acc, gyr))
            else:
                acc, gyr = acc * FOOT_AXES, gyr * FOOT_AXES
            found[sensor] = Signal(index[new], np.ascontiguousarray(acc), np.ascontiguousarray(gyr))
    return found


def feet(walks: list[dict[str, Signal]], *, results: bool = False) -> int:
    """Find contacts and strides of both feet; with ``results``, all that follows. Return how many samples that were."""
    count, operator = 0, FootContacts()
    for walk in walks:
        sensors = [operator.attach(RATE_HZ) for _ in SIDES]
        parts = [walk[f"{side}_foot"] for side in SIDES]
        count += sum(len(part.index) for part in parts)
        start = np.cumsum([0, *(len(part.index) for part in parts)])
        index = np.concatenate([part.index for part in parts])
        acc, gyr = np.concatenate([part.acc for part in parts]), np.concatenate([part.gyr for part in parts])
        events = operator.process(Batch(np.array(sensors), start, index, acc, gyr))
        if results:
            analysis = Walk()
            analysis.process(_contacts(events), 0.0, np.inf, _shapes(operator.strides))
            analysis.finish()
        for sensor in sensors:
            operator.detach(sensor)
    return count


def _contacts(events: Any) -> list[Contact]:
    columns = (events[name].tolist() for name in ("sensor", "kind", "index", "confidence"))
    return [Contact(SIDES[sensor], kind, at / RATE_HZ, sure) for sensor, kind, at, sure in zip(*columns, strict=True)]


def _shapes(strides: Any) -> list[Shape]:
    names = (
        "sensor", "end", "start", "initial", "time_s", "length", "clearance", "strike_angle", "toe_off_angle", "turn"
    )  # fmt: skip
    return [
        Shape(SIDES[sensor], end / RATE_HZ, start / RATE_HZ, initial / RATE_HZ, *rest)
        for sensor, end, start, initial, *rest in zip(*(strides[name].tolist() for name in names), strict=True)
    ]


def backs(walks: list[dict[str, Signal]]) -> int:
    """Analyse the lower backs of all walks; return how many samples that were."""
    operator = LowerBack()
    for walk in walks:
        analysis = LowerBackWalk()
        part = walk["lower_back"]
        sensor = operator.attach(RATE_HZ, 1.7)
        batch = Batch.single(part.index, part.acc, part.gyr, sensor)
        for events in (operator.process(batch), operator.flush(sensor)):
            timed = timed_events(events, events["start"] / RATE_HZ, events["index"] / RATE_HZ)
            analysis.process(timed, float(part.index[-1]) / RATE_HZ)
        operator.detach(sensor)
        analysis.finish()
    return sum(len(walk["lower_back"].index) for walk in walks)


def own_rate(analyse: Callable[[list[dict[str, Signal]]], int], walks: list[dict[str, Signal]]) -> float:
    """Return samples a processor second."""
    begun = time.process_time()
    return analyse(walks) / (time.process_time() - begun)


def peer_rate(python: Path, name: str, paths: list[Path]) -> float:
    """Return samples a processor second of a peer."""
    program = Path(__file__).with_name(f"peer_{name}.py")
    command = [str(python), "-W", "ignore", str(program), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - the peers' interpreter
    said = json.loads(done.stdout.splitlines()[-1])
    return float(said["samples"] / said["seconds"])


def entries(python: Path | None) -> list[Entry]:
    """Measure; ``python`` is the peers' interpreter, or None."""
    paths = recordings(COUNT)
    if not paths:
        return []
    walks = [load(path) for path in paths]
    found: list[Entry] = []
    everything = partial(feet, results=True)
    for what, analyse, peer, goal in (
        ("feet, contacts and strides", feet, "gaitmap", 100.0),
        ("feet, all results", everything, "", None),
        ("lower back, all results", backs, "mobgap", None),
    ):
        analyse(walks)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours += [own_rate(analyse, walks) for _ in range(ROUNDS)]
            if peer and python is not None:
                theirs.append(peer_rate(python, peer, paths[:ROUNDS]))
        found.append(Entry(f"replay, {what}", max(ours), "samples/s"))
        if theirs:
            found.append(Entry(f"{peer}, the same", max(theirs), "samples/s"))
            found.append(Entry(f"replay, {what}, against {peer}", max(ours) / max(theirs), "x", goal, above=True))
    return found
