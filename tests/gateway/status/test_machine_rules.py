"""Which notices there are of the computer itself."""

from __future__ import annotations

import pytest

from gateway.model.machine_status import MachineStatus
from gateway.status.machine_rules import machine_findings

WELL: MachineStatus = {
    "temperature_c": 55.0, "undervoltage": False, "life_used_pct": 30.0, "reserve": "normal", "written_bytes": 1,
}  # fmt: skip
UNKNOWN: MachineStatus = {
    "temperature_c": None, "undervoltage": None, "life_used_pct": None, "reserve": "", "written_bytes": None,
}  # fmt: skip


def codes(machine: MachineStatus, raised: frozenset[str] = frozenset()) -> list[str]:
    return [finding.rule.code for finding in machine_findings({"machine": machine}, raised)]


@pytest.mark.parametrize("machine", [WELL, UNKNOWN, {}])
def test_a_computer_that_is_well_or_tells_nothing_raises_nothing(machine: MachineStatus) -> None:
    assert codes(machine) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"temperature_c": 80.5}, "computer-hot"),
        ({"undervoltage": True}, "power-weak"),
        ({"life_used_pct": 90.0}, "disk-worn"),
        ({"life_used_pct": None, "reserve": "warning"}, "disk-worn"),
    ],
)
def test_each_trouble_has_its_notice(change: MachineStatus, code: str) -> None:
    assert codes(WELL | change) == [code]


def test_heat_lets_go_later_than_it_takes_hold() -> None:
    warm: MachineStatus = WELL | {"temperature_c": 77.0}
    assert codes(warm) == []
    assert codes(warm, frozenset({"computer-hot"})) == ["computer-hot"]


def test_a_worn_disk_says_what_it_knows() -> None:
    (of_life,) = machine_findings({"machine": WELL | {"life_used_pct": 100.0}}, ())
    (of_reserve,) = machine_findings({"machine": UNKNOWN | {"reserve": "urgent"}}, ())
    assert of_life.text == "The gateway's disk has used 100 % of its life"
    assert of_reserve.text == "The gateway's disk has little spare room left"
