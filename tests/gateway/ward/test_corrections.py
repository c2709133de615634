"""A session mended afterwards: what is refused in one sentence, what stays beside what holds, what history is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.pseudonym import check_digit
from gateway.ward.answers import answer_to, note_on
from gateway.ward.changes import read_change, session_of
from gateway.ward.corrections import MOST
from gateway.ward.published import published
from gateway.ward.refusals import RefusedError
from gateway.ward.registry import Registry, read_state
from gateway.ward.state import WardState
from tests.gateway.ward.test_changes import NOW_US, SECOND_US, WARD, Asked, changed, refused

ADMITTED: list[Asked] = [
    *WARD,
    ("admit", {"subject": "p-1", "bed": "bay-a"}),
    ("assign", {"device": "dot-1", "bed": "bay-a", "placement": "left_foot"}),
    ("session-start", {"subject": "p-1", "protocol": "10mwt"}),
]
DAY_US = 86_400 * SECOND_US


def at(second: int) -> int:
    return NOW_US + second * SECOND_US


@pytest.fixture
def ward() -> WardState:
    """One session, from second 9 to 60, and another from 70 to 80."""
    ward = changed(ADMITTED)
    ward = changed([("session-end", {"session": "p-1"})], ward, at(60))
    ward = changed([("session-start", {"subject": "p-1", "protocol": "tug"})], ward, at(70))
    return changed([("session-end", {"session": "p-1"})], ward, at(80))


def name(ward: WardState) -> str:
    return ward.sessions[0].id


def test_what_was_published_before_stays(ward: WardState) -> None:
    begun = ward.sessions[0].started_us
    first: Asked = ("session-correct", {"session": name(ward), "subject": "p-2", "why": "the neighbour"})
    second: Asked = ("session-correct", {"session": name(ward), "start_us": at(20), "end_us": at(65)})
    session = changed([first, second], ward, at(90)).sessions[0]
    assert (session.subject, session.started_us, session.ended_us) == ("p-2", at(20), at(65))
    assert (session.made_subject, session.made_started_us, session.made_ended_us) == ("p-1", begun, at(60))
    assert [(one.subject, one.started_us, one.ended_us, one.why) for one in session.corrections] == [
        ("p-1", begun, at(60), "the neighbour"), ("p-2", begun, at(60), ""),
    ]  # fmt: skip
    assert ward.in_force() == changed([first, second], ward, at(90)).in_force()
    assert session_of(changed([first], ward), first[1]) == {"session": name(ward)}
    after = changed([first, second], ward, at(90))
    assert answer_to(after, *second) == {
        "number": after.number, "change": "session-correct", "session": name(ward), "start_us": at(20), "end_us": at(65)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "says that already"),
        ({"subject": "p-1"}, "says that already"),
        ({"subject": f"943476591{check_digit('943476591')}"}, "has the form of an NHS number"),
        ({"subject": "Anna W"}, "must be lower-case letters"),
        ({"start_us": at(61)}, "would end before it begins"),
        ({"end_us": at(10_000)}, "would end in the future"),
        ({"start_us": at(0) - 40 * DAY_US}, "was not within a month of that"),
        ({"end_us": at(75)}, "takes some of that time"),
        ({"start_us": "yesterday"}, "must be a whole number"),
    ],
)
def test_a_correction_that_cannot_be(ward: WardState, fields: dict[str, object], sentence: str) -> None:
    def correct() -> None:
        changed([("session-correct", {"session": name(ward), **fields})], ward, at(90))

    with pytest.raises(RefusedError, match=sentence):
        correct()


def test_a_session_of_a_clock_that_was_ahead_is_put_where_it_was(ward: WardState) -> None:
    now, times = at(0) - 400 * DAY_US, {"start_us": at(-200) - 400 * DAY_US, "end_us": at(-100) - 400 * DAY_US}
    session = changed([("session-correct", {"session": name(ward), **times})], ward, now).sessions[0]
    assert (session.started_us, session.ended_us) == tuple(times.values())
    only_begin = {"session": name(ward), "start_us": times["start_us"]}
    with pytest.raises(RefusedError, match="would end in the future"):
        changed([("session-correct", only_begin)], ward, now)


def test_what_runs_is_ended_first_and_what_is_not_there_is_refused() -> None:
    ward = changed(ADMITTED)
    for change in ("session-correct", "session-discard"):
        assert "is running: end it first" in refused(ward, change, session=name(ward))
        assert refused(ward, change, session="s-9") == "there is no session 's-9'"


def test_a_session_is_discarded_and_taken_back(ward: WardState) -> None:
    discarded = changed([("session-discard", {"session": name(ward), "why": "loose"})], ward)
    assert discarded.sessions[0].discarded
    assert discarded.sessions[1] == ward.sessions[1]
    assert "discarded already" in refused(discarded, "session-discard", session=name(ward))
    assert "not discarded already" in refused(ward, "session-discard", session=name(ward), take_back=True)
    back = changed([("session-discard", {"session": name(ward), "take_back": True})], discarded)
    assert not back.sessions[0].discarded
    assert [one.why for one in back.sessions[0].corrections] == ["loose", ""]
    # What is not used takes nobody's time.
    moved = changed([("session-correct", {"session": ward.sessions[1].id, "start_us": at(50)})], discarded, at(90))
    assert moved.sessions[1].started_us == at(50)


def test_a_session_is_not_taken_back_into_the_time_of_another_of_that_person(ward: WardState) -> None:
    ward = changed([("session-discard", {"session": name(ward)})], ward)
    ward = changed([("session-correct", {"session": ward.sessions[1].id, "start_us": at(50)})], ward, at(90))
    reason = refused(ward, "session-discard", session=name(ward), take_back=True)
    assert reason == f"session '{ward.sessions[1].id}' of 'p-1' takes some of that time"
    ward = changed([("session-correct", {"session": name(ward), "end_us": at(50)})], ward, at(91))
    assert not changed([("session-discard", {"session": name(ward), "take_back": True})], ward).sessions[0].discarded


def test_the_session_of_whoever_was_moved_is_mended_though_another_had_begun_in_their_bed() -> None:
    ward = changed(
        [
            *ADMITTED,
            ("move", {"subject": "p-1", "bed": "bay-b"}),
            ("admit", {"subject": "p-2", "bed": "bay-a"}),
            ("assign", {"device": "dot-2", "bed": "bay-a", "placement": "left_foot"}),
            ("session-start", {"subject": "p-2", "protocol": "tug"}),
            ("session-end", {"session": "p-2"}),
            ("session-end", {"session": "p-1"}),
        ]
    )
    first, second = ward.sessions
    assert (first.bed, second.bed) == ("bay-a", "bay-a")
    mended = changed([("session-correct", {"session": first.id, "subject": "p-3"})], ward, at(90))
    assert mended.sessions[0].subject == "p-3"
    assert "takes some of that time" in refused(ward, "session-correct", session=first.id, subject="p-2")
    thrown = changed([("session-discard", {"session": first.id})], ward, at(90))
    back = changed([("session-discard", {"session": first.id, "take_back": True})], thrown, at(91))
    assert not back.sessions[0].discarded


def test_nobody_fills_a_session_with_corrections(ward: WardState) -> None:
    for n in range(MOST):
        ward = changed([("session-discard", {"session": name(ward), "take_back": n % 2 == 1})], ward)
    assert "was corrected 50 times" in refused(ward, "session-correct", session=name(ward), subject="p-2")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "ward.db")
    asked: list[Asked] = [*ADMITTED, ("session-end", {"session": "p-1"})]
    for n, (change, fields) in enumerate(asked):
        made.apply(read_change(change, fields), at_us=at(n), by="anna", source="test")
    yield made
    made.close()


def test_words_for_the_history_wait_in_the_registry_until_they_are_safe(registry: Registry, tmp_path: Path) -> None:
    registry.close()
    again = Registry(tmp_path / "ward.db")
    found = again.untold()
    assert [word.what for word in found] == ["subject", "placement", "session", "part", "session"]
    assert found[-1].fields["state"] == "ended"
    again.forget_words(found[1].id)
    assert [word.id for word in again.untold()] == [word.id for word in found[2:]]
    again.close()


def test_words_are_reported_though_the_file_was_written_over_meanwhile(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    session = registry.state.sessions[0].id
    before = registry.path.read_bytes()
    for n in range(3):
        change = read_change("session-discard", {"session": session, "take_back": n % 2 == 1})
        registry.apply(change, at_us=at(100 + n), by="anna", source="test")
    handed = registry.untold()[-1].id
    registry.forget_words(handed)
    registry.path.write_bytes(before)
    assert not caplog.records
    after = registry.apply(
        read_change("session-correct", {"session": session, "subject": "p-2"}), at_us=at(110), by="anna", source="test"
    )
    assert (after.sessions[0].discarded, after.sessions[0].subject) == (True, "p-2")
    waiting = registry.untold(handed)
    assert [word.what for word in waiting] == ["session", "correction"]
    assert waiting[0].fields["subject"] == "p-2"
    assert read_state(registry.path) == after
    assert caplog.text.count("ward.db was written over while it was in use: the ward stays as it was") == 1


def test_a_registry_from_before_tells_all_that_it_holds(registry: Registry, tmp_path: Path) -> None:
    registry.close()
    with closing(sqlite3.connect(tmp_path / "ward.db")) as db:
        db.execute("DROP TABLE words")
    again = Registry(tmp_path / "ward.db")
    assert [word.what for word in again.untold()] == ["subject", "placement", "session", "part"]
    again.close()


def test_erasing_somebody_takes_them_out_of_corrections_and_of_what_waits(registry: Registry, tmp_path: Path) -> None:
    session = registry.state.sessions[0].id
    made: list[Asked] = [
        ("session-correct", {"session": session, "subject": "p-2"}),
        ("discharge", {"subject": "p-1"}),
    ]
    for change, fields in made:
        registry.apply(read_change(change, fields), at_us=at(100), by="anna", source="test")
    registry.erase("p-1")
    kept = registry.state.sessions[0]
    assert (kept.subject, kept.made_subject) == ("p-2", "")
    registry.close()
    assert b'"p-1"' not in (tmp_path / "ward.db").read_bytes()


def test_a_pseudonym_of_nobody_on_the_ward_is_taken_with_a_note(ward: WardState) -> None:
    for subject, words in (("p-l", "nobody of the pseudonym 'p-l' is on this ward"), ("p-1", "")):
        asked = {"session": name(ward), "subject": subject}
        assert note_on(ward, "session-correct", asked).get("note", "").startswith(words)
        assert bool(note_on(ward, "session-correct", asked)) == bool(words)
    assert note_on(ward, "session-correct", {"session": name(ward), "end_us": at(65)}) == {}
    assert note_on(ward, "discharge", {"subject": "p-l"}) == {}


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("10mtw", "nothing is measured by '10mtw'; did you mean '10mwt'?"),
        ("10mwt, pace=fast", "nothing is measured by '10mwt, pace=fast'; did you mean '10mwt'?"),
        ("timed up and go", "nothing is measured by 'timed up and go': known are free_walk, rest, "),
        ("TUG pace=", ""),
        ("6mwt course_m=30", ""),
    ],
)
def test_a_protocol_that_nobody_knows_is_taken_with_a_note(ward: WardState, protocol: str, words: str) -> None:
    note = note_on(ward, "session-start", {"subject": "p-1", "protocol": protocol}).get("note", "")
    assert str(note).startswith(words)
    assert bool(note) == bool(words)


def test_of_two_who_say_whose_it_was_the_second_is_told(ward: WardState) -> None:
    """Both pages show the first pseudonym: whose it is then is no word of the last one who was in time."""
    first: Asked = ("session-correct", {"session": name(ward), "subject": "p-2", "was": "p-1"})
    ward = changed([first], ward, at(90))
    sentence = refused(ward, "session-correct", session=name(ward), subject="p-3", was="p-1")
    assert sentence == "somebody has changed that meanwhile: see what holds now, and ask again"
    again: Asked = ("session-correct", {"session": name(ward), "subject": "p-3", "was": "p-2"})
    assert changed([again], ward, at(95)).sessions[0].subject == "p-3"


def told(ward: WardState) -> dict[str, str]:
    return {one["id"]: one["subject"] for one in published(ward)["ended"]}


def three_more(ward: WardState, subject: str, bed: str, device: str) -> WardState:
    wears: Asked = ("assign", {"device": device, "bed": bed, "placement": "right_foot"})
    one: list[Asked] = [
        ("session-start", {"subject": subject, "protocol": "tug"}), ("session-end", {"session": subject})
    ]  # fmt: skip
    return changed([wears, *one, *one, *one], ward, at(100))


@pytest.mark.parametrize("there", [True, False])
def test_a_session_that_is_anothers_now_is_told_while_whose_it_was_is_there(ward: WardState, *, there: bool) -> None:
    """Else its result would stay where it was shown: nobody hears of who is not there, or of an older session."""
    if there:
        ward = three_more(changed([("admit", {"subject": "p-2", "bed": "bay-b"})], ward), "p-2", "bay-b", "dot-2")
    mended = changed([("session-correct", {"session": name(ward), "subject": "p-2"})], ward, at(200))
    assert told(mended) == told(ward) | {name(ward): "p-2"}
    gone = changed([("discharge", {"subject": "p-1"})], mended, at(300))
    assert (name(ward) in told(gone)) is there


def test_what_was_corrected_last_is_told_however_many_sessions_came_after_it(ward: WardState) -> None:
    later = three_more(ward, "p-1", "bay-a", "dot-2")
    assert name(ward) not in told(later)
    for discarded in (True, False):
        later = changed(
            [("session-discard", {"session": name(ward), "take_back": not discarded})], later, at(200 + discarded)
        )
        assert [one["discarded"] for one in published(later)["ended"] if one["id"] == name(ward)] == [discarded]
