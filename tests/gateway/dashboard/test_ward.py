"""The newest of everything: what is kept, what is refused, how old it is said to be."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest

from gateway.dashboard.views import activity, age_s, slot_view, strides, ward_view
from gateway.dashboard.ward import SLOTS, STALE_S, STRIDES, Ward
from gateway.model import wall_correction
from gateway.model.wall_correction import Correction
from gateway.wire.status_pages import MOST_BYTES
from tests.gateway.dashboard.simulated_gateway import MICRO, Walker

NOW = 1_790_000_000.0


class Clock:
    """A clock that stands until told."""

    def __init__(self) -> None:
        self.now_s = NOW

    def __call__(self) -> int:
        return round(self.now_s * MICRO)


@pytest.fixture
def clock() -> Clock:
    """Return a standing clock."""
    return Clock()


@pytest.fixture
def ward(clock: Clock) -> Ward:
    """Return an empty ward on that clock."""
    return Ward("gateway-1", clock_us=clock, tick_us=clock)


@pytest.fixture
def walker() -> Walker:
    """Return one person."""
    return Walker(1)


def measurements(slot: str, items: list[dict[str, Any]]) -> bytes:
    """Return a payload."""
    return orjson.dumps({"v": 1, "gateway": "gateway-1", "epoch": "0" * 16, "slot": slot, "measurements": items})


def status(people: list[Walker], now_s: float, **fields: Any) -> bytes:
    """Return the payload of a gateway that is online."""
    devices = [device for person in people for device in person.devices()]
    slots = [person.status() for person in people]
    body = {"v": 1, "gateway": "gateway-1", "state": "online", "simulated": True, "time_us": round(now_s * MICRO)}
    return orjson.dumps({**body, "slots": slots, "devices": devices, **fields})


def send(ward: Ward, walker: Walker, items: list[dict[str, Any]]) -> None:
    """Let measurements of a person arrive."""
    ward.on_message("measurements", walker.slot, measurements(walker.slot, items))


def test_a_stride_has_the_parts_that_belong_to_it(ward: Ward, walker: Walker) -> None:
    for i in range(3):
        send(ward, walker, walker.stride("left", NOW - 3 + i))
    rows = strides(ward.slot("bay-1"), "left")
    assert [row["end_us"] for row in rows] == [round((NOW - 3 + i) * MICRO) for i in range(3)]
    for row in rows:
        assert row["stance"] + row["swing"] == pytest.approx(row["stride"])
        assert row["step"] == pytest.approx(row["stride"] / 2)
    assert strides(ward.slot("bay-1"), "right") == []


def test_late_and_repeated_strides_come_into_their_place_and_the_newest_stay(ward: Ward, walker: Walker) -> None:
    newest = [walker.stride("left", NOW - STRIDES + i) for i in range(STRIDES)]
    for stride in newest:
        send(ward, walker, stride)
    before = strides(ward.slot("bay-1"), "left")
    send(ward, walker, newest[5])  # the outbox was not sure that it had arrived
    send(ward, walker, walker.stride("left", NOW - 500))  # an hour-old backlog
    assert strides(ward.slot("bay-1"), "left") == before


def test_the_newest_value_wins_and_an_older_one_does_not(ward: Ward, walker: Walker) -> None:
    for value, end in ((100.0, NOW - 2), (104.0, NOW - 1), (99.0, NOW - 3)):
        send(ward, walker, [walker.measurement("cadence", value, "both", end - 10, end)])
    best = ward.slot("bay-1").best("cadence", "both")
    assert best is not None
    assert best.value == 104.0


def test_values_of_the_old_time_do_not_outlive_a_clock_that_was_set_back(ward: Ward, walker: Walker) -> None:
    send(ward, walker, [walker.measurement("cadence", 100.0, "both", NOW - 11, NOW - 1)])
    for by_us, value in ((0, 100.0), (-3_600 * MICRO, 104.0)):
        correction = wall_correction.measurements(Correction(by_us, True), [("s-1", "p-1")], at_us=0, simulated=True)
        slot = wall_correction.SLOT
        ward.on_message("measurements", slot, measurements(slot, [{"seq": 9, **m.as_dict()} for m in correction]))
        if by_us:
            send(ward, walker, [walker.measurement("cadence", value, "both", NOW - 3_620, NOW - 3_610)])
        best = ward.slot("bay-1").best("cadence", "both")
        assert best is not None
        assert best.value == value
    assert ward.slot_ids() == ["bay-1"]
    assert not ward.dropped


def test_feet_are_shown_before_the_lower_back_and_quality_before_both(ward: Ward, walker: Walker) -> None:
    feet = walker.measurement("cadence", 104.0, "both", NOW - 10, NOW - 1)
    back = feet | {"value": 101.0, "algorithm": "rhythm/1", "placement": ["lower_back"], "end_us": round(NOW * MICRO)}
    send(ward, walker, [feet, back])
    slot = ward.slot("bay-1")
    assert (best := slot.best("cadence", "both"))
    assert best.value == 104.0
    send(ward, walker, [feet | {"quality": "degraded", "reason": "few steps", "end_us": round(NOW * MICRO)}])
    assert (best := slot.best("cadence", "both"))
    assert best.value == 101.0


def test_a_source_that_fell_silent_gives_way(ward: Ward, walker: Walker, clock: Clock) -> None:
    feet = walker.measurement("cadence", 104.0, "both", NOW - 20, NOW - 10)
    clock.now_s += 1
    back = feet | {"value": 101.0, "algorithm": "rhythm/1", "placement": ["lower_back"], "end_us": round(NOW * MICRO)}
    send(ward, walker, [feet, back])
    assert (best := ward.slot("bay-1").best("cadence", "both"))
    assert best.value == 101.0


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff\x00", "measurements: not JSON"),
        (b"[]", "measurements: not an object"),
        (b"{}", "measurements: unknown version"),
        (measurements("bay-2", []), "measurements: slot differs from the topic"),
        (measurements("bay-1", [Walker(1).measurement("cadence", 1.0, "up", 0, 1)]), "measurements: bad side"),
        (measurements("bay-1", [Walker(1).measurement("charm", 1.0, "both", 0, 1)]), "measurements: unknown metric"),
        (
            measurements("bay-1", [Walker(1).measurement("cadence", 1.0, "both", NOW, NOW + 3600)]),
            "measurements: from the future",
        ),
    ],
)
def test_what_is_wrong_is_counted_and_not_shown(ward: Ward, payload: bytes, reason: str) -> None:
    ward.on_message("measurements", "bay-1", payload)
    assert ward.dropped == {reason: 1}
    assert ward.slot("bay-1").values == {}


@pytest.mark.parametrize("payload", [b"{", b"3", b'{"state":"asleep"}', b'{"state":[]}', b'{"v":1}'])
def test_a_wrong_status_is_counted_and_the_last_good_one_stays(ward: Ward, walker: Walker, payload: bytes) -> None:
    ward.on_message("status", "", status([walker], NOW))
    ward.on_message("status", "", payload)
    assert ward.slot_ids() == ["bay-1"]
    assert sum(ward.dropped.values()) == 1


def test_a_wrong_publisher_cannot_fill_the_memory(ward: Ward) -> None:
    for i in range(SLOTS + 10):
        item = Walker(1).measurement("cadence", 100.0, "both", NOW - 1, NOW) | {"slot": f"s-{i}"}
        ward.on_message("measurements", f"s-{i}", measurements(f"s-{i}", [item]))
    assert len(ward.slot_ids()) == SLOTS
    assert ward.dropped == {"measurements: too many slots": 10}


def test_a_gateway_that_stops_talking_is_silent_and_its_will_makes_it_offline(
    ward: Ward, walker: Walker, clock: Clock
) -> None:
    assert ward.gateway_state() == "unknown"
    ward.on_message("status", "", status([walker], NOW))
    assert ward.gateway_state() == "online"
    clock.now_s += 6
    assert ward.gateway_state() == "silent"
    ward.on_message("status", "", orjson.dumps({"v": 1, "gateway": "gateway-1", "state": "offline"}))
    assert ward.gateway_state() == "offline"
    assert ward.slot_ids() == ["bay-1"]  # the beds stay on the page


def test_pages_of_a_status_without_end_are_not_all_kept(ward: Ward) -> None:
    """One gateway would have the dashboard of all run out of memory: a list of numbers takes many times its bytes."""
    page = orjson.dumps({"v": 1, "gateway": "gateway-1", "time_us": 7, "n": [0] * 100_000})
    tracemalloc.start()
    try:
        for number in range(1, 201):
            ward.on_message("status", str(number), page)
        assert tracemalloc.get_traced_memory()[0] < 25 * MOST_BYTES
    finally:
        tracemalloc.stop()


def test_a_retained_status_is_as_old_as_it_says(ward: Ward, walker: Walker) -> None:
    ward.on_message("status", "", status([walker], NOW - 60), retained=True)
    assert ward.gateway_state() == "silent"
    assert ward.gateway_age_s() == pytest.approx(60)
    assert age_s(ward, "bay-1", ward.now_us()) == pytest.approx(60.1)  # its devices' samples are as old as that


def test_ages_are_counted_by_the_gateways_clock(walker: Walker, clock: Clock) -> None:
    ward = Ward("gateway-1", speed=4.0, clock_us=clock, tick_us=clock)
    ward.on_message("status", "", status([walker], NOW + 1000))
    send(ward, walker, walker.means(NOW + 998))
    clock.now_s += 0.5
    assert ward.now_us() == round((NOW + 1002) * MICRO)
    assert age_s(ward, "bay-1", ward.now_us()) == pytest.approx(0.6)  # the devices sent 0.1 s before the status
    assert ward.slot("bay-1").newest_us == round((NOW + 998) * MICRO)


def test_activity_is_walking_only_while_steps_are_new(ward: Ward, walker: Walker) -> None:
    def now_is(now_s: float) -> str:
        return activity(ward.slot("bay-1"), ward.devices("bay-1"), round(now_s * MICRO))

    assert now_is(NOW) == ""
    ward.on_message("status", "", status([walker], NOW))
    assert now_is(NOW) == "not walking"
    send(ward, walker, walker.means(NOW))
    assert now_is(NOW + 1) == "walking"
    assert now_is(NOW + 6) == "not walking"


def test_a_sensor_on_a_table_is_nobody_lying_in_bed(ward: Ward, walker: Walker) -> None:
    quarter_s = 900.0
    back = [device for device in walker.devices() if device["placement"] == "lower_back"]
    of_back = {"devices": [back[0]["id"]], "placement": ["lower_back"]}
    ward.on_message("status", "", status([walker], NOW, devices=back))

    def told(metric: str, value: float, from_s: float, to_s: float) -> str:
        send(ward, walker, [walker.measurement(metric, value, "none", from_s, to_s) | of_back])
        return activity(ward.slot("bay-1"), ward.devices("bay-1"), round(to_s * MICRO))

    at_s = NOW - 8 * quarter_s
    assert told("wear_time", 0.25, at_s - quarter_s, at_s) == "not walking"
    assert told("posture", 0, at_s, at_s) == "lying"
    assert told("wear_time", 0.0, at_s, at_s + quarter_s) == "unworn"
    assert told("posture", 1, at_s + 2 * quarter_s, at_s + 2 * quarter_s) == "sitting"  # somebody has put it on
    assert told("wear_time", 0.25, at_s + 2 * quarter_s, at_s + 3 * quarter_s) == "sitting"
    assert told("wear_time", 0.0, at_s + 3 * quarter_s, at_s + 4 * quarter_s) == "unworn"


def test_a_heart_strap_alone_does_not_show_whether_somebody_walks(ward: Ward, walker: Walker) -> None:
    chest = [device for device in walker.devices() if device["placement"] == "chest"]
    ward.on_message("status", "", status([walker], NOW, devices=chest))
    assert activity(ward.slot("bay-1"), ward.devices("bay-1"), round(NOW * MICRO)) == ""


def test_views_are_ready_for_json_even_when_the_status_is_full_of_surprises(ward: Ward, walker: Walker) -> None:
    odd = [{"id": "x"}, {"id": 3}, "text", None, {"id": "y", "slot": "bay-1", "age_s": "old", "streams": [1]}]
    ward.on_message("status", "", status([walker], NOW, devices=odd, slots=[{"id": "bay-1"}, 7]))
    send(ward, walker, walker.stride("right", NOW))
    for view in (ward_view(ward, ward.now_us()), slot_view(ward, "bay-1", ward.now_us()), slot_view(ward, "?", 0)):
        assert orjson.dumps(view)
    assert slot_view(ward, "bay-1", ward.now_us())["slot"]["label"] == "bay-1"


def test_curves_are_shown_for_the_present_session_only(ward: Ward, walker: Walker) -> None:
    ward.on_message("status", "", status([walker], NOW))
    assert slot_view(ward, "bay-1", ward.now_us())["slot"]["cycles"] == []
    revision = ward.slot("bay-1").revision
    ward.on_message("cycles", "bay-1", orjson.dumps(walker.curves(NOW)))
    shown = slot_view(ward, "bay-1", ward.now_us())["slot"]["cycles"]
    assert [(curve["joint"], curve["side"], len(curve["mean"])) for curve in shown] == [
        (joint, side, 101) for joint in ("hip", "knee", "ankle") for side in ("left", "right")
    ]
    assert ward.slot("bay-1").revision > revision
    ward.on_message(
        "cycles", "bay-1", orjson.dumps(walker.curves(NOW) | {"session": "of-somebody-before"}), retained=True
    )
    assert slot_view(ward, "bay-1", ward.now_us())["slot"]["cycles"] == []


def test_wrong_curves_are_counted_and_the_last_good_ones_stay(ward: Ward, walker: Walker) -> None:
    ward.on_message("cycles", "bay-1", orjson.dumps(walker.curves(NOW)))
    ward.on_message("cycles", "bay-1", b"{")
    ward.on_message("cycles", "bay-1", orjson.dumps(walker.curves(NOW) | {"v": 9}))
    assert ward.dropped == {"cycles: not JSON": 1, "cycles: unknown version": 1}
    assert len(ward.slot("bay-1").cycles["curves"]) == 6
    for i in range(SLOTS + 5):
        ward.on_message("cycles", f"s-{i}", orjson.dumps(walker.curves(NOW) | {"slot": f"s-{i}"}))
    assert ward.dropped["cycles: too many slots"] == 6


def test_a_test_is_shown_when_its_session_is_over_and_goes_with_the_patient(
    ward: Ward, walker: Walker, clock: Clock
) -> None:
    """Its result comes with the session's end or later: what is of an earlier session is left out, but that is not."""
    tested = walker.measurement("hr_peak", 131.0, "none", NOW - 300, NOW)
    walker.session = "the-stay-again"
    ward.on_message("status", "", status([walker], NOW + 1))
    clock.now_s = NOW + 61
    send(ward, walker, walker.stride("left", NOW + 59))
    send(ward, walker, [tested, walker.measurement("cadence", 90.0, "both", NOW - 9, NOW) | {"session": "before"}])

    def shown() -> list[tuple[str, float]]:
        return [(m["metric"], m["value"]) for m in slot_view(ward, "bay-1", ward.now_us())["slot"]["tests"]]

    assert shown() == [("hr_peak", 131.0)]
    assert ward.slot("bay-1").best("cadence", "both") is None
    assert ward.slot("bay-1").wearer == walker_of(walker)
    send(ward, walker, [tested | {"value": 90.0, "end_us": tested["end_us"] - MICRO}])
    assert shown() == [("hr_peak", 131.0)], "an older one does not take its place"
    send(ward, walker, [tested | {"value": 99.0, "subject": "somebody-before"}])
    assert shown() == [("hr_peak", 131.0)], "nor one of somebody else"
    walker.session, walker.subject = "another", "p-9"
    ward.on_message("status", "", status([walker], NOW + 62))
    assert shown() == []


def walker_of(walker: Walker) -> tuple[str, str, bool]:
    return walker.subject, walker.session, True


@pytest.mark.parametrize("jump_s", [-400 * 86_400.0, -3600.0, 3600.0, 400 * 86_400.0])
def test_a_gateway_that_falls_silent_is_seen_whatever_our_own_clock_does(walker: Walker, jump_s: float) -> None:
    """A clock that is set back would have it there, and its last numbers be of now, until it is the same again."""
    wall, ticks = Clock(), Clock()
    ward = Ward("gateway-1", clock_us=wall, tick_us=ticks)
    ward.on_message("status", "", status([walker], NOW))
    wall.now_s += jump_s
    assert (ward.gateway_state(), ward.gateway_age_s()) == ("online", 0.0)
    assert ward.now_us() == round(NOW * MICRO)
    ticks.now_s += STALE_S + 1
    wall.now_s += STALE_S + 1
    assert (ward.gateway_state(), ward.gateway_age_s()) == ("silent", STALE_S + 1)
    assert ward.now_us() == round((NOW + STALE_S + 1) * MICRO)
    ward.on_message("status", "", status([walker], NOW + STALE_S + 1))
    assert ward.gateway_state() == "online"


def test_a_retained_word_from_the_future_is_not_that_of_now_for_ever(walker: Walker) -> None:
    wall, ticks = Clock(), Clock()
    ward = Ward("gateway-1", clock_us=wall, tick_us=ticks)
    ward.on_message("status", "", status([walker], NOW + 400 * 86_400), retained=True)
    ticks.now_s += STALE_S + 1
    wall.now_s += STALE_S + 1
    assert ward.gateway_state() == "silent"


def test_numbers_go_on_when_the_gateways_clock_was_set_back_and_nobody_heard_its_correction(
    ward: Ward, walker: Walker, clock: Clock
) -> None:
    for second in range(3):
        send(ward, walker, walker.stride("left", NOW + second))
        clock.now_s += 1
        ward.on_message("status", "", status([walker], clock.now_s))
    back_s = NOW - 400 * 86_400
    ward.on_message("status", "", status([walker], back_s))
    send(ward, walker, walker.stride("left", back_s))
    assert [row["end_us"] for row in strides(ward.slot("bay-1"), "left")] == [round(back_s * MICRO)]
    ward.on_message("status", "", status([walker], back_s - 10))  # late, and no clock that was set
    assert strides(ward.slot("bay-1"), "left")


def test_a_word_of_a_simulated_ward_that_comes_two_seconds_late_is_of_no_clock_that_was_set_back(
    walker: Walker, clock: Clock
) -> None:
    """Two seconds of ours are two minutes of a clock that runs sixty times as fast."""
    fast = Ward("gateway-1", speed=60.0, clock_us=clock, tick_us=clock)
    fast.on_message("status", "", status([walker], NOW))
    send(fast, walker, walker.stride("left", NOW))
    clock.now_s += 3
    fast.on_message("status", "", status([walker], NOW + 60))
    assert strides(fast.slot("bay-1"), "left")
