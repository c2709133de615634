"""The names of commands, which rooms below the ward need, are those that the ward knows."""

from __future__ import annotations

from gateway.broker.access_list import access_list
from gateway.ward.changes import CHANGES
from gateway.wire.commands import COMMANDS, WARD


def test_they_are_the_changes_of_the_ward() -> None:
    assert list(WARD) == list(CHANGES)


def test_a_dashboard_may_ask_for_each_and_a_gateway_for_none() -> None:
    blocks = access_list("demo", ["gateway-1"], ["historian"], ["dashboard"]).split("\n\n")
    (dashboard,) = (block for block in blocks if "user dashboard" in block)
    (gateway,) = (block for block in blocks if "user gateway-1" in block)
    assert [c for c in COMMANDS if f"topic write rehab/v1/demo/+/command/{c}\n" not in f"{dashboard}\n"] == []
    assert "write rehab/v1/demo/gateway-1/command" not in gateway
    assert "topic write rehab/v1/demo/gateway-1/ward" in gateway
