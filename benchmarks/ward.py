"""A whole ward on one core: packets in, measurements durable, in processor seconds a second of data.

Frames of ten real recordings, worn by 490 simulated sensors, go through ticker, decoders, clocks, kernels and subjects
into an outbox on disk, paced in real time as a radio would.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.entry import RECORDINGS, Entry, recordings
from benchmarks.ward_wire import NS, Ward, ward
from drivers.movella_dot.driver import MovellaDotDecoder
from drivers.shimmer3.decoder import Shimmer3Decoder
from dsp.contact.detector import ContactDetector
from dsp.lower_back.lower_back import LowerBack
from gateway.analysis.motion_bank import MotionBank
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.sensor_bank import Bank
from gateway.analysis.warm_up import warm_up
from gateway.clocks.timeline import Timelines
from gateway.intake.frames import STEP_NS, Origin
from gateway.intake.intakes import Intakes
from gateway.intake.steps import Ticker
from gateway.machine.garbage import look_seldom
from gateway.outbox.outbox import Outbox

SENSORS = 490
GOAL = 25.0  # % of a core
SETTLE_S, TIMED_S = 4.0, 12.0
FIXED_EVERY = 4  # steps
ORIGIN = Origin(1_000 * NS, 1_760_000_000_000_000)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took.

    Attributes:
        share: Processor seconds a second of data, all threads.
        parts: The same by part of the way.
        late_s: 95th percentile of the time from the end of a step until its measurements are with the outbox.
        measurements: How many were made, a second.
        samples: How many went in, a second.
        slowed: Median over least time of a fixed piece of work between the steps: what neighbours on the same
            processor cost. 1 on a quiet machine; the share above is not corrected by it.
    """

    share: float
    parts: dict[str, float]
    late_s: float
    measurements: float
    samples: float
    slowed: float


def run(made: Ward, folder: Path, *, paced: bool = True) -> Spent:
    """Drive the pipeline over all steps; time those after the ward has settled."""
    warm_up()
    look_seldom()
    sessions = {slot.id: slot.id for slot in made.settings.slot}
    pipeline = Pipeline(made.settings, ORIGIN, sessions)
    now_ns = [ORIGIN.monotonic_ns]
    ticker = Ticker(ORIGIN.monotonic_ns, lambda: now_ns[0])
    outbox = Outbox(folder / "outbox.db")
    settle = round(SETTLE_S * NS / STEP_NS)
    spent: dict[str, float] = defaultdict(float)
    gc.collect()
    gc.freeze()  # the prepared frames are no part of a gateway's memory
    with _timed(spent):
        count = samples = 0
        late: list[float] = []
        fixed: list[float] = []
        begun = time.monotonic()
        process = main = 0.0
        for at, frames in enumerate(made.steps):
            if at == settle:
                spent.clear()
                count, samples = 0, -_samples(pipeline)
                late.clear()
                fixed.clear()
                process, main = time.process_time(), time.thread_time()
            due = begun + (at + 1) * STEP_NS / NS
            if paced and (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            start = time.thread_time()
            for number, frame in frames:
                ticker.append_frame(number, frame)
            now_ns[0] += STEP_NS
            (step,) = [step for _, step in ticker.due()]
            spent["frames"] += time.thread_time() - start
            measurements = pipeline.step(step)
            start = time.thread_time()
            outbox.append(measurements)
            spent["outbox"] += time.thread_time() - start
            late.append(time.monotonic() - due)
            if at % FIXED_EVERY == 0:
                fixed.append(fixed_work())
            count += len(measurements)
        outbox.flush()
        process, main = time.process_time() - process - sum(fixed), time.thread_time() - main - sum(fixed)
    samples += _samples(pipeline)
    outbox.close()
    seconds = len(made.steps) * STEP_NS / NS - SETTLE_S
    spent["outbox"] += process - main
    parts = {name: value / seconds for name, value in _disjoint(spent, process).items()}
    slowed = float(np.median(fixed)) / min(fixed)
    return Spent(process / seconds, parts, float(np.percentile(late, 95)), count / seconds, samples / seconds, slowed)


def _disjoint(spent: dict[str, float], process: float) -> dict[str, float]:
    """Return the parts of so many processor seconds, each without the parts that were timed within it."""
    parts = dict(spent)
    parts["results"] -= parts["intake"] + parts["turning"] + parts["one sensor at a time"]
    parts["intake"] -= parts["decode"] + parts["time"]
    parts["turning"] -= parts["kernels"]
    parts["the rest"] = process - sum(parts.values())
    return parts


def fixed_work() -> float:
    """Return processor seconds of a piece of work that is always the same."""
    begun = time.thread_time()
    lists: dict[int, list[tuple[int, int]]] = {}
    for i in range(2000):
        lists.setdefault(i % 97, []).append((i, i))
    return time.thread_time() - begun


def _samples(pipeline: Pipeline) -> int:
    return sum(count.samples for intake in pipeline.intakes for count in intake.counts.values())


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Count the main thread's time within parts of the pipeline."""
    restore = [_wrap(owner, name, part, spent) for owner, name, part in pipeline_parts()]
    try:
        yield
    finally:
        for undo in restore:
            undo()


def pipeline_parts() -> list[tuple[type, str, str]]:
    """Return (class, method, part) whose times add up to a step."""
    return [
        (MovellaDotDecoder, "decode_batch", "decode"),
        (Shimmer3Decoder, "decode_batch", "decode"),
        (Timelines, "place", "time"),
        (ContactDetector, "process", "kernels"),
        (LowerBack, "process", "kernels"),
        (Intakes, "decode", "intake"),
        (Intakes, "place", "intake"),
        (Bank, "run", "turning"),
        (MotionBank, "add", "one sensor at a time"),
        (MotionBank, "step", "one sensor at a time"),
        (Pipeline, "step", "results"),
    ]


def _wrap(owner: type, name: str, part: str, spent: dict[str, float]) -> Callable[[], None]:
    plain = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        try:
            return plain(*args, **kwargs)
        finally:
            spent[part] += time.thread_time() - start

    original = owner.__dict__[name]
    setattr(owner, name, staticmethod(timed) if isinstance(original, classmethod) else timed)
    return lambda: setattr(owner, name, original)


def entries() -> list[Entry]:
    """Measure the ward; none where there are no recordings."""
    if not recordings(1):
        return []
    seconds = SETTLE_S + TIMED_S
    made = ward(RECORDINGS, sensors=SENSORS, seconds=seconds, origin_ns=ORIGIN.monotonic_ns)
    with tempfile.TemporaryDirectory() as data:
        spent = run(made, Path(data))
    name = f"ward of {SENSORS} IMUs at 100 Hz"
    return [
        Entry(f"{name}, share of a core", 100 * spent.share, "%", GOAL),
        *(Entry(f"  of that {part}", 100 * share, "%") for part, share in sorted(spent.parts.items(), key=_largest)),
        Entry(f"{name}, slowed by neighbours", spent.slowed, "x"),
        Entry(f"{name}, samples in", spent.samples, "1/s"),
        Entry(f"{name}, measurements out", spent.measurements, "1/s"),
        Entry(f"{name}, a step after its end, p95", 1000 * spent.late_s, "ms"),
    ]


def _largest(item: tuple[str, float]) -> float:
    return -item[1]
