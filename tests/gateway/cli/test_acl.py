"""``rehab-gateway broker-acl`` on the example of a site with a broker of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from gateway.broker.access_list import FROM_GATEWAY, TO_GATEWAY
from gateway.cli.acl import show
from gateway.model.usage import UsageError
from gateway.wire.topics import TABLE

EXAMPLE = Path(__file__).parents[3] / "config/examples/external-broker.toml"


def test_every_topic_of_the_table_has_one_who_writes_it() -> None:
    """A new row of the table is refused to everybody until somebody says whose it is."""
    assert sorted([*FROM_GATEWAY, *TO_GATEWAY]) == sorted(row.name for row in TABLE)


def test_it_prints_the_listener_and_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    show(load(EXAMPLE), ["ward-8"], [], ["dashboard-1", "dashboard-2"], None)
    output = capsys.readouterr().out
    assert "listener 8883\n" in output
    users = [line for line in output.splitlines() if line.startswith("user ")]
    assert users == ["user ward-7", "user ward-8", "user historian", "user dashboard-1", "user dashboard-2"]
    assert "topic write rehab/v1/elm-hospital/ward-7/measurements/+\n" in output


def test_it_writes_files_that_belong_together(tmp_path: Path) -> None:
    show(load(EXAMPLE), [], [], [], tmp_path / "broker")
    assert f"acl_file {tmp_path}/broker/acl\n" in (tmp_path / "broker/mosquitto.conf").read_text()
    assert "user ward-7\n" in (tmp_path / "broker/acl").read_text()


@pytest.mark.parametrize("name", ["mosquitto.conf", "acl"])
def test_it_writes_its_own_files_again_and_leaves_those_of_others(tmp_path: Path, name: str) -> None:
    for gateway in ("ward-8", "ward-9"):
        show(load(EXAMPLE), [gateway], [], [], tmp_path)
    assert "user ward-9\n" in (tmp_path / "acl").read_text()
    others = tmp_path / name
    others.write_text("listener 1883\n")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=f"{name} is there, and 'broker-acl' did not write it: name another folder"):
        show(load(EXAMPLE), [], [], [], tmp_path)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["ward-7", "Ward-8", "+", "#", "a/b", "a\ntopic readwrite #"])
def test_a_name_that_is_none_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        show(load(EXAMPLE), [name], [], [], None)
