"""Notices: what raises them, what clears them, and what must not."""

from __future__ import annotations

import json
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox.outbox import Outbox
from gateway.status import notice_rules as rules
from gateway.status.notice_rules import RULES, Judge
from gateway.status.notices import MOST, TOO_MANY, Finding, Notices, Rule, durable
from gateway.wire.payload import decode_records, encode_records

START_US = 1_790_000_000_000_000
SLOW = Rule("slow", "low", 5.0, 3.0, "m", "a")
QUICK = Rule("quick", "medium", 0.0, 0.0, "m", "a")

WELL: Any = {
    "devices": [
        {"id": "dot-1", "slot": "bay-a", "state": "streaming", "samples": 6000, "lost": 10, "age_s": 0.1,
         "battery": 80.0, "error": "", "advice": ""}
    ],
    "clock": {"synchronised": True, "believed_at_start": True, "steps": 0, "step_s": 0.0, "slept_s": 0.0},
    "pipeline": {"dropped": {}},
    "outbox": {"bytes": 0, "max_bytes": 1000, "oldest_s": 0.5, "error": ""},
    "publisher": {"connected": True, "last_error": ""},
    "recorder": {"error": ""},
    "disk": {"free_bytes": 10 << 30, "keep_free": 1 << 30},
    "parts": {"pipeline": {"failures": 0, "given_up": False, "error": ""}},
}  # fmt: skip


class Run:
    """Notices over statuses, a second apart."""

    def __init__(self) -> None:
        self.notices = Notices("ward-7")
        self.judge = Judge()
        self.status = deepcopy(WELL)
        self.now = 0.0

    @property
    def device(self) -> dict[str, Any]:
        device: dict[str, Any] = self.status["devices"][0]
        return device

    def seconds(self, count: int = 1) -> list[tuple[str, str]]:
        """Let time pass; return what was raised and cleared: (state, id)."""
        changes = []
        for _ in range(count):
            self.now += 1
            findings = self.judge.find(self.now, self.status, self.notices.ids)
            changes += self.notices.update(self.now, START_US + round(self.now * 1e6), findings)
        return [(notice["state"], notice["id"]) for notice in changes]


@pytest.fixture
def run() -> Run:
    return Run()


def test_all_is_well(run: Run) -> None:
    assert run.seconds(400) == []


WRONG: list[tuple[str, tuple[str, ...], Any]] = [
    ("device-silent/dot-1", ("devices", "age_s"), 5.1),
    ("link-lost/dot-1", ("devices", "state"), "searching"),
    ("battery-low/dot-1", ("devices", "battery"), 19.0),
    ("battery-very-low/dot-1", ("devices", "battery"), 9.0),
    ("clock-not-synchronised", ("clock", "synchronised"), False),
    ("outbox-filling", ("outbox", "bytes"), 801),
    ("outbox-failing", ("outbox", "error"), "database or disk is full"),
    ("broker-unreachable", ("publisher", "connected"), False),
    ("store-behind", ("outbox", "oldest_s"), 181.0),
    ("disk-nearly-full", ("disk", "free_bytes"), 1 << 30),
    ("recording-stopped", ("recorder", "error"), "recording stopped: the disk is nearly full"),
]


def test_a_device_that_may_be_silent_raises_nothing_before(run: Run) -> None:
    """An exoskeleton sends nothing between two trials."""
    run.device["silence_s"] = 3600.0
    run.device["age_s"] = 3599.0
    assert run.seconds(20) == []
    run.device["age_s"] = 3601.0
    assert run.seconds(2) == [("raised", "device-silent/dot-1")]
    run.device["silence_s"] = 1.0
    run.device["age_s"] = 4.9
    assert ("cleared", "device-silent/dot-1") in run.seconds(10)


@pytest.mark.parametrize(("name", "path", "value"), WRONG, ids=[name for name, _, _ in WRONG])
def test_what_is_wrong_is_raised_after_its_onset_and_cleared_after_its_recovery(
    run: Run, name: str, path: tuple[str, str], value: Any
) -> None:
    rule = next(rule for rule in RULES if rule.code == name.partition("/")[0])
    run.seconds(10)
    part = run.status[path[0]][0] if path[0] == "devices" else run.status[path[0]]
    good, part[path[1]] = part[path[1]], value
    assert run.seconds(max(0, int(rule.onset_s))) == []
    assert run.seconds() == [("raised", name)]
    assert run.seconds(60) == []
    (active,) = run.notices.active(START_US)
    assert (active["id"], active["priority"]) == (name, rule.priority)
    assert active["text"]
    assert active["advice"]
    part[path[1]] = good
    changes = run.seconds(int(rule.recovery_s) + 1)
    assert changes == [("cleared", name)]
    assert run.notices.active(START_US) == []
    assert run.notices.counts == {rule.code: 1}


def test_a_blip_is_no_notice(run: Run) -> None:
    for _ in range(10):
        run.status["publisher"]["connected"] = False
        assert run.seconds(5) == []
        run.status["publisher"]["connected"] = True
        assert run.seconds(2) == []


def test_a_flapping_link_is_one_notice_until_it_holds(run: Run) -> None:
    run.device["state"] = "searching"
    assert run.seconds(6) == [("raised", "link-lost/dot-1")]
    for _ in range(10):
        run.device["state"] = "streaming"
        assert run.seconds() == []
        run.device["state"] = "waiting"
        assert run.seconds() == []
    run.device["state"] = "streaming"
    assert run.seconds(3) == [("cleared", "link-lost/dot-1")]


def test_a_battery_is_reported_twice_on_its_way_down_and_not_for_trembling(run: Run) -> None:
    changes = []
    for value in (21, 20, 19, 20, 19, 21, 19, 11, 10, 9, 10, 9, 11, 9):
        run.device["battery"] = float(value)
        changes += run.seconds(10)
    assert changes == [
        ("raised", "battery-low/dot-1"), ("raised", "battery-very-low/dot-1"), ("cleared", "battery-low/dot-1"),
    ]  # fmt: skip
    run.device["battery"] = 100.0
    assert run.seconds(10) == [("cleared", "battery-very-low/dot-1")]


def test_loss_is_a_share_of_a_minute(run: Run) -> None:
    changes = []
    for second in range(200):
        bad = 60 <= second < 120
        run.device["samples"] += 54 if bad else 60
        run.device["lost"] += 6 if bad else 0
        changes += run.seconds()
    assert changes == [("raised", "sample-loss/dot-1"), ("cleared", "sample-loss/dot-1")]


def test_a_few_lost_beats_are_no_loss_rate(run: Run) -> None:
    for _ in range(100):
        run.device["samples"] += 1
        run.device["lost"] += 1
        assert run.seconds() == []


def test_a_step_of_the_clock_is_shown_for_a_while(run: Run) -> None:
    run.seconds()
    run.status["clock"] |= {"steps": 1, "step_s": -3600.0}
    assert run.seconds() == [("raised", "clock-step")]
    assert "back by 60 min" in run.notices.active(START_US)[0]["text"]
    assert run.seconds(int(rules.SHOWN_S) + 1) == [("cleared", "clock-step")]


def test_a_restarted_part_and_one_that_stays_away(run: Run) -> None:
    run.status["parts"]["pipeline"]["failures"] = 1
    assert run.seconds() == [("raised", "part-restarted/pipeline")]
    run.status["parts"]["device:dot-1"] = {"failures": 6, "given_up": True, "error": "KeyError"}
    assert run.seconds() == [("raised", "part-restarted/dot-1")]


def test_certificates_are_reported_before_they_end(run: Run) -> None:
    run.status["certificates"] = [{"name": "gateway.pem", "days_left": 31.0}]
    assert run.seconds() == []
    run.status["certificates"] = [{"name": "gateway.pem", "days_left": 29.0}]
    assert run.seconds() == [("raised", "certificate-ends/gateway.pem")]


def test_the_urgent_and_the_new_come_first() -> None:
    notices = Notices("ward-7", simulated=True)
    notices.update(0.0, 1, [Finding(QUICK, "first", about="1")])
    notices.update(1.0, 2, [Finding(QUICK, "first", about="1"), Finding(QUICK, "second", about="2")])
    found = [Finding(SLOW, "third"), Finding(QUICK, "first", about="1"), Finding(QUICK, "second", about="2")]
    notices.update(2.0, 3, found)
    notices.update(7.0, 8, found)
    assert [notice["text"] for notice in notices.active(9)] == ["second", "first", "third"]
    payload = notices.active(9)[2]
    assert json.loads(json.dumps(payload)) == {
        "v": 1, "gateway": "ward-7", "id": "slow", "code": "slow", "priority": "low", "state": "raised",
        "text": "third", "advice": "a", "device": "", "slot": "", "since_us": 3, "time_us": 9, "count": 1,
        "simulated": True,
    }  # fmt: skip


def test_a_flood_is_bounded_and_counted() -> None:
    notices = Notices("ward-7")
    notices.update(0.0, 0, (Finding(QUICK, "x", about=str(i)) for i in range(MOST + 5)))
    assert len(notices.active(0)) == MOST
    assert notices.counts[TOO_MANY] == 5


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 4)), max_size=80))
def test_raised_and_cleared_alternate_and_neither_comes_early(turns: list[tuple[bool, float]]) -> None:
    notices, now, raised = Notices("g"), 0.0, False
    begun: float | None = None  # of what is or may become a notice
    seen = 0.0
    for wrong, seconds in turns:
        now += seconds
        if wrong:
            begun, seen = now if begun is None else begun, now
        for notice in notices.update(now, 0, [Finding(SLOW, "x")] if wrong else []):
            raised = not raised
            assert notice["state"] == ("raised" if raised else "cleared")
            assert begun is not None
            assert now - (begun if raised else seen) >= (SLOW.onset_s if raised else SLOW.recovery_s)
        if not wrong and not raised:
            begun = None


def test_no_rule_is_called_an_alarm_and_codes_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.priority in ("low", "medium")
        assert "alarm" not in f"{rule.code} {rule.meaning} {rule.advice}".lower()


def test_devices_of_one_name_and_exchanged_ones_are_reported_instead_of_a_weak_radio(run: Run) -> None:
    run.device.update(state="waiting", samples=0, problem="ambiguous", error="2 devices answer", advice="Give it.")
    assert run.seconds(200) == [("raised", "device-ambiguous/dot-1")]
    run.device.update(state="failed", problem="other-device", error="it tells serial 2")
    assert run.seconds(4) == [("raised", "device-other/dot-1"), ("cleared", "device-ambiguous/dot-1")]
    run.device.update(state="streaming", problem="", error="")
    assert run.seconds(4) == [("cleared", "device-other/dot-1")]


def test_a_device_that_nothing_proves_is_reported_while_it_is_connected(run: Run) -> None:
    run.device.update(doubt="its address was A, it is B, and it tells no serial number")
    assert run.seconds(1) == [("raised", "device-unproven/dot-1")]
    run.device.update(state="searching")
    assert ("cleared", "device-unproven/dot-1") in run.seconds(4)


def test_data_that_comes_twice_is_reported_once_it_is_no_mishap(run: Run) -> None:
    run.device.update(repeated=2)
    assert run.seconds(5) == []
    run.device.update(repeated=3)
    assert run.seconds(5) == [("raised", "data-repeated/dot-1")]
    assert run.seconds(400) == [("cleared", "data-repeated/dot-1")]


def test_units_that_are_doubted_are_reported(run: Run) -> None:
    run.device.update(units=["acceleration looks like g, not m/s2"])
    assert run.seconds(7) == [("raised", "units-doubted/dot-1")]
    run.device.update(units=[])
    assert run.seconds(12) == [("cleared", "units-doubted/dot-1")]


def test_what_happened_to_the_data_is_reported_as_long_as_it_stands_in_the_status(run: Run) -> None:
    lost = {"what": "history-lost", "text": "60 numbers of this gateway were stored and are in the history no more"}
    run.status["incidents"] = [lost, {"what": "outbox-removed", "text": "x" * 1000}]
    assert run.seconds() == [("raised", "data-in-doubt/history-lost"), ("raised", "data-in-doubt/outbox-removed")]
    texts = {notice["id"]: notice["text"] for notice in run.notices.active(START_US)}
    assert texts["data-in-doubt/history-lost"] == lost["text"]
    assert len(texts["data-in-doubt/outbox-removed"]) == 400
    run.status["incidents"] = [lost]
    assert run.seconds() == [("cleared", "data-in-doubt/outbox-removed")]


def test_a_certificate_that_is_not_what_it_was_is_reported(run: Run) -> None:
    run.status["certificate_changes"] = [{"name": "of the gateway", "why": "was replaced by an older one"}]
    assert run.seconds() == [("raised", "certificate-changed/of the gateway")]
    run.status["certificate_changes"] = []
    assert run.seconds() == [("cleared", "certificate-changed/of the gateway")]


def test_what_was_measured_for_review_is_a_notice_each_and_no_alarm(run: Run) -> None:
    first = {"metric": "fall_event", "slot": "bay-a", "device": "dot-1", "at_us": 1, "text": "A fall may have happened"}
    run.status["reviews"] = [first]
    assert run.seconds(60) == [("raised", "for-review/dot-1/fall_event-1")]
    (active,) = run.notices.active(START_US)
    assert (active["slot"], active["priority"], active["text"]) == ("bay-a", "medium", "A fall may have happened")
    assert "alarm" not in active["text"].lower()
    run.status["reviews"] = [first, first | {"at_us": 2}]
    assert run.seconds(60) == [("raised", "for-review/dot-1/fall_event-2")]
    run.status["reviews"] = []
    assert {state for state, _ in run.seconds(1)} == {"cleared"}


def test_what_the_history_is_told_of_a_notice_it_understands(run: Run, tmp_path: Path) -> None:
    run.device["battery"] = 5.0
    run.status["publisher"] = {"connected": False, "last_error": "refused"}
    changes = []
    for _ in range(20):
        run.now += 1
        changes += run.notices.update(
            run.now, START_US + round(run.now * 1e6), run.judge.find(run.now, run.status, run.notices.ids)
        )
    answered: Any = {"acknowledged": {"who": "anna", "why": ""}, "paused": {"until_us": START_US}}
    changes = [changes[0], *(one | answered for one in changes[1:])]
    assert {"said"} < set(changes[0])
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        for notice in changes:
            outbox.record(durable(notice))
        assert outbox.flush()
        rows = outbox.read(0, 100)
        message = decode_records("ward-7", encode_records("ward-7", outbox.epoch, 0, rows))
    assert len(message.records) == len(changes) == 2
    assert message.rejected == []
