"""``rehab-gateway days``: a table with its weeks, CSV with every outcome, JSON, and words where there is nothing."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.model.usage import UsageError
from tests.gateway.results.clinic import DAY_S, FULL, SUBJECT, Clinic, monday_before
from tests.gateway.results.test_days import BACK
from tests.gateway.samples import START_US


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a history of two late days, one whole; nobody changes it."""
    folder = tmp_path_factory.mktemp("site")
    clinic = Clinic(folder)
    first = monday_before(int((time.time() - START_US / 1e6) / DAY_S) - 2)
    clinic.wear(first, FULL)
    clinic.wear(first + 1, 8)
    clinic.bout(first + 1, 100, 40.0, 80, 1.0, **BACK)
    clinic.store()
    path = folder / "ward.toml"
    path.write_text(f'[site]\ndata = "{folder}"\n')
    return path


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["days", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_table_has_days_and_the_means_of_weeks(config: Path) -> None:
    lines = printed(str(config), SUBJECT).splitlines()
    whole, short, week, *remarks = lines[1:]
    assert whole.split()[1:4] == ["11.0", "4.40", "6.60"]
    assert short.split()[-1] == "1.00*"
    assert week.split()[:4] == ["week", "11.0", "4.40", "6.60"], "the short day is no part of it"
    assert remarks == ["A week is the mean of its days that were worn for ten hours or more.",
                       "* 1 day: worn for less than ten hours."]  # fmt: skip


def test_csv_and_json_have_every_outcome(config: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(str(config), SUBJECT, "--csv"))))
    assert [float(row["wear_time"]) for row in rows] == pytest.approx([11.0, 2.0])
    assert [row["wb_30__walking_speed_mps__avg"] for row in rows] == ["", "1.0"]
    found = orjson.loads(printed(str(config), SUBJECT, "--json"))
    assert found["days"][1]["outcomes"]["wb_30__walking_speed_mps__avg"] == 1.0


def test_who_is_not_there_is_said(config: Path) -> None:
    with pytest.raises(UsageError, match="nobody of the pseudonym"):
        CliRunner().invoke(app, ["days", str(config), "p-nobody"], catch_exceptions=False)
    assert "Nothing was measured" in printed(str(config), SUBJECT, "--days", "1")
