"""The page of a device says the same things in the same order, and names the channels that its driver has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.registry import example_driver

PAGES = Path(__file__).parents[2] / "docs/devices"
HEADINGS = [
    "Measures", "Firmware", "Set-up", "Streams and units", "Timing", "Known faults", "Verified against",
]  # fmt: skip
OF_EXOSKELETONS = ("exo_frame", "openexo", "vesc")
OF_LABORATORIES = ("bno08x_rvc", "declared_ble", "declared_serial", "openbci_cyton")


@pytest.mark.parametrize("name", OF_EXOSKELETONS + OF_LABORATORIES)
def test_a_page_has_its_headings_and_its_driver_s_streams(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    assert f'driver = "{name}"' in page
    for stream in example_driver(name).decoder().streams:
        assert f"| `{stream}` |" in page, stream
