"""The page of a device says the same things in the same order, and names the channels that its driver has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.movella_dot.layout import MODES
from drivers.movesense.streams import SOURCES
from drivers.polar.streams import CHOICES
from drivers.registry import driver_names, example_driver, make_driver
from drivers.shimmer3.channels import ADC_NAMES
from drivers.shimmer3.decoder import ACCELEROMETERS
from drivers.shimmer3.settings import SENSOR_BITS

PAGES = Path(__file__).parents[2] / "docs/devices"
HEADINGS = [
    "Measures", "Firmware", "Set-up", "Streams and units", "Timing", "Known faults", "Verified against",
]  # fmt: skip


SHARED = {"exo_frame_ble": "exo_frame", "exo_frame_udp": "exo_frame"}
"""Drivers that read the same frames another way stand on the page of the first."""


@pytest.mark.parametrize("name", driver_names())
def test_a_page_has_its_headings_and_its_driver_s_streams(name: str) -> None:
    page = (PAGES / f"{SHARED.get(name, name)}.md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    assert f'driver = "{name}"' in page
    for stream in example_driver(name).decoder().streams:
        assert f"| `{stream}` |" in page, stream


def test_the_pages_name_what_can_be_chosen() -> None:
    for name, choices in (("movesense", SOURCES), ("polar", CHOICES)):
        page = (PAGES / f"{name}.md").read_text("utf-8")
        assert [each for each in choices if f"`{each}`" not in page] == []
        for stream in (
            make_driver(name, {"streams": [each for each in choices if each not in ("imu9", "ecg_mv")]})
            .decoder()
            .streams
        ):
            assert f"| `{stream}` |" in page, stream


@pytest.mark.parametrize("mode", MODES)
def test_the_page_of_the_dot_names_every_mode_and_its_streams(mode: str) -> None:
    page = (PAGES / "movella_dot.md").read_text("utf-8")
    assert f"`{mode}`" in page
    for stream in make_driver("movella_dot", {"mode": mode}).decoder().streams:
        assert f"| `{stream}` |" in page, stream


def test_the_page_of_the_shimmer_names_every_sensor_accelerometer_and_input() -> None:
    page = (PAGES / "shimmer3.md").read_text("utf-8")
    for word in (*SENSOR_BITS, *ACCELEROMETERS, *ADC_NAMES):
        assert f"`{word}`" in page, word
