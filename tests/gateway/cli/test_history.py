"""What ``history erase`` and ``history export`` say and refuse before anything is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
import typer

from config.settings import Settings
from gateway.cli.erasure_places import erase_ward, find_files
from gateway.cli.history import history
from gateway.history.books.erased_subjects import was_erased
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model.usage import UsageError
from gateway.recordings.recording import Header, RecordingWriter
from gateway.ward.kept_ward import KeptWard
from tests.gateway.history.ward_gateway import Gateway
from tests.gateway.samples import START_US

NAME, WRONG, RIGHT, NOBODY = "gateway-1", "p-wrong", "p-right", "sim-0001"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "var"
    data.mkdir()
    return Settings.model_validate({"site": {"data": data, "gateway": NAME}})


@pytest.fixture
def kept(settings: Settings) -> Iterator[History]:
    with closing(History(settings.history_file)) as made:
        yield made


@pytest.fixture
def gateway(settings: Settings, kept: History, tmp_path: Path) -> Gateway:
    """One whose session is over, and in the history, and that has stopped."""
    made = Gateway(tmp_path, NAME, subject=WRONG)
    made.do(1, "session-start", subject=WRONG, protocol="10mwt")
    made.measure(2, 6)
    made.do(8, "session-end", session=WRONG)
    made.do(9, "discharge", subject=WRONG)
    made.send(kept)
    stop(made, settings)
    return made


def stop(gateway: Gateway, settings: Settings) -> None:
    """Leave the registry where the gateway of the settings has it."""
    shutil.copy(gateway.registry.path, settings.site.data / "ward.db")


def command(action: str, settings: Settings, subject: str, *, yes: bool = True, dry_run: bool = False) -> int:
    return history(action, settings, subject, yes=yes, dry_run=dry_run, delete_files=False, confirm=False)


@pytest.mark.parametrize("subject", [WRONG, RIGHT])
def test_nobody_is_erased_while_a_correction_of_whose_a_session_was_waits(
    subject: str, gateway: Gateway, kept: History, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (session,) = gateway.registry.state.sessions
    gateway.do(20, "session-correct", session=session.id, subject=RIGHT)
    stop(gateway, settings)
    with pytest.raises(UsageError, match=rf"session {session.id}: .*start the gateway, and erase when"):
        command("erase", settings, subject)
    assert command("erase", settings, subject, dry_run=True) == 0
    assert f"not before: session {session.id}" in capsys.readouterr().out
    assert not was_erased(settings.history_file, subject)
    gateway.send(kept)  # it was started, and told the history
    with closing(HistoryReader(settings.history_file)) as reader:
        assert {row.measurement.subject for row in reader.stored()} == {RIGHT}
    assert command("erase", settings, subject, dry_run=True) == 0
    assert "not before" not in capsys.readouterr().out


def test_a_correction_of_others_or_of_times_alone_holds_nobody_up(
    gateway: Gateway, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (session,) = gateway.registry.state.sessions
    gateway.do(20, "session-correct", session=session.id, start_us=session.started_us + 1)
    stop(gateway, settings)
    assert command("erase", settings, WRONG, dry_run=True) == 0
    gateway.do(21, "session-correct", session=session.id, subject=RIGHT)
    stop(gateway, settings)
    assert command("erase", settings, "p-other", dry_run=True) == 0
    assert "not before" not in capsys.readouterr().out


def test_whom_nothing_names_is_not_barred_unless_somebody_says_so_when_asked(
    gateway: Gateway, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del gateway
    with pytest.raises(UsageError, match=f"nothing on this computer names '{NOBODY}'.*without --yes you are asked"):
        command("erase", settings, NOBODY)
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    with pytest.raises(typer.Abort):
        command("erase", settings, NOBODY, yes=False)
    said = capsys.readouterr().out
    assert "The history holds nothing of it" in said
    assert "Nothing on this computer names it: erasing it only refuses what comes of it later" in said
    assert not was_erased(settings.history_file, NOBODY)


def test_a_registry_that_a_gateway_has_is_not_reached_only_where_it_names_somebody(
    gateway: Gateway, settings: Settings
) -> None:
    del gateway
    with closing(KeptWard(settings, at_us=START_US)):
        assert erase_ward(settings, NOBODY) == []
        (line,) = erase_ward(settings, WRONG)
    assert "the gateway has it" in line


def test_a_recording_of_the_last_minute_may_still_be_written(settings: Settings) -> None:
    recordings = settings.site.data / "recordings"
    recordings.mkdir()
    RecordingWriter(recordings / "now.rgrec", Header({"slot": [{"subject": WRONG}]}, {}, 0, 0, "1")).close()
    found = find_files(settings, settings.history_file, WRONG)
    assert found.files == []
    assert "erase again a minute after the gateway has stopped" in found.others[0]


def test_an_export_of_nobody_says_so(
    gateway: Gateway, settings: Settings, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    del gateway
    with pytest.raises(UsageError, match=f"The history knows nobody of the pseudonym '{NOBODY}'"):
        command("export", settings, NOBODY)
    assert capsysbinary.readouterr().out == b""
    assert command("export", settings, WRONG) == 0
    assert capsysbinary.readouterr().out.count(b"\n") > 1
