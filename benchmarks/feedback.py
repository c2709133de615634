"""How far the patient's own view is behind the movement: from a sample's time to the frame that shows it.

``python -m benchmarks.feedback [--seconds 20]``. A demo of one bed on simulated devices, and a Chromium on this machine
that shows the lean of the lower back, and then how fast a foot turns. The page says of each painted frame which sample
it shows (event ``painted``); a frame is on the screen when the next one begins, and frames are counted by
``requestAnimationFrame``. Both clocks are this computer's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from benchmarks.entry import Entry
from benchmarks.entry import show as show_table
from benchmarks.latency import quantiles
from config.loader import load
from config.settings import Settings
from gateway.cli.ward_desk import NoAnswerError, make_change
from tests.browser import QUIET, chromium
from tests.gateway.dashboard.conftest import free_port

SECONDS = 20.0
START_S = 240.0
BEHIND_MS, FRAMES_HZ = 100.0, 59.0
SHOWN = (("lean", "lower_back", 0.0, 10.0), ("turning", "left_foot", 50.0, 200.0))
LISTEN = """() => { window.seen = []; window.frames = 0;
  document.addEventListener("painted", ({ detail }) => window.seen.push(detail));
  const count = () => { window.frames += 1; requestAnimationFrame(count); }; requestAnimationFrame(count); }"""
TAKE = "() => { const found = [window.seen, window.frames]; window.seen = []; window.frames = 0; return found; }"


async def show(browser: Browser, url: str, seconds: float) -> tuple[list[float], float]:
    """Open the page; return how far each painted value was behind, milliseconds, and frames a second."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    await page.goto(url)
    await page.wait_for_function(
        "() => /[0-9]/.test(document.getElementById('value').textContent)", timeout=START_S * 1e3
    )
    await page.evaluate(LISTEN)
    await asyncio.sleep(2.0)  # of a page that has just begun
    await page.evaluate(TAKE)
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    found: list[Any] = await page.evaluate(TAKE)
    span = time.monotonic() - begun
    await page.close()
    return [each["painted_ms"] - each["sample_ms"] for each in found[0]], found[1] / span


def choose(settings: Settings, fields: dict[str, Any]) -> None:
    """Choose what is shown; a gateway that has just begun may not answer yet."""
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        with suppress(NoAnswerError):
            make_change(settings, "feedback-choose", fields, by="benchmark")
            return
    raise TimeoutError


async def measure(folder: Path, port: int, seconds: float) -> list[Entry]:
    """Choose what is shown, and look at it."""
    config = folder / "demo.toml"
    async with asyncio.timeout(START_S):
        while not (config.exists() and "[dashboard]" in config.read_text() and (folder / "ward.db").exists()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    settings, found = load(config), []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        for kind, of, low, high in SHOWN:
            fields = {"subject": "sim-001", "kind": kind, "of": of, "low": low, "high": high}
            await asyncio.to_thread(choose, settings, fields)
            late, frames = await show(browser, f"http://127.0.0.1:{port}/feedback/bed-1", seconds)
            said, name = quantiles(late), f"feedback: {kind} of the {of.replace('_', ' ')}"
            found += [
                Entry(f"{name}, {len(late)} values, p50", float(said["p50"] or "nan"), "ms"),
                Entry(f"{name}, p95", float(said["p95"] or "nan"), "ms", BEHIND_MS),
                Entry(f"{name}, frames", frames, "1/s", FRAMES_HZ, above=True),
            ]
        await browser.close()
    return found


def entries(seconds: float = SECONDS) -> list[Entry]:
    """Start a demo, measure, stop it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="feedback-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "gateway", "demo", "--beds", "1", "--port", str(port), "--data", name]
        with (folder / "demo.log").open("wb") as log:
            demo = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own module
        try:
            return asyncio.run(measure(folder, port, seconds))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feedback", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    print(f"load before {'/'.join(f'{each:.1f}' for each in os.getloadavg())}", flush=True)
    found = entries(options.seconds)
    show_table(found)
    raise SystemExit(not all(entry.ok for entry in found))


if __name__ == "__main__":
    main()
