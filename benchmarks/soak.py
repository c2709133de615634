"""An hour of a small ward as fast as it goes, and what happens to memory: ``python -m benchmarks.soak [MINUTES]``.

SimulatedGateway walk their recordings again and again; their devices' clocks run on. Not part of ``make bench``.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.entry import RECORDINGS
from benchmarks.ward_wire import NS, Ward, ward
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.warm_up import warm_up
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.intake.intakes import CONNECTED
from gateway.outbox.outbox import Outbox

SENSORS, LAP_S, MINUTES = 9, 20.0, 60
ORIGIN = Origin(1_000 * NS, 1_760_000_000_000_000)


def resident_mb() -> float:
    """Return the resident memory of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def laps(made: Ward, count: int) -> Iterator[list[Numbered]]:
    """Yield the steps of so many rounds of the same walk, of the feet only: their stamps are easily moved on."""
    feet = {n for n, device in enumerate(d for s in made.settings.slot for d in s.device) if device.port is None}
    for lap in range(count):
        later_ns, later_us = round(lap * LAP_S * NS), round(lap * LAP_S * 1e6)
        for step in made.steps:
            moved: list[Numbered] = []
            for number, frame in step:
                if number not in feet or (lap and frame.channel in (CONNECTED, "control")):
                    continue
                data = frame.data
                if frame.channel == "measurement":
                    (ticks,) = struct.unpack_from("<I", data)
                    data = struct.pack("<I", (ticks + later_us) % 2**32) + data[4:]
                moved.append((number, frame._replace(arrival_ns=frame.arrival_ns + later_ns, data=data)))
            yield moved


def main() -> None:
    """Print memory every five minutes of simulated time."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    made = ward(RECORDINGS, sensors=SENSORS, seconds=LAP_S, origin_ns=ORIGIN.monotonic_ns)
    warm_up()
    pipeline = Pipeline(made.settings, ORIGIN, {slot.id: slot.id for slot in made.settings.slot})
    begun = time.perf_counter()
    said = 0
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox.db")
        for number, frames in enumerate(laps(made, round(minutes * 60 / LAP_S))):
            measurements = pipeline.step(frames)
            outbox.append(measurements)
            said += len(measurements)
            if number % (5 * 60 * NS // STEP_NS) == 0:
                outbox.flush()
                state = outbox.state()
                outbox.release(state.epoch, state.durable_seq)
                print(
                    f"{number * STEP_NS / NS / 60:5.0f} min  {resident_mb():7.1f} MB  {said} measurements", flush=True
                )
        outbox.close()
    print(f"{minutes:5d} min  {resident_mb():7.1f} MB  {said} measurements; {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
