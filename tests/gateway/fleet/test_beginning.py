"""Everybody in a fleet has a name of their own: by it the broker knows who may do what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", ["fleet-desk", "h-1", "wall", "broker", "ca", "historian"])
def test_nobody_is_invited_under_anothers_name(tmp_path: Path, name: str) -> None:
    """It would have the desk's or a historian's rights, or end the desk at each look at its list of rights."""
    make(tmp_path, ["h-1"], ["wall"])
    register = Register(tmp_path)
    with pytest.raises(EnrolmentError, match="is another's name in this fleet"):
        invite(register, name, "ward", minutes=1, now_s=0.0)
    assert invite(register, "ward-7", "ward", minutes=1, now_s=0.0)
    register.close()
