"""When a ring may follow, and when everything stops."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.fleet.health import Health, health_of
from gateway.fleet.plan import Ring, rings_of
from gateway.fleet.roll_out import Outcome, Step, Word, next_step

WELL, ILL = Health(True, "is well"), Health(False, "is offline")
RING = Ring("ward", ("a", "b"))


def word(outcome: Outcome = "committed", health: Health = WELL, version: str = "2", why: str = "") -> Word:
    return Word(outcome, why, health, version)


def step(a: Word, b: Word, **more: Any) -> Step:
    times: dict[str, Any] = {
        "well_for_s": 0.0,
        "soak_s": 60.0,
        "open_for_s": 10.0,
        "within_s": 600.0,
        "version": "2",
    } | more
    return next_step(RING, {"a": a, "b": b}, **times)


@pytest.mark.parametrize(
    ("b", "more", "what", "why"),
    [
        (word("waiting"), {}, "wait", "b has not answered"),
        (word("fetching"), {}, "wait", "b is fetching"),
        (word("committed", ILL), {"well_for_s": 99.0}, "wait", "b is offline"),
        (word("committed", WELL, "1"), {"well_for_s": 99.0}, "wait", "b says that it runs 1"),
        (word(), {}, "wait", "all well for 0 of 60 s"),
        (word(), {"well_for_s": 60.0}, "next", "all have it"),
        (word("failed", WELL, "1", "no receipt"), {"well_for_s": 99.0}, "stop", "b: no receipt"),
        (word("waiting"), {"open_for_s": 601.0}, "stop", "after 600 s b has not answered"),
        (word("committed", ILL), {"open_for_s": 601.0}, "stop", "b is offline"),
        (word("committed", WELL, ""), {"version": "", "well_for_s": 60.0}, "next", "all have it"),
    ],
)
def test_a_ring(b: Word, more: dict[str, Any], what: str, why: str) -> None:
    found = step(word(), b, **more)
    assert found.what == what
    assert why in found.why


def test_rings_are_by_name_and_all_is_whoever_is_left() -> None:
    ring_of = {"a": "first", "b": "ward", "c": "rest", "d": "ward"}
    assert rings_of(["first", "ward", "all"], ring_of) == (
        Ring("first", ("a",)), Ring("ward", ("b", "d")), Ring("all", ("c",)),
    )  # fmt: skip
    for names, why in (
        ([], "no ring is named"),
        (["first", "first"], "twice"),
        (["all", "first"], "last"),
        (["moon"], "no gateway is in"),
    ):
        with pytest.raises(ValueError, match=why):
            rings_of(names, ring_of)


DEEP = orjson.loads(b"[" * 1000 + b"]" * 1000)
"""What a sender may say and Python cannot write."""
SPEAKS: dict[str, Any] = {"state": "online", "publisher": {"connected": True}, "notices": {"active": []}}


@pytest.mark.parametrize(
    ("status", "age_s", "sentence"),
    [
        ({}, None, "has not been heard yet"),
        ({"state": "offline"}, 1.0, "is offline"),
        ({"state": "online"}, 16.0, "has not been heard for 16 s"),
        (SPEAKS, 1.0, "is well"),
        (SPEAKS | {"parts": {"x": {"given_up": True}}}, 1.0, "has given up a part of itself: x"),
        (
            SPEAKS | {"parts": {f"\x1b[2J{n}": {"given_up": True} for n in range(3000)}},
            1.0,
            "has given up a part of itself: \\x1b[2J0, \\x1b[2J1, \\x1b[2J10, \\x1b[2J100, \\x1b[2J1000 and 2995 more",
        ),
        (SPEAKS | {"notices": {"active": [{"code": DEEP}, {"code": ["x"]}]}}, 1.0, "is well"),
        (SPEAKS | {"publisher": {"connected": False}}, 1.0, "does not reach its broker"),
        ({}, 1.0, "does not say how it is"),
        ({"state": "online", "parts": 7, "notices": [], "publisher": None}, 1.0, "does not say how it is"),
        (SPEAKS | {"notices": {"active": [{"code": "battery-low"}]}}, 1.0, "is well"),
        (SPEAKS | {"notices": {"active": [{"code": "store-behind"}]}}, 1.0, "says of itself: store-behind"),
    ],
)
def test_how_a_gateway_is(status: dict[str, Any], age_s: float | None, sentence: str) -> None:
    assert health_of(status, age_s).sentence == sentence
