"""Patients who train and are measured: their devices are those that the written configuration names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.checks import check
from config.settings import Settings
from drivers.gatt.profile import Profile
from drivers.registry import driver_names, load_driver
from gateway.cli.options import known_drivers
from simulators.scenes.health import health


async def test_it_comes_with_a_configuration_that_the_gateway_accepts(tmp_path: Path) -> None:
    scene = health(beds=4, speed=2.0)
    site = Settings.model_validate(tomllib.loads(scene.configuration(tmp_path / "radio.sock")))
    assert list(check(site, known_drivers())) == []
    devices = [device for slot in site.slot for device in slot.device]
    assert [device.id for device in devices] == list(scene.devices)
    profiles = {name for name in driver_names() if issubclass(load_driver(name), Profile)}
    assert {device.driver for device in devices} == profiles


def test_too_many_beds_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="1 to 99 beds, not 100"):
        health(beds=100)
