"""Run all benchmarks; print one table; write ``bench.json`` as {name: {value, unit, goal, ok}}.

``python -m benchmarks [--peers PYTHON] [--only WORD]``; exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import cold, drivers, history, latency, replay, start, strides, ward
from benchmarks.entry import Entry, show

ROOT = Path(__file__).resolve().parents[1]


def orientation(peers: Path | None) -> list[Entry]:
    """Run the orientation kernel's own benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "entries.json"
        peer = ["--peer-python", str(peers)] if peers else []
        command = [sys.executable, "-m", "benchmarks.orientation", *peer, "--json", str(answer)]
        subprocess.run(command, check=True)  # noqa: S603 - our own module
        found: dict[str, dict[str, Any]] = json.loads(answer.read_text("utf-8"))
    return [Entry(name, each["value"], each["unit"], each["goal"]) for name, each in found.items()]


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", type=Path, help="interpreter of benchmarks/peers.sh")
    parser.add_argument(
        "--only", default="", help="ward, strides, drivers, replay, start, cold, history, latency or orientation"
    )
    options = parser.parse_args()
    peers: Path | None = options.peers
    parts: dict[str, Callable[[], list[Entry]]] = {
        "ward": ward.entries,
        "strides": strides.entries,
        "drivers": drivers.entries,
        "replay": lambda: replay.entries(peers),
        "orientation": lambda: orientation(peers),
        "start": start.entries,
        "cold": cold.entries,
        "history": history.entries,
        "latency": latency.entries,
    }
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}", flush=True)
    entries: list[Entry] = []
    for name, part in parts.items():
        if options.only in name:
            print(f"-- {name}", flush=True)
            entries += part()
    show(entries)
    rows = {e.name: {"value": e.value, "unit": e.unit, "goal": e.goal, "ok": e.ok} for e in entries}
    (ROOT / "bench.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    raise SystemExit(not all(entry.ok for entry in entries))


if __name__ == "__main__":
    main()
