"""``rehab-gateway replay``: a live run of a strap, recorded and stored, and the same again from the recording."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.cli.replay import compare
from gateway.history.history import History
from gateway.intake.frames import STEP_NS, Origin
from gateway.intake.intakes import CONNECTED
from gateway.machine.arithmetic import arithmetic
from gateway.model.measurement import Measurement
from gateway.recordings.comparison import furthest_apart
from gateway.recordings.recording import Header, RecordingReader, RecordingWriter
from gateway.wire.payload import Message
from tests.gateway.history.summing import sum_anew
from tests.gateway.samples import ward

SECONDS = 90
NS = 1_000_000_000
STEPS = SECONDS * NS // STEP_NS
ORIGIN = Origin(5 * NS, 1_790_000_000_000_000)
SESSIONS = {"bay-a": "bay-a-20260922t091500z"}
SETTINGS = Settings(
    slot=[
        Slot(
            id="bay-a",
            subject="p-1",
            device=[Device(id="strap-1", driver="heart_rate", placement="chest", name="Strap")],
        )
    ]
)


def frames() -> Iterator[Frame]:
    """A strap that notifies once a second, with a rate and an interval that wander a little."""
    yield Frame(ORIGIN.monotonic_ns, CONNECTED, b"")
    for second in range(SECONDS):
        rate = 70 + second % 7
        interval = (60 * 1024 // rate + second % 3).to_bytes(2, "little")
        yield Frame(ORIGIN.monotonic_ns + second * NS + 20_000_000, "measurement", bytes([0x10, rate]) + interval)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """Return the recording and the history of a live run, and how many measurements it made."""
    folder = tmp_path_factory.mktemp("run")
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    header = Header(SETTINGS.model_dump(mode="json"), SESSIONS, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    arriving = list(frames())
    made: list[Measurement] = []
    with RecordingWriter(folder / "run.rgrec", header) as writer:
        for step in range(STEPS):
            begin = ORIGIN.monotonic_ns + step * STEP_NS
            due = [(0, frame) for frame in arriving if begin <= frame.arrival_ns < begin + STEP_NS]
            made += pipeline.step(due)
            writer.step(begin + STEP_NS, due)
    made += pipeline.finish()
    history = History(folder / "history.db")
    history.store([Message("gateway-1", "0" * 16, measurements=list(enumerate(made, start=1)))])
    history.close()
    return folder / "run.rgrec", folder / "history.db", len(made)


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "replay", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_replay_is_identical_with_the_live_run(run: tuple[Path, Path, int]) -> None:
    recording, history, made = run
    assert made > SECONDS  # at least the heart rate of every second
    done = replay(str(recording), "--against", str(history))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{made} measurements" in done.stdout
    assert "Identical with" in done.stdout
    assert "Heart rate" in done.stdout


def test_json_has_every_measurement(run: tuple[Path, Path, int]) -> None:
    done = replay(str(run[0]), "--json")
    measurements = [Measurement.from_dict(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(measurements) == run[2]
    assert {measurement.session for measurement in measurements} == set(SESSIONS.values())


def test_one_changed_bit_is_found(run: tuple[Path, Path, int], tmp_path: Path) -> None:
    altered = tmp_path / "history.db"
    altered.write_bytes(run[1].read_bytes())
    database = sqlite3.connect(altered)
    with database:
        (seq,) = database.execute("SELECT max(seq) FROM measurements WHERE value > 1").fetchone()
        database.execute("UPDATE measurements SET value = value + 1e-9 WHERE seq = ?", (seq,))
        sum_anew(database)
    database.close()
    done = replay(str(run[0]), "--against", str(altered))
    assert done.returncode == 1
    assert f"Measurement {seq} (" in done.stdout


@pytest.mark.parametrize(
    ("computed_on", "status", "words"),
    [
        ("riscv64 another, glibc 2.36, numpy 2.4.6", 0, "The same within 1e-12 with"),
        (arithmetic(), 1, "were computed on this very machine"),
        ("", 1, "were computed on a machine that the recording does not name"),
    ],
    ids=["another machine", "this machine", "not known"],
)
def test_the_last_digit_may_be_another_on_another_machine_and_on_no_other_account(
    run: tuple[Path, Path, int], tmp_path: Path, computed_on: str, status: int, words: str
) -> None:
    recording, history = tmp_path / "run.rgrec", tmp_path / "history.db"
    history.write_bytes(run[1].read_bytes())
    with closing(sqlite3.connect(history)) as database, database:
        database.execute("UPDATE measurements SET value = value * (1.0 + 4e-16) WHERE value > 1")
        sum_anew(database)
    with (
        closing(RecordingReader(run[0])) as reader,
        RecordingWriter(recording, replace(reader.header, arithmetic=computed_on)) as writer,
    ):
        for end_ns, frames_of_step in reader.blocks():
            writer.step(end_ns, frames_of_step)
    done = replay(str(recording), "--against", str(history))
    said = " ".join(done.stdout.split())
    assert (done.returncode, words in said) == (status, True), done.stdout + done.stderr


def test_how_far_apart_two_runs_are() -> None:
    live = ward(5)
    value = live[2].value
    assert value
    for other, apart in (
        ({"value": value + 2**-52 * value}, 2**-52), ({"start_us": live[2].start_us + 1}, 0.0),
        ({"start_us": live[2].start_us + 2}, math.inf), ({"value": None}, math.inf), ({"n": 8}, math.inf),
        ({"quality": "invalid"}, math.inf),
    ):  # fmt: skip
        moved = [*live[:2], replace(live[2], **other), *live[3:]]
        assert furthest_apart(live, moved) == pytest.approx(apart, rel=1.0)
    assert furthest_apart(live, live[:4]) == math.inf


def test_a_recording_without_its_end_is_reported(run: tuple[Path, Path, int], tmp_path: Path) -> None:
    torn = tmp_path / "torn.rgrec"
    torn.write_bytes(run[0].read_bytes()[:-40])
    done = replay(str(torn))
    assert done.returncode == 0
    assert "was cut off" in done.stdout


def test_what_is_no_recording_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a recording", "utf-8")
    done = replay(str(tmp_path / "notes.txt"))
    assert done.returncode == 1
    assert done.stderr.startswith("rehab-gateway: ")
    assert done.stderr.count("\n") == 1


def test_a_history_that_is_not_there_is_one_sentence(run: tuple[Path, Path, int], tmp_path: Path) -> None:
    done = replay(str(run[0]), "--against", str(tmp_path / "absent.db"))
    assert done.returncode == 2
    assert "there is no such history" in done.stderr


def test_differences_are_named() -> None:
    live = ward(5)
    assert list(compare(live, live)) == []
    assert list(compare(live[:4], live)) == ["The replay has 4 measurements, the history 5."]
    other = [*live[:2], replace(live[2], n=8), *live[3:]]
    assert list(compare(other, live)) == [f"Measurement 3 ({live[2].metric}, {live[2].side}): n 7 was, 8 is."]
