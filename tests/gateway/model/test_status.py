"""The model of the status has exactly the keys that a gateway sends, and the bytes on the wire stay as they are."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import orjson
import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.clocks.wall_clock import WallClock
from gateway.dashboard.gateway_status import DEVICE_FIELDS, PARTS, SLOT_FIELDS
from gateway.delivery.state import PublisherState
from gateway.intake.intake import Intake
from gateway.model.latency import Latency
from gateway.model.status import (
    DeviceStatus,
    OutboxStatus,
    Percentiles,
    PublisherStatus,
    RecorderStatus,
    SlotStatus,
    Status,
    WallClockStatus,
    require_path,
    unknown_keys,
)
from gateway.outbox.outbox import OutboxState
from gateway.recordings.recorder import RecorderState
from gateway.status.listener import device_status, gateway_status, slot_status
from tests.drivers.exo_frames import LEFT_ANKLE, device, limb

STRAP = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02")
BED = Slot(id="bed-1", subject="p-1", device=[STRAP])

GOLDEN = (
    '{"v":1,"gateway":"gateway-1","state":"online","simulated":true,"time_us":5,"slots":[],"devices":['
    '{"id":"strap","slot":"bed-1","placement":"chest","driver":"heart_rate","transport":"ble","state":"stopped",'
    '"samples":0,"rate_hz":1.5,"lost":0,"resets":0,"faults":{},"repeated":0,"units":["g"],"age_s":null,'
    '"silence_s":4.0,"battery":null,'
    '"error":"","advice":"","problem":"","doubt":"","told":null,"link":null,"clock":null,"mounting":null,"streams":{"heart_rate":'
    '{"channels":["heart_rate","contact","energy"],"units":["/min","1","kJ"],"rate_hz":null},"rr":{"channels":["rr"],'
    '"units":["s"],"rate_hz":null},"battery":{"channels":["level","charging"],"units":["%","1"],"rate_hz":null}}}],'
    '"disk":{"free_bytes":1,"keep_free":2}}'
)
"""What a gateway sent before its status had a model."""


def keys(model: type) -> list[str]:
    return list(get_type_hints(model))


def names(state: type) -> list[str]:
    return [field.name for field in fields(state)]


def test_the_bytes_on_the_wire_are_those_of_before() -> None:
    shown = device_status(Intake(STRAP, "bed-1"), None, 5.0, 1.5, units="g")
    disk = {"free_bytes": 1, "keep_free": 2}
    settings = Settings(simulated=True, slot=[BED])
    made = gateway_status(settings, time_us=5, ward=(), devices=[shown], disk={"free_bytes": 1, "keep_free": 2})
    assert orjson.dumps(made).decode() == GOLDEN
    assert made["disk"] == disk
    assert unknown_keys(Status, made) == set()


def test_each_section_has_the_keys_of_what_it_is_made_from() -> None:
    shown = device_status(Intake(STRAP, "bed-1"), None, 5.0, 1.5)
    assert list(shown) == keys(DeviceStatus)
    assert list(slot_status(BED, "bed-1-a")) == keys(SlotStatus)
    assert keys(OutboxStatus) == [*names(OutboxState), "max_bytes", "classes"]
    assert keys(PublisherStatus) == names(PublisherState)
    assert keys(RecorderStatus) == names(RecorderState)
    assert keys(WallClockStatus) == list(WallClock().status())
    assert keys(Percentiles) == list(Latency().summary_ms())


def test_the_dashboard_reads_no_key_that_nobody_sends() -> None:
    assert set(DEVICE_FIELDS) <= set(keys(DeviceStatus))
    assert set(SLOT_FIELDS) <= set(keys(SlotStatus))
    assert set(PARTS) <= set(keys(Status))


@pytest.mark.parametrize(
    ("found", "unknown"),
    [
        ({"v": 1, "colour": 2}, {"colour"}),
        ({"devices": [{"id": "a"}, {"id": "b", "colour": 2}]}, {"devices.colour"}),
        ({"devices": [{"clock": None}, {"clock": {"drift": 1}, "faults": {"anything": 1}}]}, {"devices.clock.drift"}),
        ({"outbox": {"classes": {"metrics": {"depth": 1, "width": 2}}}}, {"outbox.classes.width"}),
        ({"parts": {"historian": {"failures": 1}}, "pipeline": {"latency_ms": {"p50": 1, "p99": 2}}},
         {"pipeline.latency_ms.p99"}),
    ],
)  # fmt: skip
def test_a_key_that_the_model_does_not_know_is_found(found: dict[str, Any], unknown: set[str]) -> None:
    assert unknown_keys(Status, found) == unknown


def test_a_path_that_leads_nowhere_is_refused() -> None:
    assert require_path(Status, "outbox", "max_bytes") == ("outbox", "max_bytes")
    assert require_path(DeviceStatus, "clock", "drift_ppm") == ("clock", "drift_ppm")
    for path in (("outbox", "most_bytes"), ("outboxes",), ("clock", "drift_ppm")):
        with pytest.raises(KeyError):
            require_path(Status, *path)


def test_a_device_whose_decoder_doubts_that_it_is_one_device_is_told_of() -> None:
    intake = Intake(Device(id="exo-1", driver="exo_frame", placement="exoskeleton", port=Path("/dev/ttyACM0")), "gym-1")
    nameless = replace(LEFT_ANKLE, serial=0)
    intake.decoder.decode([Frame(0, "data", device(nameless) + limb(500) + limb(501))])
    assert device_status(intake, None, 5.0, 1.5)["doubt"] == ""
    intake.decoder.decode([Frame(10_000_000, "data", limb(0))])
    assert "exchanged" in device_status(intake, None, 5.0, 1.5)["doubt"]
    intake.connected()
    assert device_status(intake, None, 5.0, 1.5)["doubt"] == "", "until it is connected anew"
