"""The main job on real input: a recording over Bluetooth and a tty to history and store, and again in replay."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gateway.clocks.timeline import Floats
from gateway.history.reader import HistoryReader
from gateway.history.schema import Stored
from gateway.model.measurement import Measurement
from gateway.recordings.replay import Replay
from tests.servers import mosquitto_in, victoria_metrics_in, wait_until
from tests.shared import shared_path

RECORDING = ("data", "gait", "ipol497", "1-1.npz")
SPEED = 4
RATE_HZ = 100.0
TOLERANCE_S = 0.1
COMPILED_WITHIN_S = 240.0  # on a slow machine, where no other test has compiled the kernels before
PLAYED_WITHIN_S = COMPILED_WITHIN_S + 90.0
STORED_WITHIN_S = 180.0  # a condition, not a wait: a machine under load stores late, and that is no failure here
STOPPED_WITHIN_S = 20.0


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of the product as a process; its output lies beside its data."""
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "gateway", *arguments], stdout=log, stderr=log)
        try:
            yield child
        finally:
            stop(child)


def stop(child: subprocess.Popen[bytes]) -> int:
    child.send_signal(signal.SIGTERM)
    return child.wait(STOPPED_WITHIN_S)


@dataclass(frozen=True)
class Run:
    """What a run left behind.

    Attributes:
        live: The history, in the order of the outbox.
        again: What the recording of the run gives in replay.
        in_store: (metric, milliseconds, value) of every value in the time-series store.
        reference: Annotated contacts, in samples.
    """

    live: list[Measurement]
    again: list[Measurement]
    in_store: list[tuple[str, int, float]]
    reference: dict[str, dict[str, list[int]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Replay a recording through simulated devices into a running gateway, historian and store."""
    npz = shared_path(*RECORDING)
    folder = tmp_path_factory.mktemp("end-to-end")
    with mosquitto_in(folder / "broker") as broker, victoria_metrics_in(folder / "store") as store:
        played = play(folder, npz, broker.port, store.port)
        in_store = exported(store.port)
    live = [row.measurement for row in played]
    again = measurements_again(folder)
    return Run(live, again, in_store, json.loads(npz.with_suffix(".json").read_text())["reference"])


def play(folder: Path, npz: Path, broker_port: int, store_port: int) -> list[Stored]:
    """Run simulator, gateway and historian until the recording has ended and all of it is stored."""
    config = folder / "gateway.toml"
    simulate = ("simulate", "recording", str(npz), "--speed", str(SPEED), "--socket", str(folder / "radio"),
                "--wait", str(COMPILED_WITHIN_S), "--ports", str(folder / "ports"),
                "--write-config", str(config))  # fmt: skip
    with process(folder, *simulate) as simulator:
        wait_until(lambda: config.exists() and (folder / "radio").exists(), 30)
        with config.open("a") as file:
            file.write(
                f'\n[site]\nsite = "test"\ngateway = "test"\ndata = "{folder}"\n[recorder]\nenabled = true\n'
                f"[broker]\nembedded = false\nport = {broker_port}\n"
                f'[historian.store]\nkind = "victoriametrics"\nurl = "http://127.0.0.1:{store_port}"\n'
            )
        with process(folder, "historian", str(config)):
            with process(folder, "run", str(config)) as gateway:
                simulator.wait(PLAYED_WITHIN_S)
                assert stop(gateway) == 0, (folder / "run.log").read_text()
            expected = len(measurements_again(folder))
            with closing(HistoryReader(folder / "history.db")) as history:
                wait_until(lambda: history.count() >= expected, STORED_WITHIN_S)
                rows = list(history.stored())
            # The store gets them after the history, in batches of its own.
            values = sum(row.measurement.value is not None for row in rows)
            wait_until(lambda: len(exported(store_port)) >= values, STORED_WITHIN_S)
    return rows


def measurements_again(folder: Path) -> list[Measurement]:
    (recording,) = (folder / "recordings").iterdir()
    return [m for step in Replay(recording).steps() for m in step]


def exported(port: int) -> list[tuple[str, int, float]]:
    """Every value that VictoriaMetrics holds (its export API flushes what it has in memory)."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/internal/force_flush"):
        pass
    query = urllib.parse.quote('{__name__=~".+_value"}')
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/export?match[]={query}") as answer:
        series = [json.loads(line) for line in answer]
    return [
        (s["metric"]["__name__"].removesuffix("_value"), at, value)
        for s in series
        for at, value in zip(s["timestamps"], s["values"], strict=True)
    ]


def aligned(found_s: Floats, true_s: Floats) -> int:
    """Most contacts that agree under one constant shift: the recording and the run have different zeros of time."""
    best = 0
    for shift in (true_s[:, None] - found_s[None, :]).ravel():
        near = np.abs(true_s[:, None] - (found_s + shift)[None, :]).min(axis=1)
        best = max(best, int((near <= TOLERANCE_S).sum()))
    return best


@pytest.mark.recordings
@pytest.mark.broker
@pytest.mark.store
@pytest.mark.timeout(PLAYED_WITHIN_S + 2 * STORED_WITHIN_S + 60)
class TestRealRecording:
    @pytest.mark.parametrize("side", ["left", "right"])
    def test_the_history_holds_the_contacts_of_a_foot(self, run: Run, side: str) -> None:
        for metric, kind in (("initial_contact", "ic"), ("final_contact", "tc")):
            found = [m.start_us / 1e6 for m in run.live if m.metric == metric and m.placement == (f"{side}_foot",)]
            true = np.array(run.reference[side][kind]) / RATE_HZ
            hits = aligned(np.array(found), true)
            assert 2 * hits / (len(found) + len(true)) > 0.93  # turns included, which the scorers leave out

    def test_the_lower_back_and_the_feet_agree_on_the_pace(self, run: Run) -> None:
        pace = {
            placement: np.median([m.value for m in run.live if m.metric == "cadence" and placement in m.placement])
            for placement in ("left_foot", "lower_back")
        }
        assert pace["left_foot"] == pytest.approx(pace["lower_back"], abs=2.0)

    def test_the_replay_is_the_live_run(self, run: Run) -> None:
        assert len(run.live) > 500
        assert run.again == run.live

    def test_the_store_holds_the_same_values(self, run: Run) -> None:
        expected = sorted((m.metric, m.end_us // 1000, m.value) for m in run.live if m.value is not None)
        stored = sorted(run.in_store)
        assert [row[:2] for row in stored] == [row[:2] for row in expected]
        # VictoriaMetrics keeps twelve significant digits.
        assert [row[2] for row in stored] == pytest.approx([row[2] for row in expected], rel=1e-11)
