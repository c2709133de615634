"""Numbers run as the outbox gives them, and delays are counted from the last sample that an event needed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import Origin
from gateway.outbox.outbox import Outbox
from gateway.status.event_delays import OPEN, SHOWN, EventDelays
from tests.gateway.samples import measurement

SETTINGS = Settings(
    slot=[
        Slot(
            id="bay-1", subject="p-1",
            device=[
                Device(id="dot-1", driver="movella_dot", placement="left_foot", name="a"),
                Device(id="dot-2", driver="movella_dot", placement="right_foot", name="b"),
                Device(id="strap", driver="heart_rate", placement="chest", name="c"),
            ],
        )
    ]
)  # fmt: skip


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


@pytest.fixture
def event_delays(outbox: Outbox) -> EventDelays:
    return EventDelays(outbox, Pipeline(SETTINGS, Origin(0, 0), {"bay-1": "s"}).intakes, lambda ns: ns)


def test_devices_that_are_put_on_later_are_known(outbox: Outbox) -> None:
    intakes = list(Pipeline(SETTINGS, Origin(0, 0), {"bay-1": "s"}).intakes)
    late = intakes.pop(0)  # dot-1, which the sample is of
    event_delays = EventDelays(outbox, intakes, lambda ns: ns)
    event_delays.append([measurement(0, event=True)], [(len(intakes), Frame(ago(50), "x", b""))])
    assert event_delays.drain()["arrived_us"] == []
    intakes.append(late)
    event_delays.append([measurement(1, event=True)], [(len(intakes) - 1, Frame(ago(50), "x", b""))])
    assert len(event_delays.drain()["arrived_us"]) == 1


def ago(milliseconds: float) -> int:
    return time.monotonic_ns() - round(milliseconds * NS / 1000)


def test_numbers_are_those_of_the_outbox(outbox: Outbox, event_delays: EventDelays) -> None:
    outbox.append([measurement(0), measurement(1)])
    assert outbox.flush()
    arrived_ns = ago(50)
    frames = [(1, Frame(arrived_ns, "x", b"")), (2, Frame(ago(1), "x", b""))]
    event_delays.append([measurement(2), measurement(3, event=True), measurement(4)], frames)
    event_delays.append([measurement(5, event=True)], frames)
    assert outbox.flush()
    events = [row.seq for row in outbox.read(0, 100) if row.urgent]
    delays = event_delays.drain()
    assert delays["epoch"] == outbox.epoch
    assert [seq for seq, _ in delays["arrived_us"]] == events == [4, 6]
    assert delays["arrived_us"][0][1] == pytest.approx(
        time.time() * 1e6 - (time.monotonic_ns() - arrived_ns) / 1e3, abs=2e3
    )
    assert event_delays.drain()["arrived_us"] == []


def test_the_delay_counts_from_the_newest_sample_of_its_own_devices(event_delays: EventDelays, outbox: Outbox) -> None:
    frames = [(0, Frame(ago(300), "x", b"")), (1, Frame(ago(100), "x", b"")), (2, Frame(ago(1), "x", b""))]
    event_delays.append([measurement(0, event=True)], frames)
    event_delays.taken("another epoch", [(1, 1)])
    assert event_delays.summary_ms() == {"p50": None, "p95": None}
    event_delays.taken(outbox.epoch, [(1, 1)])
    first = event_delays.summary_ms()["p50"]
    assert first is not None
    assert 100 <= first < 250
    event_delays.taken(outbox.epoch, [(1, 1)])  # sent again
    assert event_delays.summary_ms()["p50"] == first


def test_an_event_that_time_brought_and_one_that_is_none_have_no_delay(
    event_delays: EventDelays, outbox: Outbox
) -> None:
    event_delays.append([measurement(0, event=True)], [(2, Frame(ago(1), "x", b""))])
    event_delays.append([measurement(1)], [(0, Frame(ago(1), "x", b""))])
    event_delays.append([measurement(2, event=True)], ())
    event_delays.taken(outbox.epoch, [(1, 3)])
    assert event_delays.drain()["arrived_us"] == []
    assert event_delays.summary_ms()["p50"] is None


def test_without_a_broker_nothing_grows(event_delays: EventDelays) -> None:
    frames = [(0, Frame(ago(1), "x", b""))]
    for _ in range(OPEN // 100 + 5):
        event_delays.append([measurement(i, event=True) for i in range(100)], frames)
    assert event_delays.waiting == OPEN
    assert len(event_delays.drain()["arrived_us"]) == SHOWN
