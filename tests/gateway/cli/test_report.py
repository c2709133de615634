"""``rehab-gateway report`` and ``trend``: what the pages show, in files and on the terminal."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.model.usage import UsageError
from tests.gateway.results.clinic import SUBJECT, Clinic


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A configuration with a history of two tests; return it, and the second session. Nobody changes it."""
    tmp_path = tmp_path_factory.mktemp("site")
    clinic = Clinic(tmp_path)
    clinic.test(1, 0.5)
    session = clinic.test(8, 0.8)
    clinic.store()
    path = tmp_path / "ward.toml"
    path.write_text(f'[site]\ndata = "{tmp_path}"\n')
    return path, session


def printed(*arguments: str) -> str:
    """Run a command that has to succeed; return what it prints."""
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_report_is_one_private_file_and_json(site: tuple[Path, str], tmp_path: Path) -> None:
    config, session = site
    file = tmp_path / "report.html"
    printed("report", str(config), session, "--html", str(file))
    text = file.read_text("utf-8")
    assert f"Session report: {SUBJECT}" in text
    assert "no band chosen" in text
    assert 'href="../' not in text, "it stands alone"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    report = orjson.loads(printed("report", str(config), session, "--json"))
    assert report["lines"][0]["previous"]["change"] == pytest.approx(0.3)


@pytest.mark.parametrize(("option", "suffix"), [("--html", ".html"), ("--pdf", ".pdf")])
def test_a_report_replaces_nothing_that_is_none(
    site: tuple[Path, str], tmp_path: Path, option: str, suffix: str
) -> None:
    config, session = site
    precious = tmp_path / "precious.toml"
    precious.write_text("[site]\n")
    with pytest.raises(UsageError, match=f"precious.toml: the name of such a report ends in {suffix}"):
        printed("report", str(config), session, option, str(precious))
    assert precious.read_text() == "[site]\n"


def test_a_trend_is_a_table_and_json(site: tuple[Path, str]) -> None:
    config, _ = site
    found = orjson.loads(printed("trend", str(config), SUBJECT, "--days", "4000", "--by", "session", "--json"))
    assert [point["value"] for point in found["lines"][0]["points"]] == [0.5, 0.8]
    assert "0.80\u00a0m/s" in printed("trend", str(config), SUBJECT, "--days", "4000")
    assert "Nothing was measured" in printed("trend", str(config), SUBJECT, "--days", "1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "{config}", "nothing", "--json"], "knows no session 'nothing'"),
        (["report", "{config}", "{session}"], "say where to"),
        (["trend", "{config}", "p-nobody"], "nobody of the pseudonym"),
        (["trend", "{config}", SUBJECT, "--metric", "cadense"], "did you mean 'cadence'"),
        (["trend", "{config}", SUBJECT, "--by", "year"], "session, day, week"),
        (["ward", "plan", "{config}", SUBJECT, "--bands", "stroke-chronc"], "did you mean 'stroke-chronic'"),
    ],
)
def test_what_cannot_be_is_said(site: tuple[Path, str], arguments: list[str], words: str) -> None:
    config, session = site
    filled = [one.format(config=config, session=session) for one in arguments]
    with pytest.raises(UsageError, match=words):
        CliRunner().invoke(app, filled, catch_exceptions=False)
