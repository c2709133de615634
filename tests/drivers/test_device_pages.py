"""The page of a device says the same things in the same order, and names the channels that its driver has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.movesense.streams import SOURCES
from drivers.polar.streams import CHOICES
from drivers.registry import driver_names, example_driver, make_driver

PAGES = Path(__file__).parents[2] / "docs/devices"
HEADINGS = [
    "Measures", "Firmware", "Set-up", "Streams and units", "Timing", "Known faults", "Verified against",
]  # fmt: skip


@pytest.mark.parametrize("name", driver_names())
def test_a_page_has_its_headings_and_its_driver_s_streams(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
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
