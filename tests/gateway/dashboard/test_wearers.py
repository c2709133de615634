"""Whose the numbers are that a page shows: of who is in the bed now, whatever comes when, and of nobody else."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.settings import Settings, Site
from gateway.dashboard.past import Curve, Question, past_of
from gateway.dashboard.views import slot_view, ward_view
from gateway.dashboard.ward import Ward
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.wire.payload import Message
from tests.gateway.dashboard.simulated_gateway import MICRO, Strapped
from tests.gateway.dashboard.test_ward import NOW, Clock, measurements, send, status
from tests.gateway.samples import START_US, measurement


class Patient(Strapped):
    """Somebody in bay 1."""

    def __init__(self, subject: str, session: str, *, simulated: bool = True, number: int = 1) -> None:
        super().__init__(number)
        self.subject = subject
        self.session = session
        self.simulated = simulated

    def curves(self, now_s: float) -> dict[str, Any]:
        return {**super().curves(now_s), "simulated": self.simulated}

    def measurement(self, *fields: Any) -> dict[str, Any]:
        return {**super().measurement(*fields), "simulated": self.simulated}


FIRST, SECOND = Patient("p-101", "s-1"), Patient("p-152", "s-2")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ward(clock: Clock) -> Ward:
    """Return a ward in which the first patient has walked."""
    ward = Ward("gateway-1", clock_us=clock, tick_us=clock)
    ward.on_message("status", "", status([FIRST], NOW - 3))
    send(ward, FIRST, FIRST.means(NOW - 3))
    send(ward, FIRST, FIRST.stride("left", NOW - 3))
    ward.on_message("cycles", "bay-1", orjson.dumps(FIRST.curves(NOW - 3)))
    return ward


def shown(ward: Ward) -> dict[str, Any]:
    """Return what the patient's page is told; the tile must agree with it."""
    slot: dict[str, Any] = slot_view(ward, "bay-1", ward.now_us())["slot"]
    (tile,) = ward_view(ward, ward.now_us())["slots"]
    same = ("subject", "session", "simulated", "patient_since_us", "activity")
    assert {key: tile[key] for key in same} == {key: slot[key] for key in same}
    assert any(tile["values"].values()) == any(value["metric"] == "heart_rate" for value in slot["values"])
    return slot


def is_empty(slot: dict[str, Any]) -> bool:
    """Whether nothing of anybody is shown."""
    return not (slot["values"] or slot["strides"]["left"] or slot["strides"]["right"] or slot["cycles"])


def test_one_wearer_is_shown_with_everything(ward: Ward) -> None:
    slot = shown(ward)
    assert (slot["subject"], slot["session"], slot["patient_since_us"]) == ("p-101", "s-1", None)
    assert slot["values"]
    assert slot["strides"]["left"]
    assert slot["cycles"]


def test_a_status_with_a_new_patient_clears_everything_before_their_first_number(ward: Ward) -> None:
    ward.on_message("status", "", status([SECOND], NOW))
    slot = shown(ward)
    assert (slot["subject"], slot["session"]) == ("p-152", "s-2")
    assert slot["patient_since_us"] == round(NOW * MICRO)
    assert is_empty(slot)
    assert slot["activity"] == "not walking"  # the sensors stream, and nobody has walked yet


def test_a_first_number_of_a_new_patient_clears_everything_before_the_status_tells(ward: Ward) -> None:
    send(ward, SECOND, [SECOND.measurement("heart_rate", 70.0, "none", NOW - 1, NOW)])
    slot = shown(ward)
    assert slot["subject"] == "p-152"
    assert [value["value"] for value in slot["values"]] == [70.0]
    ward.on_message("status", "", status([FIRST], NOW - 1))  # said before, and on its way since
    assert shown(ward)["subject"] == "p-152"
    assert [(slot["id"], slot["subject"], slot["session"]) for slot in ward.slots()] == [("bay-1", "p-152", "s-2")]
    ward.on_message("status", "", status([SECOND], NOW + 1))
    assert [value["value"] for value in shown(ward)["values"]] == [70.0]


@pytest.mark.parametrize("arrives_first", ["status", "measurement"])
def test_late_numbers_of_the_earlier_patient_are_for_the_history_only(ward: Ward, arrives_first: str) -> None:
    if arrives_first == "status":
        ward.on_message("status", "", status([SECOND], NOW))
    else:
        send(ward, SECOND, [SECOND.measurement("heart_rate", 70.0, "none", NOW - 1, NOW)])
    before = shown(ward)
    late = [*FIRST.means(NOW - 1), *FIRST.stride("right", NOW - 1)]
    send(ward, FIRST, late)
    ward.on_message("cycles", "bay-1", orjson.dumps(FIRST.curves(NOW - 1)), retained=True)
    assert shown(ward) == before
    assert ward.dropped == {"measurements: of an earlier session": len(late)}


@pytest.mark.parametrize(
    "after",
    [
        Patient("p-101", "s-2"),
        Patient("p-152", "s-1"),  # a session's name used twice
        Patient("p-101", "s-1", simulated=False),
        Patient("", ""),
    ],
    ids=["session", "subject", "real", "nobody"],
)
def test_any_other_wearer_is_another(ward: Ward, after: Patient) -> None:
    ward.on_message("status", "", status([after], NOW, simulated=after.simulated))
    send(ward, after, [after.measurement("heart_rate", 70.0, "none", NOW, NOW + 1)])
    slot = shown(ward)
    assert (slot["subject"], slot["session"], slot["simulated"]) == (after.subject, after.session, after.simulated)
    assert [value["value"] for value in slot["values"]] == [70.0]
    assert slot["strides"] == {"left": [], "right": []}
    assert slot["cycles"] == []


@pytest.mark.parametrize("nobody", ["", None])
def test_an_emptied_bed_shows_nobodys_numbers(ward: Ward, nobody: str | None) -> None:
    slot = FIRST.status() | {"subject": nobody, "session": nobody}
    ward.on_message("status", "", status([FIRST], NOW, slots=[slot]))
    send(ward, FIRST, FIRST.means(NOW - 1))  # resent
    slot = shown(ward)
    assert slot["subject"] == ""
    assert is_empty(slot)


def test_a_new_session_of_the_same_patient_is_no_new_patient(ward: Ward) -> None:
    ward.on_message("status", "", status([Patient("p-101", "s-2")], NOW))
    slot = shown(ward)
    assert slot["patient_since_us"] is None
    assert is_empty(slot)


def test_two_patients_who_change_beds_keep_their_own_numbers_only(ward: Ward) -> None:
    other = Patient("p-152", "s-9", number=2)
    ward.on_message("status", "", status([FIRST, other], NOW - 2))
    send(ward, other, [other.measurement("heart_rate", 55.0, "none", NOW - 3, NOW - 2)])
    there = Patient("p-101", "s-3", number=2)
    ward.on_message("status", "", status([Patient("p-152", "s-4"), there], NOW))
    send(ward, there, [there.measurement("heart_rate", 99.0, "none", NOW - 1, NOW)])
    first, second = (slot_view(ward, slot, ward.now_us())["slot"] for slot in ("bay-1", "bay-2"))
    assert (first["subject"], first["values"]) == ("p-152", [])
    assert (second["subject"], [value["value"] for value in second["values"]]) == ("p-101", [99.0])


def test_a_clock_that_is_set_back_does_not_keep_the_earlier_patient(ward: Ward, clock: Clock) -> None:
    clock.now_s -= 3600
    ward.on_message("status", "", status([SECOND], NOW - 3600))
    assert shown(ward)["subject"] == "p-152"


def test_curves_name_themselves_whose_they_are(ward: Ward) -> None:
    ward.on_message("cycles", "bay-1", orjson.dumps({**FIRST.curves(NOW), "subject": "p-152"}))
    assert shown(ward)["cycles"] == []


# --- the history ---


def rows(first: int, count: int, **fields: Any) -> list[Measurement]:
    """Return a value a second from ``first`` on."""
    return [replace(measurement(i, value=float(i)), **fields) for i in range(first, first + count)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a history: p-101 in bay-1, then p-152, p-101 in bay-2, and others with the same names."""
    history = History(tmp_path / "history.db")
    of_gateway_1 = [
        *rows(0, 60, subject="p-101", session="a"),
        *rows(60, 60, subject="p-152", session="b"),
        *rows(70, 30, subject="p-101", session="c", slot="bay-2"),
        *rows(120, 30, subject="p-101", session="d", slot="bay-2"),
        *rows(150, 5, subject="p-101", session="e", slot="bay-2", simulated=False),
    ]
    of_gateway_2 = rows(30, 200, subject="p-777", session="z")  # its bay-1 is another bed
    for gateway, made in (("gateway-1", of_gateway_1), ("gateway-2", of_gateway_2)):
        history.store([Message(gateway, "0" * 16, 0, list(enumerate(made, 1)))])
    history.close()
    return Settings(site=Site(data=tmp_path))


def ask(settings: Settings, **fields: Any) -> tuple[Curve, list[float | None]]:
    """Return the answer and its values."""
    question: dict[str, Any] = {
        "gateway": "gateway-1",
        "slot": "bay-1",
        "metric": "cadence",
        "side": "both",
        "since_us": START_US,
        **fields,
    }
    with closing(HistoryReader(settings.history_file)) as reader:
        curve = past_of(reader)(Question(**question))
    return curve, [value for _, value, _ in curve.rows]


def test_history_is_that_of_the_subject_and_never_that_of_the_bed(settings: Settings) -> None:
    curve, values = ask(settings, subject="p-152", simulated=True)
    assert values == [float(i) for i in range(60, 120)]
    assert curve.is_new  # somebody else was there before
    assert [stretch.session for stretch in curve.stretches] == ["b"]


def test_history_follows_the_subject_to_another_bed_and_breaks_where_the_session_does(settings: Settings) -> None:
    curve, values = ask(settings, slot="bay-2", subject="p-101", simulated=True)
    assert values == [float(i) for i in (*range(60), *range(70, 100), *range(120, 150))]
    assert [(s.session, s.slot) for s in curve.stretches] == [("a", "bay-1"), ("c", "bay-2"), ("d", "bay-2")]
    assert [s.from_us for s in curve.stretches] == [START_US + i * MICRO for i in (0, 70, 120)]
    assert not curve.is_new


@pytest.mark.parametrize(("simulated", "values"), [(False, [150.0, 151.0, 152.0, 153.0, 154.0]), (True, None)])
def test_simulated_and_real_numbers_of_one_pseudonym_are_never_mixed(
    settings: Settings, simulated: bool, values: list[float] | None
) -> None:
    curve, found = ask(settings, subject="p-101", simulated=simulated)
    assert curve.simulated is simulated
    assert found == values if values else len(found) == 120


def test_history_of_a_bed_of_which_nobody_knows_who_is_there_is_one_persons(settings: Settings) -> None:
    curve, values = ask(settings)
    assert curve.subject == "p-152"
    assert values == [float(i) for i in range(60, 120)]
    other, values = ask(settings, gateway="gateway-2")  # has a bed of the same name
    assert other.subject == "p-777"
    assert values == [float(i) for i in range(30, 230)]
    assert not other.is_new


@pytest.mark.parametrize("fields", [{"subject": "p-999"}, {"subject": "", "session": ""}, {"slot": "bay-9"}])
def test_history_of_nobody_is_empty(settings: Settings, fields: dict[str, Any]) -> None:
    curve, values = ask(settings, **fields)
    assert values == []
    assert curve.stretches == []


def test_measurements_of_one_message_are_sorted_by_wearer(ward: Ward) -> None:
    mixed = [
        FIRST.measurement("heart_rate", 60.0, "none", NOW - 2, NOW - 1),
        SECOND.measurement("heart_rate", 70.0, "none", NOW - 1, NOW),
        FIRST.measurement("cadence", 100.0, "both", NOW - 2, NOW - 0.5),
    ]
    ward.on_message("measurements", "bay-1", measurements("bay-1", mixed))
    assert [(value["metric"], value["value"]) for value in shown(ward)["values"]] == [("heart_rate", 70.0)]
