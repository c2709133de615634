"""``rehab-gateway replay`` across changes of the ward, over several recordings, and with other settings."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import replay as replay_command
from gateway.history.history import History
from gateway.model.measurement import Measurement
from gateway.recordings.replay import Replay
from gateway.wire.payload import Message
from tests.gateway.analysis.test_pipeline_ward import MOVED, NEW_PATIENT, NOBODY, lived, walking
from tests.gateway.cli.test_replay import replay

TOML = """
[[slot]]
id = "bed-1"
subject = "p-1"
[[slot.device]]
id = "left"
driver = "movella_dot"
placement = "{left}"
address = "00:00:00:00:00:01"
options = {{ mode = "rate" }}
[[slot.device]]
id = "right"
driver = "movella_dot"
placement = "{right}"
address = "00:00:00:00:00:02"
options = {{ mode = "rate" }}
"""
SWAPPED = TOML.format(left="right_foot", right="left_foot")
CHANGES = {5.0: NEW_PATIENT, 9.0: NOBODY, 11.02: MOVED, 15.0: NEW_PATIENT}


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the command's tables room, so that nothing in them is wrapped."""
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Measurement]]:
    """Return a recording with changes of the ward, and what the run said."""
    path = tmp_path_factory.mktemp("walk") / "first.rgrec"
    found, _ = lived(walking(), CHANGES, path)
    return path, found


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Measurement]]:
    """Return the recording of another run."""
    path = tmp_path_factory.mktemp("walk") / "second.rgrec"
    found, _ = lived(walking(), {}, path)
    return path, found


def stored(path: Path, *runs: list[Measurement]) -> Path:
    history = History(path)
    for number, run in enumerate(runs):
        history.store([Message("gateway-1", f"{number:016x}", measurements=list(enumerate(run, start=1)))])
    history.close()
    return path


def config(folder: Path, text: str) -> str:
    path = folder / "other.toml"
    path.write_text(text, "utf-8")
    return str(path)


def rows(text: str, **wanted: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    return [row for row in found if all(row.get(key) == value for key, value in wanted.items())]


def test_a_replay_is_identical_across_changes_of_the_ward(
    walked: tuple[Path, list[Measurement]], tmp_path: Path
) -> None:
    """The sessions that a change begins are compared too, and not those alone that the run began with."""
    history = stored(tmp_path / "history.db", walked[1])
    done = replay(str(walked[0]), "--against", str(history))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(walked[1])} measurements, field by field" in done.stdout


def test_several_recordings_are_one_after_the_other(
    walked: tuple[Path, list[Measurement]], second: tuple[Path, list[Measurement]]
) -> None:
    done = replay(str(walked[0]), str(second[0]), "--json")
    found = [Measurement.from_dict(json.loads(line)) for line in done.stdout.splitlines()]
    assert found == walked[1] + second[1]


def test_other_placements_are_compared(second: tuple[Path, list[Measurement]], tmp_path: Path) -> None:
    done = replay(str(second[0]), "--config", config(tmp_path, SWAPPED))
    assert done.returncode == 0, done.stderr
    assert "bed-1 left: side left -> right" in done.stdout
    assert "only" in done.stdout
    assert "Stride time" in done.stdout


def test_json_has_what_differs_and_a_row_for_each_metric_and_side(
    second: tuple[Path, list[Measurement]], tmp_path: Path
) -> None:
    done = replay(str(second[0]), "--json", "--config", config(tmp_path, SWAPPED))
    assert {
        "kind": "setting", "about": "bed-1 left", "setting": "side", "was": "left", "tried": "right",
    } in rows(done.stdout, kind="setting")  # fmt: skip
    (left,) = rows(done.stdout, kind="metric", metric="initial_contact", side="left")
    count = sum((m.metric, m.side) == ("initial_contact", "left") for m in second[1])
    assert left["both"] + left["only_recorded"] == count
    (heart,) = rows(done.stdout, metric="heart_rate")
    assert (heart["slot"], heart["same"], heart["only_tried"]) == ("bed-2", heart["both"], 0)


def test_csv_has_the_same_rows(second: tuple[Path, list[Measurement]], tmp_path: Path) -> None:
    file = config(tmp_path, SWAPPED)
    as_json = rows(replay(str(second[0]), "--json", "--config", file).stdout, kind="metric")
    done = replay(str(second[0]), "--csv", "--config", file)
    as_csv = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["metric"], row["side"], int(row["both"])) for row in as_csv] == [
        (row["metric"], row["side"], row["both"]) for row in as_json
    ]
    assert "side left -> right" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TOML.replace('"left"', '"insole"').format(left="left_foot", right="right_foot"), "has no device insole"),
        (SWAPPED.partition('[[slot.device]]\nid = "right"')[0], "both left, right would be worn on right_foot"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(
    second: tuple[Path, list[Measurement]], tmp_path: Path, text: str, reason: str
) -> None:
    done = replay(str(second[0]), "--config", config(tmp_path, text))
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [("--csv",), ("--against", "x.db", "--config"), ("--csv", "--json", "--config")])
def test_options_that_do_not_go_together_are_one_sentence(
    second: tuple[Path, list[Measurement]], tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = (config(tmp_path, SWAPPED),) if options[-1] == "--config" else ()
    done = replay(str(second[0]), *options, *file)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_whoever_waits_learns_how_far_it_is(
    second: tuple[Path, list[Measurement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_command, "FIRST_WORD_S", 0.0)
    monkeypatch.setattr(replay_command, "EVERY_S", 0.0)
    shown: list[str] = []
    replay_command.measure(Replay(second[0]), shown.append, "as tried")
    shares = [int(words.removeprefix("as tried: ").partition("%")[0]) for words in shown]
    assert shares == sorted(shares)
    assert shares[0] < 50
    assert shares[-1] == 100
