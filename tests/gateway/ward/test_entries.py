"""What people enter into a session: values with their limits, forms, notes, and other times of a test."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ward.history_words import words
from gateway.ward.state import WardState
from tests.gateway.ward.test_changes import NHS_NUMBER, SECOND_US, changed, refused
from tests.gateway.ward.test_corrections import ADMITTED, at


@pytest.fixture
def ward() -> WardState:
    """A walk over ten metres that is over, and a Timed Up and Go that goes on."""
    ward = changed([("session-end", {"session": "p-1"})], changed(ADMITTED), at(60))
    return changed([("session-start", {"subject": "p-1", "protocol": "tug"})], ward, at(70))


def name(ward: WardState, nth: int = 0) -> str:
    return ward.sessions[nth].id


def entered(before: WardState, after: WardState) -> list[dict[str, Any]]:
    found = words(before, after, at_us=at(99), by="anna")
    return [fields for what, fields in found if what == "entered"]


def times(**fields: object) -> dict[str, Any]:
    return {
        "metric": "tmwt10_time", "found_start_us": at(20), "found_end_us": at(30), "start_us": at(21), "end_us": at(29)
    } | fields  # fmt: skip


def test_what_was_said_of_a_session_that_is_over_becomes_measurements_of_it(ward: WardState) -> None:
    fields: dict[str, object] = {
        "session": name(ward), "values": {"borg_cr10": 4, "pain_nrs": 2}, "form": "five-questions", "version": 2,
        "answers": {"mobility": 3}, "note": "start",
    }  # fmt: skip
    after = changed([("session-report", fields)], ward, at(90))
    told = entered(ward, after)
    assert [(m["metric"], m["algorithm"], m["value"], m["session"], m["subject"], m["quality"]) for m in told] == [
        ("borg_cr10", "reported/1", 4.0, name(ward), "p-1", "ok"),
        ("pain_nrs", "reported/1", 2.0, name(ward), "p-1", "ok"),
        ("form_answer", "form/five-questions.mobility/2", 3.0, name(ward), "p-1", "ok"),
    ]
    session = after.sessions[0]
    assert session.ended_us is not None
    assert len({m["end_us"] for m in told}) == len(told)
    assert all(session.started_us < m["start_us"] == m["end_us"] < session.ended_us for m in told)
    assert session.marks[-1].text == "note: start", "no test begins with a note"
    assert after.in_force() == ward.in_force(), "nothing that runs hears of it"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "nothing is reported"),
        ({"values": {"borg_cr10": 11}}, "Exertion, Borg CR10 is 0 to 10, not 11"),
        ({"values": {"borg_rpe": 5}}, "is 6 to 20, not 5"),
        (
            {"values": {"cadence": 100}},
            "'cadence' is nothing that is reported: known are borg_cr10, borg_rpe,",
        ),
        ({"values": {"pain_nrs": float("nan")}}, "not nan"),
        ({"answers": {"mobility": 1}}, "name both"),
        ({"form": "five-questions"}, "name both"),
        ({"form": "Five questions", "answers": {"mobility": 1}}, "must be lower-case letters"),
        ({"note": "x" * 201}, "at most 200"),
        ({"session": "s-none", "values": {"pain_nrs": 1}}, "there is no session"),
    ],
)
def test_a_report_that_cannot_be(ward: WardState, fields: dict[str, object], sentence: str) -> None:
    assert sentence in refused(ward, "session-report", **{"session": name(ward), **fields})


def test_a_session_takes_no_end_of_values(ward: WardState) -> None:
    form: dict[str, object] = {"session": name(ward), "form": "long", "answers": {f"item-{n}": 1 for n in range(100)}}
    full = changed([("session-report", form)] * 3, ward, at(90))
    assert "that is all it takes" in refused(full, "session-report", session=name(ward), values={"pain_nrs": 1})


def test_corrected_times_give_time_and_speed_beside_what_was_found(ward: WardState) -> None:
    after = changed([("test-correct", {"session": name(ward), **times(why="a cough")})], ward, at(90))
    found = entered(ward, after)
    assert [(m["metric"], m["value"], m["algorithm"], m["start_us"], m["end_us"]) for m in found] == [
        ("tmwt10_time", 8.0, "by-hand/1", at(21), at(29)), ("tmwt10_speed", 1.25, "by-hand/1", at(21), at(29)),
    ]  # fmt: skip
    again = changed([("test-correct", {"session": name(ward), **times(start_us=at(20))})], after, at(95))
    assert [m["value"] for m in entered(after, again)] == [9.0, pytest.approx(10 / 9)]
    assert len(again.sessions[0].entered) == 4


def test_a_speed_is_of_the_distance_that_the_protocol_says() -> None:
    ward = changed([*ADMITTED[:-1], ("session-start", {"subject": "p-1", "protocol": "10mwt distance_m=6"})])
    ward = changed([("session-end", {"session": "p-1"})], ward, at(60))
    after = changed([("test-correct", {"session": name(ward), **times()})], ward, at(90))
    assert [m["value"] for m in entered(ward, after)] == [8.0, 0.75]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"start_us": at(20), "end_us": at(30)}, "those that were found"),
        ({"start_us": at(29)}, "would end before it begins"),
        ({"start_us": at(20) - 61 * SECOND_US}, "can be moved by 60 s"),
        ({"metric": "tug_total"}, "tug_total of '10mwt' does not follow from a start and an end"),
        ({"metric": "tmwt10_speed"}, "does not follow"),
        ({"found_start_us": at(20), "start_us": at(21), "found_end_us": at(23), "end_us": at(22)}, "is 0 to 4, not 10"),
        *(  # the session was from 9 to 60: before, after, beyond either end, and not yet
            (
                {
                    "found_start_us": at(found[0]),
                    "start_us": at(right[0]),
                    "found_end_us": at(found[1]),
                    "end_us": at(right[1]),
                },
                "was not at these times: of which test are they?",
            )
            for found, right in (
                ((-90, -70), (-80, -71)),
                ((115, 125), (115, 124)),
                ((62, 70), (62, 71)),
                ((-9, -1), (-9, -2)),
                ((1, 9), (-10, 9)),
                ((50, 59), (50, 80)),
                ((50, 59), (50, 118)),
            )
        ),
        ({"why": NHS_NUMBER}, "has the form of an NHS number"),
    ],
)
def test_a_correction_of_a_test_that_cannot_be(ward: WardState, fields: dict[str, object], sentence: str) -> None:
    assert sentence in refused(ward, "test-correct", session=name(ward), **times(**fields))


def test_a_test_is_corrected_within_its_session_as_that_was_corrected(ward: WardState) -> None:
    """What lies outside of corrected times is of the stay: a time by hand would stand there, and be missed here."""
    shorter = changed(
        [("session-correct", {"session": name(ward), "start_us": at(21), "end_us": at(29)})], ward, at(90)
    )
    assert entered(shorter, changed([("test-correct", {"session": name(ward), **times()})], shorter, at(95)))
    for beyond in ({"start_us": at(20)}, {"end_us": at(30)}):
        assert "was not at these times" in refused(shorter, "test-correct", session=name(ward), **times(**beyond))
    longer = changed([("session-correct", {"session": name(ward), "end_us": at(65)})], ward, at(90))
    late = times(found_end_us=at(62), end_us=at(64))
    assert entered(longer, changed([("test-correct", {"session": name(ward), **late})], longer, at(95)))


def test_a_test_that_goes_on_is_not_corrected_yet(ward: WardState) -> None:
    running = name(ward, 1)
    assert "is running: end it first" in refused(ward, "test-correct", session=running, **times(metric="tug_total"))


def test_a_registry_of_before_has_nothing_entered(ward: WardState) -> None:
    state = ward.model_dump(mode="json")
    for session in state["sessions"]:
        del session["entered"]
    assert WardState.model_validate(state) == ward
