"""Everybody in a fleet has a name of their own: by it the broker knows who may do what."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.fleet import beginning
from gateway.fleet.beginning import BegunError, begin
from gateway.fleet.enrolment import EnrolmentError, invite
from gateway.fleet.register import Register


def make(folder: Path, historians: Sequence[str] = (), dashboards: Sequence[str] = ()) -> None:
    begin(folder, "north", hosts=["localhost"], ports=(1, 2), historians=historians, dashboards=dashboards)


@pytest.mark.parametrize(
    ("historians", "dashboards"),
    [(["ca"], []), (["broker"], []), (["plan"], []), (["fleet-desk"], []), (["dashboard"], []), (["x", "x"], []),
     (["x"], ["x"]), ([], ["ca"])],
)  # fmt: skip
def test_no_fleet_begins_with_a_name_twice(tmp_path: Path, historians: list[str], dashboards: list[str]) -> None:
    """A historian called 'ca' would have its key in the place of the authority's."""
    with pytest.raises(BegunError, match="would be two of the fleet"):
        make(tmp_path / "fleet", historians, dashboards)
    make(tmp_path / "fleet")  # nothing was left of it


@pytest.mark.parametrize(
    "host", ["", "mqtt hospital", "mqtt.spital.ö", "mqtt.hospital.example:8883", "https://mqtt.example", "-x", "1.2.3"]
)  # fmt: skip
def test_no_fleet_begins_at_what_is_no_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(BegunError, match="is no name or address of a computer"):
        begin(tmp_path / "fleet", "north", hosts=["localhost", host], ports=(1, 2), historians=[], dashboards=[])
    make(tmp_path / "fleet")  # nothing was left of it


def test_one_that_was_broken_off_begins_anew_and_one_that_was_not_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(beginning, "write_configuration", cut_off)
        with pytest.raises(OSError, match="No space"):
            make(tmp_path / "fleet")
    make(tmp_path / "fleet")
    key = (tmp_path / "fleet/ca.key").read_bytes()
    with pytest.raises(BegunError, match="has a fleet already"):
        make(tmp_path / "fleet")
    assert (tmp_path / "fleet/ca.key").read_bytes() == key
    assert not [path for path in (tmp_path / "fleet").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["fleet-desk", "h-1", "wall", "broker", "ca", "historian"])
def test_nobody_is_invited_under_anothers_name(tmp_path: Path, name: str) -> None:
    """It would have the desk's or a historian's rights, or end the desk at each look at its list of rights."""
    make(tmp_path, ["h-1"], ["wall"])
    register = Register(tmp_path)
    with pytest.raises(EnrolmentError, match="is another's name in this fleet"):
        invite(register, name, "ward", minutes=1, now_s=0.0)
    assert invite(register, "ward-7", "ward", minutes=1, now_s=0.0)
    register.close()
