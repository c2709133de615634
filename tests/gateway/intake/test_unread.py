"""A device whose driver is gone: it says why, and everybody else's are read."""

from __future__ import annotations

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import Origin
from gateway.intake.unread import NoDriver, open_driver

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
STRAP = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:01")
GONE = Device(id="gone", driver="uninstalled", placement="wrist", address="00:00:00:00:00:02")
WRONG = Device(
    id="wrong", driver="movella_dot", placement="left_foot", address="00:00:00:00:00:03", options={"mode": "fast"}
)


@pytest.mark.parametrize(("device", "reason"), [(GONE, "no driver 'uninstalled': known are"), (WRONG, "mode")])
def test_its_neighbour_is_read_and_it_says_why_it_is_not(device: Device, reason: str) -> None:
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[device, STRAP])])
    pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
    arrival = ORIGIN.monotonic_ns + 1_000_000
    frames = [(number, Frame(arrival, "measurement", bytes((0x06, 72)))) for number in (0, 1)]
    assert [(m.metric, m.devices) for m in pipeline.step(frames)] == [("heart_rate", ("strap",))]
    assert reason in pipeline.intakes[0].unread
    assert not pipeline.intakes[1].unread


def test_nothing_is_written_to_it() -> None:
    driver, why = open_driver(GONE)
    assert isinstance(driver, NoDriver)
    assert why
    assert not driver.allows("", b"")
