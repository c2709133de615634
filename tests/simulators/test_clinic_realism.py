"""Simulated movements are like recorded ones: as strong, as fast, as long; the table stands in docs/simulators.md.

``python -m tests.simulators.test_clinic_realism`` prints it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from simulators.clinic.patient import patient
from simulators.clinic.perform import perform
from simulators.clinic.timed_tests import timed_up_and_go
from simulators.clinic.transfers import Staying
from simulators.clinic.walks import Climbing, Walking
from simulators.motion.source import Floats
from tests.shared import shared_path

Figures = dict[str, float]
Table = dict[tuple[str, str], list[Figures]]

HEALTHY = [patient(seed, 0.02 + 0.006 * seed) for seed in range(20)]
RATE_HZ = 100.0
SHORTEST_S = 0.4
GOALS = ("spread", "least", "most", "turning", "fastest")


def figures(acc: Floats, gyr: Floats, rate_hz: float) -> Figures:
    """Return how strong a movement is: of specific force, m/s^2, and of angular velocity, rad/s."""
    force, turn = np.linalg.norm(acc, axis=1), np.linalg.norm(gyr, axis=1)
    power = np.abs(np.fft.rfft(force - force.mean())) ** 2
    frequency = np.fft.rfftfreq(len(force), 1 / rate_hz)
    return {
        "spread": float(force.std()), "least": float(force.min()), "most": float(force.max()),
        "turning": float(np.sqrt(np.mean(turn**2))), "fastest": float(turn.max()),
        "centre_hz": float((power * frequency).sum() / power.sum()), "lasts_s": len(force) / rate_hz,
    }  # fmt: skip


def recorded() -> Table:
    """Return the figures of recorded phases."""
    found: Table = defaultdict(list)
    for place, phase, acc, gyr in _phases(shared_path("data", "clinical", "tug")):
        found[place, phase].append(figures(acc, gyr, RATE_HZ))
    for path in sorted(shared_path("data", "clinical", "stairs").glob("*.npz")):
        with np.load(path) as arrays:
            acc = arrays["belt_acc"].astype(float)
        for start in range(0, len(acc) - 1280, 1280):
            found["lower back", "stairs"].append(figures(acc[start : start + 1280], np.zeros((1280, 3)), 128.0))
    for path in sorted(shared_path("data", "gait", "ipol497").glob("*.npz")):
        reference = json.loads(path.with_suffix(".json").read_text())["reference"]
        with np.load(path) as arrays:
            count, acc, gyr = (arrays[f"lower_back_{name}"].astype(float) for name in ("pc", "acc", "gyr"))
        walk = (count >= reference["trial"][0] + 200) & (count < reference["uturn"][0] - 100)
        if np.sum(walk) > 200:
            found["lower back", "walking"].append(figures(acc[walk], gyr[walk], RATE_HZ))
    return found


def _phases(folder: Path) -> Iterator[tuple[str, str, Floats, Floats]]:
    for path in sorted(folder.glob("*.npz")):
        phases = json.loads(path.with_suffix(".json").read_text())["reference"]["phases_ms"]
        with np.load(path) as arrays:
            for sensor, place in (("pocket", "thigh"), ("wrist", "wrist")):
                ms, first = np.unique(arrays[f"{sensor}_ms"], return_index=True)
                grid = np.arange(ms[0], ms[-1], 10)
                acc, gyr = (
                    np.stack([np.interp(grid, ms, arrays[f"{sensor}_{kind}"][first, k]) for k in range(3)], axis=1)
                    for kind in ("acc", "gyr")
                )
                for name, start, end in phases[sensor]:
                    within = (grid >= start) & (grid < end)
                    if np.sum(within) >= SHORTEST_S * RATE_HZ:
                        yield place, name, acc[within], gyr[within]


def simulated() -> Table:
    """Return the figures of simulated phases."""
    found: Table = defaultdict(list)
    for who in HEALTHY:
        played = perform(timed_up_and_go(), who, placements=["left_thigh", "right_thigh", "left_wrist", "right_wrist"])
        truth, spans = played.truth, list[tuple[str, float, float]]()
        (rise,), (sit,), turns = truth.of("standing_up"), truth.of("sitting_down"), truth.of("turn")
        spans = [("seated", 0.5, rise.start_s), ("standing_up", rise.start_s, rise.end_s)]
        spans += [("walking", rise.end_s, turns[0].start_s), ("walking", turns[0].end_s, turns[1].start_s)]
        spans += [("turning", turn.start_s, turn.end_s) for turn in turns]
        spans += [("sitting_down", sit.start_s, sit.end_s)]
        for placement, (index, acc, gyr) in played.signals.items():
            for name, start, end in spans:
                within = (index >= start * RATE_HZ) & (index < end * RATE_HZ)
                found[placement.partition("_")[2], name].append(figures(acc[within], gyr[within], RATE_HZ))
        for name, script in (("stairs", [Climbing(12), Climbing(12, up=False)]), ("walking", [Walking(distance_m=12)])):
            walked = perform([Staying(1), *script, Staying(1)], who, start="standing", placements=["lower_back"])
            index, acc, gyr = walked.signals["lower_back"]
            within = (index > 300) & (index < index[-1] - 300)
            found["lower back", name].append(figures(acc[within], gyr[within], RATE_HZ))
    return found


@cache
def both() -> tuple[Table, Table]:
    return recorded(), simulated()


def _spread(rows: list[Figures], name: str) -> Floats:
    return np.asarray(np.percentile([row[name] for row in rows], [10, 50, 90]))


@pytest.mark.parametrize("phase", ["standing_up", "walking", "turning", "sitting_down"])
@pytest.mark.parametrize("place", ["thigh", "wrist"])
def test_phases_of_a_timed_up_and_go_are_as_strong_as_recorded_ones(place: str, phase: str) -> None:
    real, made = (table[place, phase] for table in both())
    for name in ("spread", "turning", "fastest", "lasts_s"):
        low, _, high = _spread(real, name)
        assert low / 1.8 <= _spread(made, name)[1] <= 1.8 * high, name


@pytest.mark.parametrize("phase", ["stairs", "walking"])
def test_a_lower_back_feels_as_much_on_stairs_and_in_walking(phase: str) -> None:
    real, made = (table["lower back", phase] for table in both())
    low, _, high = _spread(real, "spread")
    assert low / 1.5 <= _spread(made, "spread")[1] <= 1.5 * high


def test_somebody_who_sits_is_not_quite_still() -> None:
    real, made = both()
    for place in ("thigh", "wrist"):
        assert _spread(made[place, "seated"], "spread")[1] > 0.03
        assert _spread(made[place, "seated"], "spread")[1] < _spread(real[place, "seated"], "spread")[2]


def main() -> None:
    """Print the table: 10th, 50th and 90th percentile."""
    real, made = both()
    names = ("spread", "least", "most", "turning", "fastest", "centre_hz", "lasts_s")
    for key in real:
        for which, table in (("recorded", real), ("simulated", made)):
            cells = " | ".join("{:.2f} {:.2f} {:.2f}".format(*_spread(table[key], name)) for name in names)
            print(f"| {key[0]} | {key[1].replace('_', ' ')} | {which} | {cells} |")  # noqa: T201 # the table is what it is for


if __name__ == "__main__":
    main()
