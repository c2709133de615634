from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from gateway.wire.status_pages import MOST_BYTES, MOST_PAGES, StatusPages, cut

Json = dict[str, Any]


def device(number: int) -> Json:
    return {
        "id": f"dot-{number}",
        "slot": f"bay-{number // 2}",
        "state": "streaming",
        "error": "x" * 300,
        "clock": None,
    }


def status(devices: int, time_us: int = 7) -> Json:
    return {
        "v": 1, "gateway": "g", "state": "online", "simulated": True, "time_us": time_us,
        "slots": [{"id": f"bay-{n}", "devices": [f"dot-{2 * n}", f"dot-{2 * n + 1}"]} for n in range(devices // 2)],
        "devices": [device(n) for n in range(devices)],
        "pipeline": {"latency_ms": {"p50": 3, "p95": None}, "dropped": {}},
        "parts": {f"device:dot-{n}": {"failures": n, "error": "e" * 100} for n in range(devices)},
        "certificates": [],
        "notices": {"active": [{"id": f"n-{n}", "text": "t" * 200} for n in range(devices)], "raised": {"x": 3}},
    }  # fmt: skip


def size(message: Json) -> int:
    return len(orjson.dumps(message))


def joined(head: Json, pages: list[Json], rng: random.Random) -> Json | None:
    """Put pages together in any order, each of them twice."""
    messages = [("", head), *((str(page["page"]), page) for page in pages)] * 2
    rng.shuffle(messages)
    reader, whole = StatusPages(), None
    for page, message in messages:
        whole = reader.add(page, orjson.loads(orjson.dumps(message)), 0) or whole
    return whole


@pytest.mark.parametrize(
    ("devices", "budget"),
    [(0, 600), (1, 600), (30, 600), (2, 1_000), (30, 1_000), (30, 3_900), (500, 3_900), (2, 130_000), (500, 130_000)],
)
def test_what_was_cut_is_whole_again(devices: int, budget: int) -> None:
    made = status(devices)
    head, pages = cut(made, budget)
    assert all(size(message) <= budget for message in (head, *pages))
    whole = joined(head, pages, random.Random(devices))
    assert whole is not None
    assert {key: whole[key] for key in made} == made
    assert head.get("left_out", []) == []


def test_what_fits_is_as_ever() -> None:
    made = status(3)
    assert cut(made, size(made)) == (made, [])
    assert StatusPages().add("", made, 0) is made


def test_what_fits_nowhere_is_named_and_the_rest_is_reported() -> None:
    made = status(4) | {"long": "x" * 5_000}
    made["devices"][2]["error"] = "y" * 5_000
    head, pages = cut(made, 1_000)
    assert head["left_out"] == ["devices", "long"]
    whole = joined(head, pages, random.Random(1))
    assert whole
    assert [of["id"] for of in whole["devices"]] == ["dot-0", "dot-1", "dot-3"]
    assert whole["notices"] == made["notices"]


def test_a_reader_never_has_to_hold_more_than_a_bound() -> None:
    head, pages = cut(status(3_000), 600)
    assert len(pages) == MOST_PAGES
    assert "notices.active" in head["left_out"]
    assert all(size(message) <= 600 for message in (head, *pages))


def test_pages_that_are_too_large_together_are_left_and_one_may_come_again() -> None:
    reader = StatusPages()
    reader.add("", {"time_us": 7, "pages": 2}, 0)
    for _ in range(3):
        assert reader.add("1", {"time_us": 7}, MOST_BYTES // 2) is None
    assert reader.add("2", {"time_us": 7}, MOST_BYTES) is None
    assert reader.add("2", {"time_us": 7}, MOST_BYTES // 2) is not None


def test_pages_of_different_times_are_not_mixed() -> None:
    (old, old_pages), (new, new_pages) = cut(status(20, 1), 2_000), cut(status(20, 2), 2_000)
    reader = StatusPages()
    for page in old_pages:
        assert reader.add(str(page["page"]), page, 0) is None
    assert reader.add("", new, 0) is None  # retained pages of a second before
    for page in new_pages[:-1]:
        assert reader.add(str(page["page"]), page, 0) is None
    whole = reader.add(str(new_pages[-1]["page"]), new_pages[-1], 0)
    assert whole
    assert (whole["time_us"], len(whole["devices"])) == (2, 20)
    assert reader.add("", old, 0) is None


def test_offline_needs_no_pages_and_ends_what_was() -> None:
    head, pages = cut(status(20), 2_000)
    reader = StatusPages()
    for message in (head, *pages):
        reader.add(str(message.get("page", "")), message, 0)
    offline = {"v": 1, "gateway": "g", "state": "offline"}
    assert reader.add("", offline, 0) == offline


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", str(MOST_PAGES + 1), "²", "00001" * 50, "9" * 5_000])
def test_a_page_without_a_number_is_nothing(page: str) -> None:
    reader = StatusPages()
    reader.add("", {"time_us": 7, "pages": 1}, 0)
    assert reader.add(page, {"time_us": 7, "devices": []}, 0) is None


@pytest.mark.parametrize("pages", [None, "1", 1.0, [], -3, MOST_PAGES + 1, True])
def test_a_head_with_a_wrong_count_is_never_whole(pages: object) -> None:
    reader = StatusPages()
    reader.add("1", {"time_us": 7, "devices": []}, 0)
    assert reader.add("", {"time_us": 7, "pages": pages}, 0) is None
