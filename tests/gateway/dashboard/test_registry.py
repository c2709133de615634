"""What the dashboard makes of the registry: whole or not at all, and nothing is left of who has gone."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from gateway.dashboard.bed_views import bed_view, beds_view, dock_view
from gateway.dashboard.views import slot_view, ward_view
from gateway.dashboard.ward import Ward
from tests.gateway.dashboard.simulated_gateway import MICRO, Walker

Json = dict[str, Any]

WHO = Walker(1)  # in bay-1


def registry(number: int, *, subjects: list[Json], devices: list[Json] | None = None) -> Json:
    beds = [{"id": "bay-1", "label": "Bay 1"}, {"id": "bay-2", "label": "Bay 2"}]
    return {
        "v": 1, "gateway": "gateway-1", "number": number, "beds": beds, "subjects": subjects,
        "devices": devices or [], "sessions": [],
    }  # fmt: skip


def subject(name: str, bed: str) -> Json:
    return {"id": name, "bed": bed, "since_us": 1, "height_m": None}


def device(name: str, bed: str | None) -> Json:
    placement = "chest" if bed else None
    return {"id": name, "driver": "heart_rate", "bed": bed, "since_us": 1, "placement": placement}


def publish(ward: Ward, **parts: Any) -> None:
    ward.on_message("ward", "", orjson.dumps(registry(**parts)))


def measure(ward: Ward, end_s: float) -> None:
    row = WHO.measurement("heart_rate", 88.0, "none", end_s - 1, end_s)
    body = {"v": 1, "gateway": "gateway-1", "epoch": "0" * 16, "slot": WHO.slot, "measurements": [row]}
    ward.on_message("measurements", WHO.slot, orjson.dumps(body))


def test_nothing_of_who_was_discharged_stays_on_any_page_and_nothing_late_comes_back() -> None:
    ward, now = Ward("gateway-1"), time.time()
    publish(ward, number=1, subjects=[subject(WHO.subject, "bay-1")])
    measure(ward, now)
    assert slot_view(ward, "bay-1", round(now * MICRO))["slot"]["values"]
    publish(ward, number=2, subjects=[])
    measure(ward, now - 0.5)
    shown = slot_view(ward, "bay-1", round(now * MICRO))["slot"]
    assert (shown["known"], shown["subject"], shown["values"], shown["age_s"]) == (True, "", [], None)
    tiles = ward_view(ward, round(now * MICRO))["slots"]
    assert [(tile["label"], tile["known"], tile["subject"]) for tile in tiles] == [
        ("Bay 1", True, ""), ("Bay 2", True, ""),
    ]  # fmt: skip
    assert WHO.subject.encode() not in orjson.dumps([tiles, beds_view(ward), bed_view(ward, "bay-1")])


def test_a_bed_s_card_tells_of_the_others_no_more_than_whether_they_are_taken() -> None:
    ward = Ward("gateway-1")
    devices = [device("strap-1", "bay-1"), device("strap-2", "bay-2"), device("strap-3", None)]
    publish(ward, number=7, subjects=[subject("p-1", "bay-1"), subject("p-2", "bay-2")], devices=devices)
    shown = bed_view(ward, "bay-1")
    assert shown["others"] == [{"id": "bay-2", "label": "Bay 2", "taken": True}]
    assert [one["id"] for one in shown["bed"]["worn"]] == ["strap-1"]
    assert shown["bed"]["worn"][0]["state"] == "unknown"  # no status has told of it
    assert [(one["id"], one["label"]) for one in shown["devices"]] == [
        ("strap-1", "Bay 1"), ("strap-2", "Bay 2"), ("strap-3", None),
    ]  # fmt: skip
    assert b'"p-2"' not in orjson.dumps(shown)
    assert bed_view(ward, "bay-9")["bed"] is None
    assert beds_view(ward)["free"] == [{"id": "strap-3", "driver": "heart_rate"}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": 2}, {"number": "7"}, {"number": True}, {"beds": None}, {"beds": [{"id": ""}]},
        {"subjects": [{"id": "x"}]},
        {"subjects": [subject("p-1", "bay-1"), subject("p-2", "bay-1")]},
        {"devices": [device("a", "bay-1"), device("a", "bay-2")]}, {"devices": [device("a" * 65, None)]},
        {"beds": [{"id": f"bay-{n}", "label": ""} for n in range(257)]}, {"sessions": [{"id": "s", "state": "ended"}]},
        {"ended": 7}, {"ended": [7]}, {"ended": [{"id": "s"}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_registry_that_is_not_right_is_left_out_whole_and_reported(wrong: Json) -> None:
    ward = Ward("gateway-1")
    publish(ward, number=7, subjects=[subject("p-1", "bay-1")])
    ward.on_message("ward", "", orjson.dumps(registry(8, subjects=[]) | wrong))
    assert (ward.registry.number, ward.registry.subjects["bay-1"]["id"]) == (7, "p-1")
    assert "ward" in ward.fresh_doubts()
    publish(ward, number=9, subjects=[])
    assert "ward" not in ward.fresh_doubts()


def test_texts_of_the_registry_are_fit_for_a_page() -> None:
    ward = Ward("gateway-1")
    wrong = registry(7, subjects=[])
    wrong["beds"][0]["label"] = "Bay\u202e1\n" + "x" * 1000
    ward.on_message("ward", "", orjson.dumps(wrong))
    label = beds_view(ward)["beds"][0]["label"]
    assert label.startswith("Bay\ufffd1\ufffdx")
    assert len(label) < 500


def test_a_card_tells_of_earlier_sessions_of_who_is_there_alone() -> None:
    ward = Ward("gateway-1")
    ended = [
        {"id": f"s-{n}", "subject": f"p-{n}", "protocol": "tug", "started_us": n, "ended_us": n + 1} for n in (1, 2)
    ]
    people = [subject("p-1", "bay-1"), subject("p-2", "bay-2")]
    ward.on_message("ward", "", orjson.dumps(registry(7, subjects=people) | {"ended": ended}))
    assert [one["id"] for one in bed_view(ward, "bay-1")["bed"]["ended"]] == ["s-1"]
    ward.on_message("ward", "", orjson.dumps(registry(8, subjects=people[1:]) | {"ended": ended}))
    assert bed_view(ward, "bay-1")["bed"]["ended"] == []


def test_the_dock_tells_of_each_sensor_on_whom_it_is_and_how_full_it_was_when_it_last_told() -> None:
    ward, now = Ward("gateway-1"), time.time()
    worn, free = device("bay-1-chest", "bay-1"), device("strap-9", None)
    publish(ward, number=1, subjects=[subject(WHO.subject, "bay-1")], devices=[worn, free])
    status: Json = {
        "v": 1, "gateway": "gateway-1", "state": "online", "simulated": True, "time_us": round(now * MICRO),
        "slots": [WHO.status()], "devices": WHO.devices(),
    }  # fmt: skip
    ward.on_message("status", "", orjson.dumps(status))
    on, off = dock_view(ward)["sensors"]
    assert (on["subject"], on["label"], on["state"], on["battery"]) == (WHO.subject, "Bay 1", "streaming", 82.0)
    assert (off["subject"], off["bed"], off["state"], off["battery"], off["battery_age_s"]) == (
        None, None, "unknown", None, None,
    )  # fmt: skip
    publish(ward, number=2, subjects=[], devices=[device("bay-1-chest", None), free])
    ward.on_message("status", "", orjson.dumps({**status, "devices": []}))
    on, _ = dock_view(ward)["sensors"]
    assert (on["subject"], on["bed"], on["state"], on["battery"]) == (None, None, "unknown", 82.0)
    assert on["battery_age_s"] >= 0.0
