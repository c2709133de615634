"""What becomes of a status that is too large, of another version or of odd parts, and of texts that do things."""

from __future__ import annotations

import time
import unicodedata
from typing import Any

import orjson
import pytest

from gateway.dashboard.active_notices import MOST
from gateway.dashboard.feed import Message, newest
from gateway.dashboard.gateway_status import DEVICES, SLOTS
from gateway.dashboard.outside_text import LONGEST, clean
from gateway.dashboard.views import devices_view, header, slot_view, ward_view
from gateway.dashboard.ward import LARGEST, Ward
from tests.gateway.dashboard.simulated_gateway import Walker, device, notice
from tests.gateway.dashboard.test_ward import NOW, Clock, measurements, send, status

BEDS = 12_000
AT_ONCE_S = 3.0
"""What a page may take in the worst case, on a slow and busy machine; it was 53 s."""
EVIL = "\x1b[2J\r\nBed\u202e1\u2066\u200b\x00\x9b<img src=x onerror=alert(1)>"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ward(clock: Clock) -> Ward:
    return Ward("gateway-1", clock_us=clock, tick_us=clock)


def everything(ward: Ward) -> dict[str, Any]:
    """Return what all pages together are sent, as it is read there."""
    now_us = ward.now_us()
    views = [ward_view(ward, now_us), slot_view(ward, "bay-1", now_us), devices_view(ward)]
    state: dict[str, Any] = header(ward, now_us, connected=True)
    for view in views:
        state |= view
    return orjson.loads(orjson.dumps(state))  # type: ignore[no-any-return]


def texts(value: Any) -> list[str]:
    """Return every text in a state, keys included."""
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_twelve_thousand_beds_cost_a_moment_and_what_is_left_out_is_reported(ward: Ward) -> None:
    beds = [
        {"id": f"bed-{i}", "label": f"Bed {i}", "subject": f"p-{i}", "session": f"s-{i}", "protocol": "free_walk"}
        for i in range(BEDS)
    ]
    devices = [device(f"bed-{i}", "chest") for i in range(BEDS)]
    notices = [notice(f"link-lost/{i}", "away", since_us=i) for i in range(MOST + 5)]
    payload = status([], NOW, slots=beds, devices=devices, notices={"active": notices})
    began = time.perf_counter()
    ward.on_message("status", "", payload, retained=True)
    state = everything(ward)
    assert time.perf_counter() - began < AT_ONCE_S
    assert [len(state["slots"]), state["more_slots"]] == [SLOTS, BEDS - SLOTS]
    assert [len(state["devices"]), state["more_devices"]] == [DEVICES, BEDS - DEVICES]
    assert len(state["notices"]) == MOST
    assert state["doubts"] == [
        "The gateway tells of 11,744 more beds, 9,952 more devices, 5 more notices than fit here: they are not shown."
    ]


@pytest.mark.parametrize("kind", ["status", "measurements", "cycles", "notices"])
def test_a_message_that_is_too_large_is_not_even_parsed(ward: Ward, kind: str) -> None:
    began = time.perf_counter()
    ward.on_message(kind, "bay-1", b'{"v":1,"x":[' + b"{}," * (LARGEST[kind] // 3) + b"{}]}")
    assert time.perf_counter() - began < AT_ONCE_S / 10
    assert ward.dropped == {f"{kind}: too large": 1}
    assert "(too large)" in header(ward, 0, connected=True)["doubts"][0]


def test_beds_that_nobody_knows_do_not_keep_out_those_of_the_gateway(ward: Ward) -> None:
    for i in range(SLOTS):
        item = Walker(1).measurement("cadence", 100.0, "both", NOW - 1, NOW) | {"slot": f"s-{i}"}
        ward.on_message("measurements", f"s-{i}", measurements(f"s-{i}", [item]))
    ward.on_message("status", "", status([Walker(1)], NOW))
    send(ward, Walker(1), Walker(1).means(NOW))
    assert slot_view(ward, "bay-1", ward.now_us())["slot"]["values"]
    assert len(ward.slot_ids()) == SLOTS


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"v": 2}, "unknown version"),
        ({"v": "1"}, "unknown version"),
        ({"v": None}, "unknown version"),
        ({"state": "asleep"}, "no state"),
    ],
)
def test_a_status_of_another_version_is_reported_and_old_ages_go_on(
    ward: Ward, clock: Clock, changed: dict[str, Any], why: str
) -> None:
    ward.on_message("status", "", status([Walker(1)], NOW))
    for _ in range(20):
        clock.now_s += 1
        ward.on_message("status", "", status([Walker(1)], clock.now_s, **changed))
    state = everything(ward)
    assert state["doubts"] == [
        f"The gateway's status is not understood here ({why}): what it says of beds and devices is old."
    ]
    assert state["gateway_state"] == "silent"
    assert state["slots"][0]["age_s"] == pytest.approx(20.1)
    assert {device["state"] for device in state["devices"]} == {"unknown"}  # what they did then is not what they do now
    ward.on_message("status", "", status([Walker(1)], clock.now_s))
    assert everything(ward)["doubts"] == []


def test_a_status_without_beds_does_not_make_its_devices_young_again(ward: Ward, clock: Clock) -> None:
    ward.on_message("status", "", status([Walker(1)], NOW))
    clock.now_s += 30
    ward.on_message("status", "", orjson.dumps({"v": 1, "gateway": "gateway-1", "state": "online"}))
    state = everything(ward)
    assert state["doubts"]
    assert state["slots"][0]["age_s"] == pytest.approx(30.1)


ODD: list[Any] = [None, 7, -1.5, True, "text", [], [1, None], {}, {"a": {"b": {"c": {"d": {"e": 1}}}}}, [[[[[[1]]]]]]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_a_field_is_the_pages_get_what_they_expect_or_nothing(ward: Ward, odd: Any) -> None:
    walker = Walker(1)
    whole = orjson.loads(status([walker], NOW))
    for key in [*whole, "pipeline", "outbox", "notices", "events", "publisher"]:
        if key not in {"v", "state"}:
            ward.on_message("status", "", orjson.dumps({**whole, key: odd}))
            everything(ward)
    for part in ("slots", "devices"):
        for key in whole[part][0]:
            changed = [{**whole[part][0], key: odd}, *whole[part][1:]]
            ward.on_message("status", "", orjson.dumps({**whole, part: changed}))
            for one in everything(ward)["slots"]:
                assert all(isinstance(one[name], str) for name in ("id", "label", "subject", "session", "protocol"))
            for one in everything(ward)["devices"]:
                assert isinstance(one["id"], str)
                assert isinstance(one["age_s"] if one.get("age_s") is not None else 0.0, float | int)
                for stream in one["streams"].values():
                    assert all(isinstance(channel, str) for channel in stream["channels"])
    assert not ward.dropped


@pytest.mark.parametrize("missing", ["slots", "devices", "simulated"])
def test_a_missing_part_is_reported(ward: Ward, missing: str) -> None:
    whole = orjson.loads(status([Walker(1)], NOW))
    del whole[missing]
    ward.on_message("status", "", orjson.dumps(whole))
    assert everything(ward)["doubts"]


@pytest.mark.parametrize("missing", ["subject", "session"])
def test_a_bed_without_word_of_who_is_there_is_reported(ward: Ward, missing: str) -> None:
    slot = Walker(1).status()
    del slot[missing]
    ward.on_message("status", "", status([Walker(1)], NOW, slots=[slot]))
    assert everything(ward)["doubts"] == ["Part of the gateway's status is not understood here and left out: slots."]


def test_measurements_without_any_status_are_live_and_simulated_and_what_is_missing_is_reported(
    ward: Ward, clock: Clock
) -> None:
    send(ward, Walker(1), Walker(1).means(NOW))
    state = everything(ward)
    assert state["gateway_state"] == "no status"
    assert state["simulated"] is True
    assert state["slots"][0]["subject"] == Walker(1).subject
    clock.now_s += 6
    assert everything(ward)["gateway_state"] == "unknown"


def test_numbers_that_go_on_are_not_called_silence_when_the_status_stops(ward: Ward, clock: Clock) -> None:
    ward.on_message("status", "", status([Walker(1)], NOW))
    clock.now_s += 10
    send(ward, Walker(1), Walker(1).means(NOW + 10))
    assert everything(ward)["gateway_state"] == "no status"


def test_no_text_from_outside_brings_what_is_not_seen_or_turns_what_is(ward: Ward) -> None:
    walker = Walker(1)
    slot = walker.status() | {"label": EVIL, "subject": EVIL, "session": EVIL, "protocol": EVIL}
    devices = [{**d, "placement": EVIL, "error": EVIL, "advice": EVIL, "faults": {EVIL: 1}} for d in walker.devices()]
    devices.append(device("bay-1", "chest", id=EVIL[:60], streams={EVIL: {"channels": [EVIL], "units": [EVIL]}}))
    shown = notice(f"x/{EVIL}", EVIL, advice=EVIL, device=EVIL, slot="bay-1")
    ward.on_message(
        "status", "", status([walker], NOW, gateway=EVIL, slots=[slot], devices=devices, pipeline={EVIL: EVIL})
    )
    ward.on_message("notices", "", orjson.dumps(shown))
    item = walker.measurement("cadence", 100.0, "both", NOW, NOW + 1)
    send(ward, walker, [item | {"reason": EVIL, "algorithm": EVIL, "subject": EVIL, "session": EVIL}])
    curves = walker.curves(NOW) | {
        "subject": clean(EVIL),
        "session": clean(EVIL),
    }  # of who is there, as the status says
    curves["curves"][0]["reason"] = EVIL
    ward.on_message("cycles", "bay-1", orjson.dumps(curves))
    state = everything(ward)
    assert any(curve["reason"] for curve in state["slot"]["cycles"])
    found = texts(state)
    assert any("<img" in text for text in found)  # as text: no page makes HTML of it
    bad = [text for text in found for sign in text if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert bad == []


def test_long_texts_are_cut_and_marked_and_ordinary_ones_stay() -> None:
    assert clean("x" * (LONGEST + 1)) == "x" * LONGEST + "…"
    for text in ("Bett 3, Süd", "ベッド", "سرير ٣", "±°²", "a\u00a0b"):
        assert clean(text) == text


def test_of_retained_topics_only_the_newest_message_is_taken() -> None:
    topics = ["status", "measurements/a", "cycles/a", "status", "cycles/b", "measurements/a", "cycles/a", "status"]
    messages = [Message(f"rehab/v1/s/g/{topic}", b"%d" % i, retained=False) for i, topic in enumerate(topics)]
    assert [int(message.payload) for message in newest(messages)] == [1, 4, 5, 6, 7]
