"""Answers to notices: who may be believed to have seen what, for how long what is quiet, and what a restart forgets."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.status import NoticeStatus
from gateway.status.kept_notices import NAME, KeptReview, erase
from gateway.status.notice_desk import LONGEST_PAUSE_MIN, MINUTE_US, MOST_PAUSES, RESUME_S, NoticeDesk, is_quiet
from gateway.status.notices import Finding, Notices, Rule
from gateway.ward.refusals import RefusedError
from tests.gateway.ward.test_changes import NHS_NUMBER

BEDS = ("bay-1", "bay-2")
LOST, LOW = "link-lost", "battery-low"
T_US = 1_790_000_000_000_000


class Desk:
    """A desk with clocks of its own, and what stands."""

    def __init__(self, folder: Path) -> None:
        self.now_us, self.now_s = T_US, 1000.0
        self.folder = folder
        self.active: list[NoticeStatus] = []
        self.beds = dict.fromkeys(BEDS, "")
        self.open()

    def open(self) -> None:
        """Begin, perhaps again."""
        self.desk = NoticeDesk(
            self.folder, beds=lambda: self.beds, codes=(LOST, LOW), now_us=lambda: self.now_us, clock=lambda: self.now_s
        )

    def look(self, *active: NoticeStatus) -> list[NoticeStatus]:
        """Have these stand; return them as a status tells them."""
        self.active = list(active)
        self.desk.stand(self.active, (), self.now_us)
        return self.desk.annotate(self.active, self.now_us)

    def again(self) -> list[NoticeStatus]:
        """Return what stands, as a status tells it now."""
        return self.look(*self.active)

    def do(self, name: str, by: str = "anna (clinician)", **fields: Any) -> dict[str, Any]:
        """Give an answer."""
        return self.desk.command(f"notice-{name}", fields, by)

    def pass_minutes(self, minutes: float) -> None:
        """Let time pass."""
        self.now_us += round(minutes * MINUTE_US)
        self.now_s += minutes * 60.0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def notice(code: str, bed: str, since_us: int = 1) -> NoticeStatus:
    return {"id": f"{code}/{bed}", "code": code, "slot": bed, "since_us": since_us, "priority": "medium"}


def test_a_pause_is_of_who_is_in_the_bed_and_not_of_who_comes_next(desk: Desk) -> None:
    desk.beds["bay-1"] = "p-1"
    desk.look(notice(LOW, "bay-1"))
    desk.do("pause", bed="bay-1", minutes=240)
    assert is_quiet(desk.again()[0])
    desk.open()
    assert is_quiet(desk.again()[0])
    desk.beds["bay-1"] = "p-2"
    assert not is_quiet(desk.again()[0])
    assert desk.desk.pauses(desk.now_us) == []
    desk.do("pause", bed="bay-1", minutes=15, code=LOW)
    assert is_quiet(desk.again()[0])
    desk.beds["bay-1"] = "p-1"
    assert not is_quiet(desk.again()[0]), "who comes back is asked again"


@pytest.mark.parametrize(("there", "was"), [("p-2", "p-1"), ("", "p-1"), ("p-2", "")])
def test_a_pause_of_whoever_has_left_is_none_of_who_is_in_the_bed_by_now(desk: Desk, there: str, was: str) -> None:
    desk.beds["bay-1"] = there
    desk.look(notice(LOW, "bay-1"))
    with pytest.raises(RefusedError, match="see what holds now"):
        desk.do("pause", bed="bay-1", minutes=30, was=was)
    assert not is_quiet(desk.again()[0])
    desk.do("pause", bed="bay-1", minutes=30, was=there)
    assert is_quiet(desk.again()[0])


@pytest.mark.parametrize("restarts", [False, True])
def test_a_pause_that_was_made_under_a_clock_that_was_ahead_ends_when_it_is_set_right(
    desk: Desk, restarts: bool
) -> None:
    desk.look(notice(LOW, "bay-1"))
    desk.now_us += 400 * 1440 * MINUTE_US
    desk.do("pause", bed="bay-1", minutes=30)
    desk.now_us -= MINUTE_US // 2  # as a time service does
    assert is_quiet(desk.again()[0])
    desk.now_us = T_US
    if restarts:
        desk.open()
    assert not is_quiet(desk.again()[0])
    assert desk.desk.pauses(desk.now_us) == []


def test_what_was_paused_for_somebody_is_erased_with_them(desk: Desk) -> None:
    desk.beds["bay-1"] = "p-1"
    desk.do("pause", bed="bay-1", minutes=60, why="in the pool")
    desk.do("pause", bed="bay-2", minutes=60)
    erase(desk.folder, "p-1")
    desk.open()
    assert [one["bed"] for one in desk.desk.pauses(desk.now_us)] == ["bay-2"]


def test_an_acknowledged_notice_stands_with_the_name_until_its_own_rule_clears_it(desk: Desk) -> None:
    desk.look(notice(LOST, "bay-1"), notice(LOW, "bay-2"))
    assert desk.do("acknowledge", notice="link-lost/bay-1", why="in the pool") == {"notice": "link-lost/bay-1"}
    seen, other = desk.again()
    assert seen["acknowledged"] == {"by": "anna (clinician)", "at_us": T_US, "why": "in the pool"}
    assert is_quiet(seen)
    assert not is_quiet(other)
    desk.look()  # cleared
    (anew,) = desk.look(notice(LOST, "bay-1", since_us=2))
    assert not is_quiet(anew)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"notice": "link-lost/bay-9"}, "does not stand any more"),
        ({"notice": "link-lost/bay-1", "since_us": 7}, "raised anew meanwhile"),
        ({"notice": "link-lost/bay-1", "why": f"call {NHS_NUMBER}"}, "NHS number"),
        ({"notice": "link-lost/bay-1", "when": 1}, "when"),
        ({}, "notice"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(desk: Desk, fields: dict[str, Any], why: str) -> None:
    (before,) = desk.look(notice(LOST, "bay-1"))
    with pytest.raises(RefusedError, match=why):
        desk.do("acknowledge", **fields)
    with pytest.raises(RefusedError, match="needs 'by'"):
        desk.do("acknowledge", by="", notice="link-lost/bay-1")
    assert desk.again() == [before]


def test_the_first_who_has_seen_it_is_named(desk: Desk) -> None:
    desk.look(notice(LOST, "bay-1"))
    desk.do("acknowledge", notice="link-lost/bay-1")
    with pytest.raises(RefusedError, match=r"anna \(clinician\) has acknowledged it already"):
        desk.do("acknowledge", by="ben (admin)", notice="link-lost/bay-1")


def test_a_pause_quiets_what_it_names_and_ends_by_itself(desk: Desk) -> None:
    standing = notice(LOST, "bay-1"), notice(LOW, "bay-1"), notice(LOST, "bay-2")
    desk.look(*standing)
    assert desk.do("pause", bed="bay-1", code=LOST, minutes=30)["until_us"] == T_US + 30 * MINUTE_US
    assert list(map(is_quiet, desk.again())) == [True, False, False]
    desk.do("pause", bed="bay-1", minutes=10, why="in the shower")
    assert list(map(is_quiet, desk.again())) == [True, True, False]
    assert [(pause["bed"], pause["code"], pause["by"]) for pause in desk.desk.pauses(desk.now_us)] == [
        ("bay-1", LOST, "anna (clinician)"), ("bay-1", "", "anna (clinician)"),
    ]  # fmt: skip
    desk.pass_minutes(10)
    assert list(map(is_quiet, desk.again())) == [True, False, False]
    desk.do("resume", bed="bay-1", code=LOST)
    assert not any(map(is_quiet, desk.again()))
    with pytest.raises(RefusedError, match="not paused"):
        desk.do("resume", bed="bay-1", code=LOST)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"bed": "bay-1", "minutes": LONGEST_PAUSE_MIN + 1}, "minutes"),
        ({"bed": "bay-1", "minutes": 0}, "minutes"),
        ({"bed": "bay-1"}, "minutes"),
        ({"bed": "bay-7", "minutes": 5}, "no bed 'bay-7'"),
        ({"bed": "bay-1", "code": "hunger", "minutes": 5}, "no kind of notice 'hunger': known are .*link-lost"),
        ({"bed": "bay-1", "code": "link-lo", "minutes": 5}, "no kind of notice 'link-lo'; did you mean 'link-lost'?"),
        ({"minutes": 5}, "which notices"),
    ],
)
def test_nothing_is_paused_for_ever_or_unnamed(desk: Desk, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        desk.do("pause", **fields)


def test_answers_outlive_a_restart_and_find_their_notice_again(desk: Desk) -> None:
    desk.look(notice(LOST, "bay-1", since_us=5), notice(LOW, "bay-1", since_us=6))
    desk.do("acknowledge", notice="link-lost/bay-1")
    desk.do("pause", bed="bay-2", minutes=60)
    desk.open()
    desk.look()  # right after the start nothing is found yet
    found = Finding(Rule(LOST, "medium", 5.0, 0.0, "", ""), "It is lost", about="bay-1", slot="bay-1")
    raised = Notices("ward-7", resumed=desk.desk.resumed)
    for second in range(7):  # it has its onset again
        raised.update(float(second), T_US + second, [found])
        shown = desk.look(*raised.active(T_US + second))
    (again,) = shown
    assert again["since_us"] == 5
    assert again["acknowledged"]["by"] == "anna (clinician)"
    assert desk.desk.pauses(desk.now_us)[0]["bed"] == "bay-2"
    raised.update(9.0, T_US + 9, [])
    for second in (10, 16):
        raised.update(float(second), T_US + second, [found])
    (other,) = desk.look(*raised.active(T_US + 17))
    assert other["since_us"] == T_US + 10  # cleared and raised anew: nobody has seen that one
    assert not is_quiet(other)


def test_what_does_not_come_again_after_a_start_is_forgotten(desk: Desk) -> None:
    desk.look(notice(LOST, "bay-1", since_us=5))
    desk.do("acknowledge", notice="link-lost/bay-1")
    desk.open()
    desk.pass_minutes(RESUME_S / 60 + 1)
    desk.look()
    assert desk.desk.resumed == {}
    assert desk.desk.acknowledged() == frozenset()


def test_what_nobody_has_seen_is_kept_with_whose_it_is(desk: Desk) -> None:
    review = KeptReview(
        metric="fall_event", slot="bay-1", device="dot-1", at_us=3, text="A fall", subject="p-01", noted_us=4
    )
    desk.desk.stand([], [review], desk.now_us)
    desk.open()
    assert list(desk.desk.reviews) == [review]
    erase(desk.folder, "p-02")
    desk.open()
    assert list(desk.desk.reviews) == [review]
    erase(desk.folder, "p-01")
    desk.open()
    assert list(desk.desk.reviews) == []
    assert b"p-01" not in (desk.folder / NAME).read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b'{"v": "old"}', b'{"v": 1, "answers": 3}'])
def test_a_file_that_cannot_be_read_makes_all_notices_loud_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    desk = Desk(tmp_path)
    assert not any(map(is_quiet, desk.look(notice(LOST, "bay-1"))))
    desk.do("acknowledge", notice="link-lost/bay-1")
    desk.open()
    assert desk.desk.acknowledged() == {"link-lost/bay-1"}


def test_the_file_of_a_newer_program_makes_all_notices_loud_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"v": 9}')
    desk = Desk(tmp_path)
    assert not any(map(is_quiet, desk.look(notice(LOST, "bay-1"))))
    desk.do("acknowledge", notice="link-lost/bay-1")
    assert desk.desk.acknowledged() == {"link-lost/bay-1"}  # until the next start
    assert (tmp_path / NAME).read_bytes() == b'{"v": 9}'


def test_an_answer_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "gone")
    desk.look(notice(LOST, "bay-1"))
    with pytest.raises(RefusedError, match="takes nothing"):
        desk.do("acknowledge", notice="link-lost/bay-1")
    assert not any(map(is_quiet, desk.again()))


def test_the_file_is_bounded_and_closed_to_others(desk: Desk) -> None:
    assert MOST_PAUSES >= 4 * 70
    desk.look(notice(LOST, "bay-1"))
    desk.do("acknowledge", notice="link-lost/bay-1")
    assert (desk.folder / NAME).stat().st_mode & 0o027 == 0


THREE = st.sampled_from([(LOST, "bay-1"), (LOW, "bay-1"), (LOST, "bay-2")])
WHICH = st.sampled_from(BEDS), st.sampled_from(["", LOST, LOW])
STEPS = st.one_of(
    st.tuples(st.just("stand"), st.lists(THREE, unique=True)),
    st.tuples(st.just("acknowledge"), st.sampled_from(["link-lost/bay-1", "battery-low/bay-1", "link-lost/bay-2"])),
    st.tuples(st.just("pause"), st.tuples(*WHICH, st.integers(1, 240))),
    st.tuples(st.just("resume"), st.tuples(*WHICH)),
    st.tuples(st.just("wait"), st.integers(1, 300)),
    st.tuples(st.just("restart"), st.none()),
)  # fmt: skip


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_whatever_people_do_only_what_somebody_named_is_quiet_and_nothing_is_hidden(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    seen: set[tuple[str, int]] = set()
    pauses: dict[tuple[str, str], int] = {}
    since: dict[str, int] = {}
    raised = count(1)
    for kind, what in steps:
        if kind == "stand":
            stand = [f"{code}/{bed}" for code, bed in what]
            for cleared in since.keys() - set(stand):
                desk.desk.resumed.pop(cleared, None)
            since = {name: since.get(name) or desk.desk.resumed.get(name) or next(raised) for name in stand}
            desk.look(*(notice(code, bed, since[name]) for name, (code, bed) in zip(stand, what, strict=True)))
        elif kind == "wait":
            desk.pass_minutes(what)
        elif kind == "restart":
            desk.open()
            desk.again()
        else:
            try:
                _answer(desk, kind, what, seen, pauses)
            except RefusedError:
                continue
        shown = desk.again()
        assert [one["id"] for one in shown] == [one["id"] for one in desk.active]  # nothing is hidden, or put in
        for one in shown:
            paused = any(
                until > desk.now_us and bed == one["slot"] and code in ("", one["code"])
                for (bed, code), until in pauses.items()
            )
            assert is_quiet(one) == ((one["id"], one["since_us"]) in seen or paused)


def _answer(desk: Desk, kind: str, what: Any, seen: set[tuple[str, int]], pauses: dict[tuple[str, str], int]) -> None:
    """Give an answer, and note what it means where it was taken."""
    if kind == "acknowledge":
        desk.do(kind, notice=what)
        seen.add(next((what, one["since_us"]) for one in desk.active if one["id"] == what))
    elif kind == "pause":
        bed, code, minutes = what
        desk.do(kind, bed=bed, code=code, minutes=minutes)
        pauses[bed, code] = desk.now_us + minutes * MINUTE_US
    else:
        desk.do(kind, bed=what[0], code=what[1])
        pauses.pop(what)
