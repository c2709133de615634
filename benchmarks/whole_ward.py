"""The demo of a whole ward: ``python -m benchmarks.whole_ward [--beds 70] [--seconds 240] [--speed 1]``.

Says each minute how many devices stream and what each process takes, and at the end how long Ctrl-C took. Ends with
status 0 only if all devices streamed. Not part of ``make bench``: it takes as long as it is told.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.latency import cpu_s, fields_of, processes
from tests.servers import free_port

EVERY_S = 60.0
LOOK_S = 0.5
END_S = 120.0  # longest for the end: what takes more is killed, and told
LINE = re.compile(r"devices (\d+)/(\d+)")


class Demo:
    """A demo that runs.

    Args:
        beds: How many beds.
        speed: Of simulated time; None for what the demo chooses.
        folder: Where its data are, and what it prints.
    """

    def __init__(self, beds: int, speed: float | None, folder: Path) -> None:
        self._printed = folder / "printed"
        command = [sys.executable, "-m", "gateway", "demo", "--beds", str(beds), "--port", str(free_port()),
                   "--data", str(folder / "data"), *(["--speed", str(speed)] if speed else [])]  # fmt: skip
        with self._printed.open("wb") as out:
            wide = {**os.environ, "COLUMNS": "300"}
            self._process = subprocess.Popen(command, stdout=out, stderr=out, env=wide)  # noqa: S603 - this interpreter
        self._used: dict[str, float] = {}

    @property
    def lines(self) -> list[str]:
        """What it has printed."""
        return self._printed.read_text("utf-8", errors="replace").splitlines()

    @property
    def streaming(self) -> tuple[int, int]:
        """How many devices stream, and of how many; (0, 0) before the first line."""
        found = [match for line in self.lines if (match := LINE.search(line))]
        return (int(found[-1][1]), int(found[-1][2])) if found else (0, 0)

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def taken(self, for_s: float) -> str:
        """Return what each process took of a processor since the last call, and its memory."""
        parts = []
        for name, number in sorted(processes(self._process.pid).items()):
            used_s = cpu_s(number)
            share = (used_s - self._used.get(name, 0.0)) / for_s
            self._used[name] = used_s
            parts.append(f"{name} {share:.0%} {_megabytes(number)} MB")
        return ", ".join(parts)

    def end(self) -> float:
        """Ask it to end as Ctrl-C does; return how long that took, seconds."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return time.monotonic() - began


def _megabytes(number: int) -> int:
    """Return the resident memory of a process; nothing of one that has ended."""
    try:
        return int(fields_of(number)[21]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except OSError:
        return 0


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beds", type=int, default=70)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--speed", type=float)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(asked.beds, asked.speed, Path(folder))
        began = told = time.monotonic()
        all_s = None
        while time.monotonic() - began < asked.seconds and not demo.ended():
            time.sleep(LOOK_S)
            now, (some, of) = time.monotonic(), demo.streaming
            if all_s is None and of and some == of:
                all_s = now - began
            if now - told >= EVERY_S:
                load, taken = os.getloadavg()[0], demo.taken(now - told)
                print(f"{now - began:5.0f} s  devices {some}/{of}  load {load:.1f}  {taken}", flush=True)
                told = now
        paces = [line for line in demo.lines if "of real time" in line]
        print(*(paces or ["in real time"]), f"all streamed after {all_s:.0f} s" if all_s else "not all streamed",
              f"ended in {demo.end():.1f} s", sep="\n")  # fmt: skip
    return 0 if all_s else 1


if __name__ == "__main__":
    sys.exit(main())
