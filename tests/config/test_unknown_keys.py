"""A key that is no setting: a mistake for who checks the file, a word in the log for what has to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import ConfigError, Problem
from config.loader import load

WARD = """\
shelf = 3
[site]
gateway = "ward-7"
floor = "second"

[historian]
keep_days = 30

[[slot]]
id = "bay-a"
subject = "p-01"

[[slot.device]]
id = "hr-1"
driver = "heart_rate"
placement = "chest"
address = "C0:00:00:00:00:01"
colour = "red"

[of_the_next_release]
on = true
"""


def write(folder: Path, text: str = WARD) -> Path:
    path = folder / "ward.toml"
    path.write_text(text)
    return path


def test_each_is_named_with_its_line_and_left_out(tmp_path: Path) -> None:
    told: list[Problem] = []
    settings = load(write(tmp_path), on_unknown=told.append)
    assert (settings.site.gateway, settings.historian.keep_days) == ("ward-7", 30)
    assert settings.slot[0].device[0].id == "hr-1"
    found = {(problem.line, problem.sentence.split(" ")[0]) for problem in told}
    assert found == {(1, "shelf"), (4, "site.floor"), (18, "slot.device.colour"), (20, "of_the_next_release")}
    assert all(problem.sentence.endswith("left out") for problem in told)


def test_for_everybody_else_it_is_a_mistake_as_before(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path))
    assert len(caught.value.problems) == 4


def test_what_is_wrong_besides_stays_wrong(tmp_path: Path) -> None:
    told: list[Problem] = []
    with pytest.raises(ConfigError, match=r"historian\.keep_days = 'long'") as caught:
        load(write(tmp_path, WARD.replace("30", '"long"')), on_unknown=told.append)
    assert len(caught.value.problems) == 1
    # A key that is misspelt is unknown, and what it was to say is missing: nobody is measured by a guess.
    with pytest.raises(ConfigError, match="lacks 'placement'"):
        load(write(tmp_path, WARD.replace("placement", "placment")), on_unknown=told.append)


@pytest.mark.parametrize(
    ("after", "misspelt", "meant"),
    [
        ('subject = "p-01"', 'affected_sid = "left"', "affected_side"),
        ('colour = "red"', 'paskey = "123456"', "passkey"),
        ("keep_days = 30", '[broker]\nembedded = false\nhost = "mqtt.example"\nca_flie = "ca.pem"', "ca_file"),
        ("keep_days = 30", '[dashboard]\nuser_file = "users.jsonl"', "users_file"),
        ("keep_days = 30", '[dashbord]\nusers_file = "users.jsonl"', "dashboard"),
    ],
)
def test_one_that_is_misspelt_is_a_mistake_for_everybody(tmp_path: Path, after: str, misspelt: str, meant: str) -> None:
    """Left out, it would measure the wrong side, speak in clear text, or let everybody in."""
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'") as caught:
        load(write(tmp_path, WARD.replace(after, f"{after}\n{misspelt}")), on_unknown=lambda _problem: None)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(("more", "status"), [((), 2), (("--as-run",), 0)])
def test_check_says_both(tmp_path: Path, more: tuple[str, ...], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", *more, str(write(tmp_path))],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "line 4: site.floor is not a setting" in done.stderr
