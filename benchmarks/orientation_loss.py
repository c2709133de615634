"""What lost packets, missing numbers and frozen channels cost the orientation, on the BROAD recordings.

    python -m benchmarks.orientation_loss ../shared/data/broad [--json FILE]

Lost packets: each packet of ten samples is lost with a chance of 1 %, by a seed per trial and draw. The error over
the samples that arrived is compared with the loss-free error over all. The full rate is 286 Hz, where a packet is
35 ms; every third sample makes 95 Hz, where it is 105 ms. Faults: a channel shows NaN, or repeats its value, or one
of its axes does, for 0.1 s or 1 s in every fifteen; the error from 5 s after a fault to the next is compared with the
same time without. The error is the benchmark's own: RMS over motion of the angle between estimate and optical
reference, mean over trials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.orientation import orient

Array = NDArray[np.float64]

PACKET = 10  # samples
LOSS = 0.01
SEED_STEP = 1000  # the seeds of draw d are d times this plus the number of the trial
GOAL_LOSS = 1.6
GOAL_FAULT = 1.1
FAULT_EVERY_S, HEALED_S = 15.0, 5.0
FAULTS_S = (0.1, 1.0)
FAULTY = (("9d", "acc"), ("9d", "gyr"), ("9d", "mag"), ("6d", "acc"), ("6d", "gyr"))


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording: samples, optical reference (w, x, y, z) and which samples are motion."""

    name: str
    rate_hz: float
    acc: Array
    gyr: Array
    mag: Array
    reference: Array
    moving: NDArray[np.bool_]

    def every(self, step: int) -> Trial:
        """Return every ``step``-th sample."""
        acc, gyr, mag, reference = (
            np.ascontiguousarray(x[::step]) for x in (self.acc, self.gyr, self.mag, self.reference)
        )
        return Trial(self.name, self.rate_hz / step, acc, gyr, mag, reference, self.moving[::step])


def trials(folder: Path) -> Iterator[Trial]:
    """Read the recordings that a folder's manifest lists."""
    for entry in json.loads((folder / "manifest.json").read_text())["trials"]:
        with np.load(folder / entry["file"]) as f:
            acc, gyr, mag, reference = (
                np.ascontiguousarray(f[k], np.float64) for k in ("acc", "gyr", "mag", "ref_quat")
            )
            yield Trial(entry["name"], float(f["fs"]), acc, gyr, mag, reference, f["movement"])


def product(a: Array, b: Array) -> Array:
    """Return the quaternion products of rows."""
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    rows = (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
    return np.stack(rows, -1)


def error_deg(estimate: Array, reference: Array, chosen: NDArray[np.bool_], *, free_heading: bool) -> float:
    """Return the RMS total error over the chosen samples; of a free heading one constant offset is taken out first."""
    chosen = chosen & ~np.isnan(reference).any(1)
    e = product(estimate[chosen], reference[chosen] * np.array([1.0, -1.0, -1.0, -1.0]))
    if free_heading:
        z = 2.0 * np.arctan2(e[:, 3], e[:, 0])
        offset = float(np.angle(np.mean(np.exp(1j * z))))
        for _ in range(3):  # from the mean direction to the mean angle
            offset += float(np.mean(np.angle(np.exp(1j * (z - offset)))))
        e = product(np.array([[np.cos(offset / 2), 0.0, 0.0, -np.sin(offset / 2)]]), e)
    return rms_deg(2.0 * np.arccos(np.clip(np.abs(e[:, 0]), 0.0, 1.0)))


def inclination_deg(estimate: Array, reference: Array, chosen: NDArray[np.bool_]) -> float:
    """Return the RMS error of the inclination alone."""
    chosen = chosen & ~np.isnan(reference).any(1)
    e = product(estimate[chosen], reference[chosen] * np.array([1.0, -1.0, -1.0, -1.0]))
    return rms_deg(2.0 * np.arccos(np.clip(np.hypot(e[:, 0], e[:, 3]), 0.0, 1.0)))


def rms_deg(angle: Array) -> float:
    """Return the root mean square in degrees."""
    return float(np.rad2deg(np.sqrt(np.mean(angle**2))))


def arrived(n: int, seed: int) -> NDArray[np.bool_]:
    """Return which samples come through when packets are lost at random."""
    lost = np.random.default_rng(seed).random(n // PACKET + 1) < LOSS
    return ~np.repeat(lost, PACKET)[:n]


def estimate(t: Trial, mode: str, keep: NDArray[np.bool_] | None = None) -> Array:
    """Return the orientations of the product for the samples that arrived."""
    keep = np.ones(len(t.acc), np.bool_) if keep is None else keep
    mag = t.mag[keep] if mode == "9d" else None
    return orient(t.acc[keep], t.gyr[keep], mag, t.rate_hz, index=np.flatnonzero(keep))


def loss_errors(t: Trial, mode: str, seeds: range) -> tuple[float, float]:
    """Return the error without loss and the mean error with it."""
    free = mode == "6d"
    whole = error_deg(estimate(t, mode), t.reference, t.moving, free_heading=free)
    lossy = []
    for seed in seeds:
        keep = arrived(len(t.acc), seed)
        lossy.append(error_deg(estimate(t, mode, keep), t.reference[keep], t.moving[keep], free_heading=free))
    return whole, float(np.mean(lossy))


def with_fault(t: Trial, channel: str, kind: str, fault_s: float) -> tuple[Trial, NDArray[np.bool_]]:
    """Return a recording with faults in one channel, and which samples are healed ones."""
    data = {name: getattr(t, name).copy() for name in ("acc", "gyr", "mag")}
    healed = np.zeros(len(t.acc), np.bool_)
    period, fault, wait = (round(s * t.rate_hz) for s in (FAULT_EVERY_S, fault_s, HEALED_S))
    for start in range(period, len(healed) - period, period):
        rows = slice(start, start + fault)
        axes = slice(1, 2) if kind == "frozen axis" else slice(None)
        data[channel][rows, axes] = np.nan if kind == "nan" else data[channel][start, axes]
        healed[start + fault + wait : start + period] = True
    return Trial(t.name, t.rate_hz, data["acc"], data["gyr"], data["mag"], t.reference, t.moving), healed


def fault_errors(t: Trial, mode: str, channel: str, kind: str, fault_s: float) -> tuple[float, float]:
    """Return the error of the same healed samples without and with faults.

    Without magnetometer nothing can tell the heading that went by while there was no angular rate: then inclination.
    """
    broken, healed = with_fault(t, channel, kind, fault_s)
    chosen = healed & t.moving
    q = estimate(t, mode), estimate(broken, mode)
    if mode == "6d" and channel == "gyr":
        return inclination_deg(q[0], t.reference, chosen), inclination_deg(q[1], t.reference, chosen)
    free = mode == "6d"
    before, after = (error_deg(x, t.reference, chosen, free_heading=free) for x in q)
    return before, after


def main() -> None:
    """Print the tables; write the entries that have a goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    recordings = list(trials(args.folder))
    entries: dict[str, dict[str, Any]] = {}

    def enter(name: str, pairs: list[tuple[float, float]], goal: float) -> None:
        whole, faulty = np.mean(pairs, axis=0)
        ratio = round(float(faulty / whole), 3)
        entries[name] = {"value": ratio, "unit": "ratio", "goal": goal, "ok": ratio <= goal}
        print(f"{name:44s} {whole:7.3f} deg -> {faulty:7.3f} deg   x {ratio:.3f} (goal {goal})", flush=True)

    for step, rate in ((1, "286 Hz"), (3, "95 Hz")):
        for mode in ("9d", "6d"):
            draws = [range(i, SEED_STEP * args.seeds, SEED_STEP) for i in range(len(recordings))]
            pairs = [loss_errors(t.every(step), mode, draw) for t, draw in zip(recordings, draws, strict=True)]
            enter(f"1 % of 10-sample packets lost, {mode}, {rate}", pairs, GOAL_LOSS)
    for fault_s in FAULTS_S:
        for kind in ("nan", "frozen", "frozen axis"):
            for mode, channel in FAULTY:
                pairs = [fault_errors(t, mode, channel, kind, fault_s) for t in recordings]
                enter(f"5 s after {fault_s:g} s of {kind} {channel}, {mode}", pairs, GOAL_FAULT)
    if args.json:
        args.json.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
