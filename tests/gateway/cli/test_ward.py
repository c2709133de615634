"""The ward from the command line: the real program, with a gateway that runs and with none, and a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.ward.kept_ward import FILE
from gateway.ward.registry import read_state
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child, wait_until

TOPICS = "rehab/v1/demo/gateway-1"
STRAP = "02:48:52:00:01:00"
START_S = 120.0  # of a process on a busy machine


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A ward of one bed, and nobody on the air."""
    path = tmp_path / "ward.toml"
    path.write_text(
        f'simulated = true\n[site]\ndata = "{tmp_path}/data"\n'
        f'[radio]\nname = "simulated"\nsocket = "{tmp_path}/radio"\n'
        '[[slot]]\nid = "bay-1"\nsubject = "p-1"\n[[slot.device]]\nid = "strap"\ndriver = "heart_rate"\n'
        f'placement = "chest"\naddress = "{STRAP}"\n'
    )
    return path


def ask(*words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        capture_output=True, text=True, check=False, timeout=120, env=environment, cwd=cwd,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@contextmanager
def gateway(config: Path) -> Iterator[None]:
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(30)


def answer_to(config: Path, *words: str) -> dict[str, Any]:
    group, command, *rest = words
    status, out, err = ask(group, command, str(config), *rest, "--by", "anna", "--json")
    assert (status, err) == (0, "")
    found: dict[str, Any] = orjson.loads(out)
    return found


def test_where_no_gateway_runs_the_registry_is_changed(config: Path) -> None:
    assert ask("ward", "show", str(config))[0] == 1
    assert answer_to(config, "ward", "add-bed", "bay-2", "--label", "Bay 2") == {
        "number": 2, "change": "add-bed", "running": False,
    }  # fmt: skip
    answer_to(config, "ward", "move", "p-1", "bay-2")
    session = answer_to(config, "session", "start", "p-1", "10mwt")["session"]
    answer_to(config, "session", "pause", "p-1")
    answer_to(config, "session", "resume", session)
    answer_to(config, "session", "mark", "p-1", "turned at the door")
    assert answer_to(config, "session", "end", "p-1")["session"] == session
    shown = orjson.loads(ask("session", "show", str(config), "--json")[1])
    assert [(s["id"], s["state"], len(s["parts"]), s["marks"][0]["text"]) for s in shown] == [
        (session, "ended", 2, "turned at the door")
    ]
    assert session in ask("session", "show", str(config))[1]
    corrected = answer_to(config, "session", "correct", session, "--subject", "p-7", "--why", "it was p-7")
    assert corrected["session"] == session
    assert corrected["note"].startswith("nobody of the pseudonym 'p-7' is on this ward")
    said = ask("session", "correct", str(config), session, "--subject", "p-8")[1]
    assert "▲ Nobody of the pseudonym 'p-8' is on this ward" in said
    assert "note" not in answer_to(config, "session", "correct", session, "--subject", "p-1")
    assert answer_to(config, "session", "correct", session, "--subject", "p-7")["session"] == session
    assert answer_to(config, "session", "discard", session, "--why", "loose")["change"] == "session-discard"
    words = ask("session", "show", str(config))[1].split()
    assert words[words.index(session) :][1:3] == ["p-7", "p-1"]
    assert "discarded" in words
    refused = ask("session", "correct", str(config), session, "--end", "half past nine")
    assert refused[2].startswith("rehab-gateway: 'half past nine' is no time: write it as 2026-09-22T09:15:00Z")
    day = ask("session", "correct", str(config), session, "--start", "2026-11-30")
    assert day[2].startswith("rehab-gateway: '2026-11-30' has no time of day: write it as 2026-11-30T09:15:00Z")
    begun = orjson.loads(ask("session", "show", str(config), "--json")[1])[0]
    answer_to(config, "session", "discard", session, "--take-back")
    earlier = datetime.fromtimestamp(begun["started_us"] / 1e6 - 60, UTC)
    said = ask("session", "correct", str(config), session, "--start", earlier.isoformat())[1]
    ended = datetime.fromtimestamp(begun["ended_us"] / 1e6, UTC)
    assert f"session {session} from {earlier:%Y-%m-%d %H:%M:%S} UTC to {ended:%Y-%m-%d %H:%M:%S} UTC" in " ".join(
        said.split()
    )
    form = ("--form", "five-questions")
    assert (
        answer_to(config, "session", "report", session, *form, "walking=2", "washing=1")["change"] == "session-report"
    )
    for given, sentence in (
        (("--form", "five-question", "walking=2"), "there is no form 'five-question'; did you mean 'five-questions'?"),
        (
            ("borg_cr10=4", "borg_cr10=5"),
            "'borg_cr10' is given twice: a second number is entered by a command of its own",
        ),
    ):
        assert ask("session", "report", str(config), session, *given)[2] == f"rehab-gateway: {sentence}\n"
    begun = ask("session", "start", str(config), "p-1", "10mtw")
    assert begun[1].splitlines()[1:] == ["▲ Nothing is measured by '10mtw'; did you mean '10mwt'?"]
    answer_to(config, "ward", "discharge", "p-1")
    answer_to(config, "ward", "add-device", "dot", "movella_dot", "--address", "D4:22:CD:00:00:01")
    answer_to(config, "ward", "admit", "p-2", "bay-1", "--height", "1.7")
    answer_to(config, "ward", "assign", "dot", "bay-1", "left_foot")
    page = ask("ward", "show", str(config))[1]
    assert "dot (left foot)" in page
    assert "On nobody: strap" in page
    assert "people have changed the ward (1 person there)" in " ".join(ask("check", str(config))[1].split())
    assert answer_to(config, "ward", "import")["change"] == "import"
    assert "people have changed" not in ask("check", str(config))[1]
    ward = orjson.loads(ask("ward", "show", str(config), "--json")[1])
    assert [(s["id"], s["bed"]) for s in ward["subjects"]] == [("p-1", "bay-1")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ward", "admit", "p-2", "bay-1"), "'p-1' is in bed 'bay-1': discharge or move them first"),
        (("ward", "admit", "p-2", "bay-9"), "there is no bed 'bay-9': known are bay-1"),
        (("ward", "assign", "strap", "bay-1", "chest"), "'strap' is on the chest in bed 'bay-1': take it off first"),
        (("ward", "take-off", "dot"), "there is no device 'dot' on this ward"),
        (("session", "end", "bay-1-x"), "there is no session 'bay-1-x'"),
        (
            ("session", "end", "p-1"),
            "no session of 'p-1' runs: the ids of those that are over stand in 'session show'",
        ),
        (
            ("notices", "choose", "p-1", "fall"),
            "kinds = 'fall' is not known; choose one of ceiling_exceeded, fall_event",
        ),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_one_sentence(config: Path, words: tuple[str, ...], sentence: str) -> None:
    group, command, *rest = words
    assert ask(group, command, str(config), *rest) == (1, "", f"rehab-gateway: {sentence}\n")
    assert read_state(config.parent / "data" / FILE).number == 1


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_a_gateway_that_runs_carries_it_out(config: Path, mosquitto: Child) -> None:
    config.write_text(f"{config.read_text()}[broker]\nembedded = false\nport = {mosquitto.port}\n")
    desk = Desk(mosquitto.port, TOPICS)
    with gateway(config):
        wait_until(lambda: desk.ward, START_S)
        answer = answer_to(config, "session", "start", "p-1", "10mwt")
        assert (answer["running"], answer["number"]) == (True, 3)
        wait_until(lambda: desk.ward["sessions"])
        assert [(s["id"], s["subject"], s["state"]) for s in desk.ward["sessions"]] == [
            (answer["session"], "p-1", "running")
        ]
        assert "10mwt, running" in ask("ward", "show", str(config))[1]
        assert ask("ward", "discharge", str(config), "p-9") == (1, "", "rehab-gateway: 'p-9' is not on this ward\n")
        status, _, err = ask("ward", "import", str(config))
        assert (status, err.partition(":")[2]) == (
            1, " the gateway runs, and this changes the whole ward: stop it first, or change bed by bed\n",
        )  # fmt: skip
        mosquitto.end()
        status, _, err = ask("ward", "discharge", str(config), "p-1")
        assert status == 1
        assert err.splitlines()[-1].startswith("rehab-gateway: the broker cannot be reached")
    desk.close()


def test_help_teaches_every_command() -> None:
    for group in ("ward", "session"):
        page = ask(group, "--help")[1]
        assert f"rehab-gateway {group}" in page.partition("Examples")[2]
        commands = [line.split()[1] for line in page.partition("Commands")[2].splitlines() if line.startswith("│ ")]
        named = [word for word in commands if word.islower() and ask(group, word, "--help")[0] == 0]
        assert len(named) >= 6
        for command in named:
            shown = ask(group, command, "--help")[1]
            assert f"rehab-gateway {group} {command}" in shown.partition("Examples")[2]
            assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_ward_may_begin_bare_and_gets_its_beds_while_it_runs(tmp_path: Path, mosquitto: Child) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(
        f'simulated = true\n[site]\nsite = "bare"\ndata = "{tmp_path}/data"\n'
        f'[radio]\nname = "simulated"\nsocket = "{tmp_path}/radio"\n'
        f"[broker]\nembedded = false\nport = {mosquitto.port}\n"
    )
    desk = Desk(mosquitto.port, topics="rehab/v1/bare/gateway-1")
    with gateway(config):
        wait_until(lambda: bool(desk.ward), START_S)
        assert desk.ward["beds"] == []
        made = answer_to(config, "ward", "add-beds", "1", "70", "--label", "Bay")
        assert made == {"number": 2, "change": "add-beds", "running": True}
        wait_until(lambda: len(desk.ward["beds"]) == 70, START_S)
        assert desk.ward["beds"][69] == {"id": "bay-70", "label": "Bay 70"}
        assert answer_to(config, "ward", "remove-bed", "bay-70")["running"] is True
    desk.close()
    assert len(read_state(tmp_path / "data" / FILE).beds) == 69


def test_a_ward_that_is_damaged_is_brought_back_by_a_person_who_takes_the_file_over(
    config: Path, tmp_path: Path
) -> None:
    answer_to(config, "ward", "discharge", "p-1")
    path = tmp_path / "data" / FILE
    path.write_bytes(b"nonsense" * 4096)
    status, _, err = ask("ward", "admit", str(config), "p-2", "bay-1")
    assert (status, "or 'ward import', brings it back" in " ".join(err.split())) == (1, True), err
    status, out, err = ask("ward", "import", str(config), "--by", "anna")
    assert (status, "the ward is that of the file, 1 beds" in out) == (0, True), err
    assert "set aside as ward.db.corrupt-1" in " ".join(err.split())
    assert [(subject.id, subject.bed) for subject in read_state(path).subjects] == [("p-1", "bay-1")]
