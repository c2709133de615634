"""The trial of Bluetooth drivers itself: right without BlueZ, and clear about what is missing."""

from __future__ import annotations

import os
import sys

import pytest

from tests.radio.__main__ import CANNOT_RUN, main, try_drivers
from tests.radio.virtual_adapter import VHCI


async def test_a_driver_is_tried_without_bluez_and_one_without_simulator_is_missed() -> None:
    right, missed = await try_drivers(["heart_rate", "no_such_driver"], over_bluez=False)
    assert not right.fault
    assert list(right.times) == ["stream", "back from a lost link", "back from an absence"]
    assert right.samples["heart_rate"] >= 9
    assert str(missed).startswith("FAIL no_such_driver")


@pytest.mark.skipif(os.path.exists(VHCI), reason="this machine has a virtual adapter")  # noqa: PTH110
def test_without_an_adapter_it_says_so_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["radio"])
    assert main() == CANNOT_RUN
    assert capsys.readouterr().out.startswith("cannot run here: no Bluetooth adapter")
