"""The trial of Bluetooth drivers itself: right without BlueZ, and clear about what is missing."""

from __future__ import annotations

import os
import sys

import pytest

from drivers.driver import Driver
from drivers.registry import make_driver
from tests.radio import trial
from tests.radio.__main__ import main, try_drivers
from tests.radio.machine import CANNOT_RUN
from tests.radio.virtual_adapter import VHCI


async def test_a_driver_is_tried_without_bluez_and_one_without_simulator_is_missed() -> None:
    right, missed = await try_drivers(["heart_rate", "no_such_driver"], over_bluez=False)
    assert not right.fault
    assert list(right.times) == ["stream", "back from a lost link", "back from an absence"]
    assert right.samples["heart_rate"] >= 9
    assert str(missed).startswith("FAIL no_such_driver")


async def test_a_driver_that_wants_options_has_those_of_its_device() -> None:
    (declared,) = await try_drivers(["declared_ble"], over_bluez=False)
    assert not declared.fault
    assert declared.samples["imu"] >= 9


async def test_a_trial_that_fails_at_one_driver_goes_on_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:

    def fails(name: str, *options: object) -> Driver:
        if name == "thermometer":
            raise ValueError("no such thing")
        return make_driver(name, *options)  # type: ignore[arg-type]

    monkeypatch.setattr(trial, "make_driver", fails)
    wrong, right = await try_drivers(["thermometer", "heart_rate"], over_bluez=False)
    assert wrong.fault == "ValueError: no such thing"
    assert not right.fault


@pytest.mark.skipif(os.path.exists(VHCI), reason="this machine has a virtual adapter")  # noqa: PTH110
def test_without_an_adapter_it_says_so_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["radio"])
    assert main() == CANNOT_RUN
    assert capsys.readouterr().out.startswith("cannot run here: no Bluetooth adapter")
