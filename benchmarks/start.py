"""What it costs to begin: imports, memory, and the time to the first stride with warm and cold kernels."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.entry import RECORDINGS, Entry, bytecode
from benchmarks.ward_wire import ward
from gateway.intake.frames import STEP_NS, Origin
from gateway.recordings.recording import Header, RecordingWriter

ORIGIN = Origin(1_000_000_000_000, 1_760_000_000_000_000)
ROUNDS = 5
IMPORT_S, RESIDENT_MB = 0.6, 155.0  # goals
IMPORT = "import time; begun = time.perf_counter(); import gateway.run.run; print(time.perf_counter() - begun)"
MEMORY = (
    "import gateway.run.run, gateway.analysis.warm_up; gateway.analysis.warm_up.warm_up();"
    "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith(('VmRSS', 'RssAnon'))))"
)


def said(*command: str, **environment: str) -> str:
    """Return what a child of this interpreter prints."""
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, *command], capture_output=True, check=True, text=True, env=os.environ | environment
    )
    return done.stdout.strip()


def walk(path: Path) -> None:
    """Write a recording of one real walker with three sensors, as the gateway would have made it."""
    made = ward(RECORDINGS, sensors=3, seconds=12.0, origin_ns=ORIGIN.monotonic_ns, recordings=1)
    sessions = {slot.id: slot.id for slot in made.settings.slot}
    header = Header(made.settings.model_dump(mode="json"), sessions, ORIGIN.monotonic_ns, ORIGIN.utc_us, "benchmark")
    writer = RecordingWriter(path, header)
    for number, frames in enumerate(made.steps):
        writer.step(ORIGIN.monotonic_ns + (number + 1) * STEP_NS, frames)
    writer.close()


def to_first(recording: Path, **environment: str) -> float:
    """Return seconds from the start of a process until its first stride is on disk."""
    with tempfile.TemporaryDirectory() as data:
        begun = time.perf_counter()
        said("-m", "benchmarks.first", str(recording), data, **environment)
        return time.perf_counter() - begun


def entries() -> list[Entry]:
    """Measure; the compiler runs once, which takes its time."""
    with tempfile.TemporaryDirectory() as folder:
        kept = bytecode(Path(folder))
        said("-c", MEMORY, **kept)  # fills the caches, with modules that a ward loads later too
        found = [
            Entry(
                "import of the gateway", min(float(said("-c", IMPORT, **kept)) for _ in range(ROUNDS)), "s", IMPORT_S
            ),
        ]
        resident, own = (int(kilobytes) / 1024 for kilobytes in said("-c", MEMORY, **kept).split())
    found += [
        Entry("resident memory, kernels warm", resident, "MB", RESIDENT_MB),
        Entry("  of that its own; the rest are pages of files, as many as the system has at hand", own, "MB"),
    ]
    if not RECORDINGS.exists():
        return found
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "walk.rgrec"
        walk(recording)
        warm = min(to_first(recording) for _ in range(ROUNDS))
        cold = to_first(recording, NUMBA_CACHE_DIR=str(Path(folder) / "cache"))
    return [
        *found,
        Entry("start to first stride on disk, warm cache", warm, "s"),
        Entry("start to first stride on disk, cold cache", cold, "s"),
    ]
