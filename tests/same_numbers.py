"""What a processor computes from fixed bytes, so that processors can be compared: ``make`` once, ``run`` on each.

    python -m tests.same_numbers make FOLDER             # samples and a recording; on one machine, for all
    python -m tests.same_numbers run FOLDER OUT.npz      # each output of the operators, and each measurement
    python -m tests.same_numbers compare A.npz B.npz     # how far apart; status 1 where more than `RELATIVE`

A simulated walk is made once: sines of two machines are not the same, and only what is computed from them is asked for.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp import whole_recordings as whole
from dsp.batch import Batch
from dsp.joints.joints import JointAngles
from dsp.kernel_cache import loaded, target
from dsp.orientation.orientation import Orientation
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.machine.arithmetic import arithmetic
from gateway.recordings.comparison import RELATIVE
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from simulators.body.body import PLACEMENTS, WalkingBody
from simulators.body.programme import Stand, Turn, Walk
from simulators.sensing.clock import Clock

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
SECONDS, RATE_HZ = 60.0, 60.0
PROGRAMME = (
    Stand(duration_s=4.0), Walk(cadence_spm=105.0, stride_m=1.25, duration_s=20.0), Turn(angle_deg=180.0),
    Walk(cadence_spm=95.0, stride_m=1.1, duration_s=20.0), Stand(duration_s=20.0),
)  # fmt: skip
SEED = 5
SESSIONS = {"bed-1": "bed-1-a"}
Outputs = dict[str, NDArray[np.float64]]


def make(folder: Path) -> None:
    """Write ``samples.npz`` (of each placement acc and gyr) and ``walk.rgrec`` (the same walk as devices sent it)."""
    folder.mkdir(parents=True, exist_ok=True)
    body = WalkingBody(SEED, programme=PROGRAMME, repeat=False)
    samples: dict[str, Any] = {}
    frames: list[Numbered] = []
    for number, place in enumerate(PLACEMENTS):
        clock = Clock(number, offset_s=100.0 * number, drift_ppm=20.0 * number)
        motion = body.sensor(place, rate_hz=RATE_HZ, clock=clock).read_until(SECONDS)
        assert motion is not None
        samples[f"{place}_acc"], samples[f"{place}_gyr"] = motion.acc, motion.gyr
        delay_s = np.random.default_rng(number).uniform(0.005, 0.02, len(motion.time_s))
        for i in np.flatnonzero(motion.sent):
            values = [*motion.acc[i], *np.degrees(motion.gyr[i])]
            ticks = np.uint32(round(float(motion.time_s[i]) * 1e6) % 2**32)
            data = (ticks.tobytes() + np.array(values, "<f4").tobytes()).ljust(40, b"\0")
            arrival = ORIGIN.monotonic_ns + round((i / RATE_HZ + delay_s[i]) * NS)
            frames.append((number, Frame(arrival, "measurement", data)))
    np.savez(folder / "samples.npz", **samples)
    _record(folder / "walk.rgrec", sorted(frames, key=lambda numbered: numbered[1].arrival_ns))


def _record(path: Path, frames: list[Numbered]) -> None:
    devices = [
        Device(id=f"d-{n}", driver="movella_dot", placement=place, address=f"00:00:00:00:00:{n:02X}",
               options={"mode": "rate"})
        for n, place in enumerate(PLACEMENTS)
    ]  # fmt: skip
    settings = Settings(simulated=True, slot=[Slot(id="bed-1", subject="p-1", height_m=1.75, device=devices)])
    header = Header(settings.model_dump(mode="json"), SESSIONS, ORIGIN.monotonic_ns, ORIGIN.utc_us, "test")
    with RecordingWriter(path, header) as writer:
        at = 0
        for end_ns in range(ORIGIN.monotonic_ns + STEP_NS, ORIGIN.monotonic_ns + int(SECONDS + 2) * NS, STEP_NS):
            begin = at
            while at < len(frames) and frames[at][1].arrival_ns < end_ns:
                at += 1
            writer.step(end_ns, frames[begin:at])


def outputs(folder: Path) -> Outputs:
    """Return what this process computes of what `make` wrote, by name."""
    with np.load(folder / "samples.npz") as file:
        samples = {name: file[name] for name in file.files}
    return _of_operators(samples) | _of_arrays(samples) | _of_replay(folder / "walk.rgrec")


def _of_operators(samples: dict[str, NDArray[np.float64]]) -> Outputs:
    """Orientation of all sensors side by side and of one alone, and the angles between neighbours."""
    orientation, joints = Orientation(), JointAngles()
    n = len(samples["left_thigh_acc"])
    sensors = np.array([orientation.attach(RATE_HZ) for _ in PLACEMENTS])
    index = np.tile(np.arange(n), len(PLACEMENTS))
    acc, gyr = (np.concatenate([samples[f"{place}_{kind}"] for place in PLACEMENTS]) for kind in ("acc", "gyr"))
    batch = Batch(sensors, np.arange(len(PLACEMENTS) + 1) * n, index, acc, gyr)
    whole_body = orientation.process(batch).quaternion
    legs = ("left_shank", "left_thigh")
    segments = [joints.attach("shank", RATE_HZ), joints.attach("thigh", RATE_HZ)]
    joints.join("knee", segments[1], segments[0])
    rows = np.concatenate([np.arange(n) + PLACEMENTS.index(place) * n for place in legs])
    pair = Batch(np.array(segments), np.array([0, n, 2 * n]), index[rows], acc[rows], gyr[rows])
    angles = joints.process(pair, index[rows] / RATE_HZ, np.ascontiguousarray(whole_body[rows]))
    return {"orientation of a body": whole_body} | _columns("knee angles", angles)


def _of_arrays(samples: dict[str, NDArray[np.float64]]) -> Outputs:
    """The operators over whole recordings, each where it belongs."""
    tables: dict[str, NDArray[np.void]] = {}
    for place in ("left_foot", "right_foot"):
        both = samples[f"{place}_acc"], samples[f"{place}_gyr"]
        tables |= {f"contacts of {place}": whole.find_foot_contacts(*both, RATE_HZ)}
        tables |= {f"strides of {place}": whole.find_foot_strides(*both, RATE_HZ)}
    shank = samples["left_shank_acc"], samples["left_shank_gyr"]
    back = samples["lower_back_acc"], samples["lower_back_gyr"]
    thigh = samples["left_thigh_acc"], samples["left_thigh_gyr"]
    tables |= {
        "contacts of left_shank": whole.find_shank_contacts(*shank, RATE_HZ),
        "steps": whole.find_steps(*back, RATE_HZ, height_m=1.75),
        "walking bouts": whole.find_walking_bouts(*back, RATE_HZ, height_m=1.75),
        "turns": whole.find_turns(*back, RATE_HZ),
        "walks": whole.find_walks(*back, RATE_HZ),
        "freeze index": whole.find_freeze_index(shank[0], RATE_HZ),
        "tremor": whole.find_tremor(*shank, RATE_HZ),
        "postures": whole.find_postures(back[0], RATE_HZ, "lower_back"),
        "transfers": whole.find_transfers(*thigh, RATE_HZ),
        "repetitions": whole.count_repetitions(thigh[1], RATE_HZ),
        "beats": whole.judge_beats(0.8 + 0.01 * (np.arange(300) % 7)),
    }
    found: Outputs = {}
    for name, table in tables.items():
        found |= _columns(name, table)
    return found


def _of_replay(recording: Path) -> Outputs:
    """Values and times of all measurements, by metric and side."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for step in Replay(recording).steps():
        for m in step:
            row = (np.nan if m.value is None else m.value, float(m.start_us), float(m.end_us), float(m.quality == "ok"))
            found.setdefault(f"measured {m.metric} {m.side}", []).append(row)
    return {name: np.array(rows) for name, rows in found.items()}


def _columns(name: str, table: NDArray[np.void]) -> Outputs:
    """Return a table column by column; words as their letters' codes, which are the same or are not."""
    found: Outputs = {}
    for column in table.dtype.names or ():
        values = table[column]
        if values.dtype.kind in "OUS":
            values = np.array([float(int.from_bytes(str(word).encode()[:6], "big")) for word in values])
        found[f"{name}: {column}"] = np.asarray(values, float)
    return found


def furthest(one: Outputs, other: Outputs) -> tuple[float, str, int]:
    """Return the largest difference relative to the largest value beside it, of which output, and how many differ.

    Infinite where two have not the same outputs, or one has more of it: an event that only one machine sees.
    """
    worst, where, differing = 0.0, "", 0
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name), other.get(name)
        if a is None or b is None or a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
            return np.inf, name, differing + 1
        if np.array_equal(a, b, equal_nan=True):
            continue
        differing += 1
        apart = float(np.nanmax(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1.0)))
        if apart > worst:
            worst, where = apart, name
    return worst, where, differing


def main() -> int:
    """Do what the command line says."""
    command, first, *rest = sys.argv[1:]
    if command == "make":
        make(Path(first))
    elif command == "run":
        found = outputs(Path(first))
        np.savez(rest[0], **found)  # type: ignore[arg-type] # numpy's stubs take the names for its options
        count = sum(len(values) for values in found.values())
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{len(found)} outputs, {count} rows, on {arithmetic()}\n")
        sys.stdout.write(f"kernels for {target()}: {dict(loaded)}; {peak_mb:.0f} MB at most\n")
    else:
        one, other = (dict(np.load(path)) for path in (first, rest[0]))
        apart, where, differing = furthest(one, other)
        sys.stdout.write(f"{differing} of {len(one)} outputs differ, by {apart:.3g} at most ({where or 'none'})\n")
        return int(apart > RELATIVE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
