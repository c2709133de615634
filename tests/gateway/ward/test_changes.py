"""Changes of the ward: what is refused, what follows from what, and that nobody is ever in two places."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.pseudonym import check_digit
from gateway.model.ward import decode_ward, encode_ward
from gateway.ward.changes import CHANGES, MOST_MARKS, GatewayStarts, read_change
from gateway.ward.refusals import RefusedError
from gateway.ward.state import WardState

NOW_US = 1_790_000_000_000_000
SECOND_US = 1_000_000
NHS_NUMBER = f"943-476-591{check_digit('943476591')}"
DOT = {"driver": "movella_dot", "placement": "left_foot"}

BEDS = ("bay-a", "bay-b", "bay-c")
SUBJECTS = ("p-1", "p-2", "p-3", "p-4")
DEVICES = ("dot-1", "dot-2", "dot-3", "strap-1")

Asked = tuple[str, dict[str, object]]

DOTS: list[dict[str, object]] = [
    {**DOT, "id": name, "address": f"D4:22:CD:00:00:0{n}"} for n, name in enumerate(DEVICES)
]
WARD: list[Asked] = [("add-bed", {"bed": bed}) for bed in BEDS]
WARD += [("add-device", {"device": device}) for device in DOTS]


def changed(asked: Iterable[Asked], ward: WardState | None = None, at_us: int = NOW_US) -> WardState:
    """Return a ward after changes, a second apart."""
    ward = ward or WardState()
    for n, (name, fields) in enumerate(asked):
        ward = read_change(name, fields).apply(ward, at_us + n * SECOND_US)
    return ward


def refused(ward: WardState, name: str, **fields: object) -> str:
    with pytest.raises(RefusedError) as caught:
        changed([(name, fields)], ward)
    return str(caught.value)


@pytest.fixture
def ward() -> WardState:
    """Three beds and four devices; one subject with two sensors."""
    return changed(
        [
            *WARD,
            ("admit", {"subject": "p-1", "bed": "bay-a", "height_m": 1.72}),
            ("assign", {"device": "dot-1", "bed": "bay-a", "placement": "left_foot"}),
            ("assign", {"device": "dot-2", "bed": "bay-a", "placement": "right_foot", "axes": "-x -y z"}),
        ]
    )


def test_what_is_in_force_is_who_is_there_with_what_they_wear(ward: WardState) -> None:
    (bed,) = ward.in_force()
    assert (bed.slot.id, bed.slot.subject, bed.slot.height_m) == ("bay-a", "p-1", 1.72)
    assert [(d.id, d.placement, d.axes) for d in bed.slot.device] == [
        ("dot-1", "left_foot", "x y z"),
        ("dot-2", "right_foot", "-x -y z"),
    ]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("add-bed", {"bed": NHS_NUMBER}),
        ("add-bed", {"bed": "bay-x", "label": f"Bay of {NHS_NUMBER}"}),
        ("admit", {"subject": "p-2", "bed": "bay-b", "aids": f"stick, {NHS_NUMBER}"}),
        ("session-start", {"subject": "p-1", "protocol": NHS_NUMBER}),
        ("session-start", {"subject": "p-1", "protocol": "tug", "notes": NHS_NUMBER.replace("-", " ")}),
        ("session-mark", {"session": "p-1", "text": NHS_NUMBER.replace("-", "")}),
        ("session-discard", {"session": "s-1", "why": f"was {NHS_NUMBER}"}),
        ("session-correct", {"session": "s-1", "why": f"was {NHS_NUMBER}"}),
    ],
)
def test_no_text_names_a_patient_by_number(ward: WardState, name: str, fields: dict[str, object]) -> None:
    assert "has the form of an NHS number: nobody is named here" in refused(ward, name, **fields)


def test_a_row_of_beds_is_added_whole_or_not_at_all() -> None:
    bare = WardState()
    row = changed([("add-beds", {"first": 1, "last": 70, "label": "Bay"})], bare)
    assert [(bed.id, bed.label) for bed in row.beds] == [(f"bay-{n}", f"Bay {n}") for n in range(1, 71)]
    assert [bed.id for bed in changed([("add-beds", {"prefix": "a", "first": 0, "last": 0})], bare).beds] == ["a0"]
    assert refused(row, "add-beds", first=70, last=80) == "there is a bed 'bay-70' already"
    assert refused(row, "add-beds", first=80, last=71).startswith("the last number is 71, and the first 80")
    assert refused(bare, "add-beds", first=1, last=257) == "these would be 257 beds: at most 256 at once"
    assert "prefix" in refused(bare, "add-beds", prefix="Bay ", first=1, last=2)
    assert "first" in refused(bare, "add-beds", first=-1, last=2)
    end = int(NHS_NUMBER[-4:])
    assert "NHS number" in refused(bare, "add-beds", prefix=NHS_NUMBER[:-4], first=end - 1, last=end)
    assert "NHS number" in refused(bare, "add-beds", first=1, last=2, label=f"Bay of {NHS_NUMBER}")


def test_a_session_is_in_force_while_it_runs(ward: WardState) -> None:
    stay = ward.in_force()[0].session
    ward = changed([("session-start", {"subject": "p-1", "protocol": "10mwt"})], ward, NOW_US + 60 * SECOND_US)
    (session,) = ward.sessions
    assert (ward.in_force()[0].session, ward.in_force()[0].slot.protocol) == (session.id, "10mwt")
    ward = changed([("session-pause", {"session": session.id})], ward)
    assert (ward.in_force()[0].session, ward.in_force()[0].slot.protocol) == (stay, "free_walk")
    ward = changed([("session-resume", {"session": session.id})], ward)
    assert ward.in_force()[0].session == f"{session.id}-r2"
    ward = changed([("session-mark", {"session": session.id, "text": "stumbled"})], ward, NOW_US + 99 * SECOND_US)
    assert ward.sessions[0].marks[0].at_us == NOW_US + 99 * SECOND_US
    ward = changed([("session-end", {"session": session.id})], ward, NOW_US + 120 * SECOND_US)
    assert ward.in_force()[0].session == stay
    assert ward.sessions[0].ended_us == NOW_US + 120 * SECOND_US


def test_a_session_is_marked_so_often_and_no_more(ward: WardState) -> None:
    ward = changed([("session-start", {"subject": "p-1", "protocol": "6mwt"})], ward)
    (session,) = ward.sessions
    marked = changed([("session-mark", {"session": session.id, "text": "lap"})] * MOST_MARKS, ward)
    words = refused(marked, "session-mark", session=session.id, text="lap")
    assert words == f"session '{session.id}' was marked {MOST_MARKS} times: end it, and begin another"


def test_a_discharge_ends_the_session_and_frees_the_sensors(ward: WardState) -> None:
    ward = changed([("session-start", {"subject": "p-1", "protocol": "tug"}), ("discharge", {"subject": "p-1"})], ward)
    assert ward.in_force() == ()
    assert ward.sessions[0].state == "ended"
    assert [one.bed for one in ward.devices] == [None] * 4


def test_a_move_takes_sensors_and_session_along(ward: WardState) -> None:
    ward = changed([("session-start", {"subject": "p-1", "protocol": "tug"})], ward)
    before = ward.in_force()[0]
    after = changed([("move", {"subject": "p-1", "bed": "bay-b"})], ward).in_force()[0]
    assert after.session == before.session
    assert after.slot == before.slot.model_copy(update={"id": "bay-b"})


def test_of_two_who_move_somebody_at_one_time_the_second_is_told(ward: WardState) -> None:
    ward = changed([("move", {"subject": "p-1", "bed": "bay-b", "was": "bay-a"})], ward)
    sentence = refused(ward, "move", subject="p-1", bed="bay-c", was="bay-a")
    assert sentence == "somebody has changed that meanwhile: see what holds now, and ask again"
    assert refused(ward, "move", subject="p-1", bed="bay-b", was="bay-a") == "'p-1' is in bed 'bay-b' already"


def test_a_start_of_the_gateway_begins_other_parts_of_the_same_sessions(ward: WardState) -> None:
    ward = changed([("session-start", {"subject": "p-1", "protocol": "tug"})], ward)
    again = GatewayStarts().apply(ward, NOW_US + 3600 * SECOND_US)
    assert again.sessions[0].id == ward.sessions[0].id
    assert again.sessions[0].parts == (ward.sessions[0].id, f"{ward.sessions[0].id}-r2")
    assert again.subjects[0].stay != ward.subjects[0].stay


def test_what_cannot_be_is_refused_in_one_sentence(ward: WardState) -> None:
    assert "already: move them instead" in refused(ward, "admit", subject="p-1", bed="bay-b")
    assert "'p-1' is in bed 'bay-a': discharge or move them first" in refused(ward, "admit", subject="p-2", bed="bay-a")
    assert "there is no bed 'bay-z'" in refused(ward, "admit", subject="p-2", bed="bay-z")
    assert "'dot-1' is on the left foot in bed 'bay-a'" in refused(
        ward, "assign", device="dot-1", bed="bay-a", placement="chest"
    )
    assert "'dot-1' is on the left foot in bed 'bay-a': take it off first" in refused(
        ward, "assign", device="dot-3", bed="bay-a", placement="left_foot"
    )
    assert "nobody is in bed 'bay-b'" in refused(ward, "assign", device="dot-3", bed="bay-b", placement="chest")
    assert "'p-9' is not on this ward" in refused(ward, "session-start", subject="p-9", protocol="tug")
    assert "wears no device" in refused(
        changed([("admit", {"subject": "p-2", "bed": "bay-b"})], ward), "session-start", subject="p-2", protocol="tug"
    )
    assert "form of an NHS number" in refused(ward, "admit", subject=NHS_NUMBER, bed="bay-b")
    assert "address 'D4:22:CD:00:00:00' is that of 'dot-1'" in refused(
        ward, "add-device", device={**DOT, "id": "dot-9", "address": "D4:22:CD:00:00:00"}
    )
    assert "height_m" in refused(ward, "admit", subject="p-2", bed="bay-b", height_m=172)
    assert "placement" in refused(ward, "assign", device="dot-3", bed="bay-a", placement="left_ear")
    assert "there is no change 'amputate'" in refused(ward, "amputate")
    assert "take it off first" in refused(ward, "remove-device", device="dot-1")
    assert "discharge or move them first" in refused(ward, "remove-bed", bed="bay-a")


def asked() -> st.SearchStrategy[Asked]:
    """What people may ask for, sensible and not."""
    bed, subject, device = st.sampled_from(BEDS), st.sampled_from(SUBJECTS), st.sampled_from(DEVICES)
    place = st.sampled_from(("left_foot", "right_foot", "chest"))
    session = st.integers(0, 6)
    return st.one_of(
        st.tuples(st.just("admit"), st.fixed_dictionaries({"subject": subject, "bed": bed})),
        st.tuples(st.just("discharge"), st.fixed_dictionaries({"subject": subject})),
        st.tuples(st.just("move"), st.fixed_dictionaries({"subject": subject, "bed": bed})),
        st.tuples(st.just("assign"), st.fixed_dictionaries({"device": device, "bed": bed, "placement": place})),
        st.tuples(st.just("take-off"), st.fixed_dictionaries({"device": device})),
        st.tuples(st.just("session-start"), st.fixed_dictionaries({"subject": subject, "protocol": st.just("tug")})),
        st.tuples(
            st.sampled_from(("session-pause", "session-resume", "session-end")),
            st.fixed_dictionaries({"session": session}),
        ),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(asked(), max_size=60))
def test_nobody_and_nothing_is_ever_in_two_places(wishes: list[Asked]) -> None:
    ward = changed(WARD)
    ids: set[str] = set()
    for n, (name, wished) in enumerate(wishes):
        fields = dict(wished)
        if "session" in fields:
            known = [one.id for one in ward.sessions]
            fields["session"] = known[int(str(fields["session"])) % len(known)] if known else "none"
        try:
            ward = read_change(name, fields).apply(ward, NOW_US + n * SECOND_US // 2)
        except RefusedError:
            continue
        beds = [one.bed for one in ward.subjects]
        assert len(set(beds)) == len(beds)
        assert {one.bed for one in ward.devices} - {None} <= set(beds)
        places = [(one.bed, one.device.placement) for one in ward.devices if one.bed]
        assert len(set(places)) == len(places)
        running = [one.subject for one in ward.sessions if one.state != "ended"]
        assert len(set(running)) == len(running)
        assert set(running) <= {one.id for one in ward.subjects}
        parts = [part for one in ward.sessions for part in one.parts] + [one.stay for one in ward.subjects]
        assert len(set(parts)) == len(parts)
        ids |= set(parts)
        assert decode_ward(encode_ward(ward.in_force())) == ward.in_force()
        assert WardState.model_validate_json(ward.model_dump_json()) == ward


@pytest.mark.parametrize("name", sorted(CHANGES))
@given(fields=st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(), st.none())))
def test_nonsense_is_refused(name: str, fields: dict[str, object]) -> None:
    with pytest.raises(RefusedError):
        read_change(name, fields)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("admit", {"subject": "P-10", "bed": "bay-1"}, "subject = 'P-10' must be lower-case letters"),
        ("admit", {"subject": "p-1", "bed": "bay-1", "height_m": "1,7"}, "height_m = '1,7' must be a number"),
        ("admit", {"bed": "bay-1"}, "subject is missing"),
        ("admit", {"subject": "p-1", "bed": "bay-1", "hight_m": 1.7}, "did you mean 'height_m'?"),
        ("assign", {"device": "dot-1", "bed": "bay-1", "placement": "left-foot"}, "did you mean 'left_foot'?"),
        ("session-mark", {"session": "p-1", "text": "x" * 1000}, "must be at most 200 characters long"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_our_own_words(name: str, fields: dict[str, object], words: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(words)):
        read_change(name, fields)


@pytest.mark.parametrize("text", ["\u202e12 s", "a\0b", "a\x1b[31mred", "\u2066x"])
def test_a_text_that_nobody_sees_or_that_turns_others_about_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="text holds a character that cannot be seen"):
        read_change("session-mark", {"session": "p-1", "text": text})
    with pytest.raises(RefusedError, match="label holds a character that cannot be seen"):
        read_change("add-bed", {"bed": "bay-9", "label": text})
    assert read_change("session-mark", {"session": "p-1", "text": "Müller\u2019s 5 °C\n\u05d3\u05d5"})


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u200b", "\u00a0\u2060", "\u3164", "\u2800 "])
def test_a_mark_without_anything_to_see_is_refused(ward: WardState, text: str) -> None:
    ward = changed([("session-start", {"subject": "p-1", "protocol": "6mwt"})], ward)
    assert refused(ward, "session-mark", session="p-1", text=text) == "a mark needs words: say what happened"
    assert refused(ward, "session-report", session="p-1", note=text).startswith("nothing is reported")
    assert changed([("session-mark", {"session": "p-1", "text": "☹ 5 °C"})], ward).sessions[0].marks


@pytest.mark.parametrize("name", ["session-pause", "session-resume", "session-end"])
def test_a_session_that_is_not_named_is_asked_for_with_what_does(ward: WardState, name: str) -> None:
    assert "give the session's id; of one that is open the pseudonym" in refused(ward, name, subject="p-1")
