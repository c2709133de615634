"""One posture of a person, from a trunk and a thigh."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from benchmarks.fifty_patients import ward_of_two
from dsp.posture.person import BENT, PARTS, SILENT, Part, PersonPosture, TwoSensors, together
from dsp.posture.posture import LOST, MAYBE_STAIRS, NO_CHAIR, NOT_WALKED, ON_BACK, Name, Posture
from dsp.result import Quality
from dsp.whole_recordings import find_person_postures
from simulators.clinic.patient import patient, patients
from simulators.clinic.perform import Performance, perform
from simulators.clinic.transfers import LyingDown, Rising, SittingDown, Staying
from simulators.clinic.walks import Walking

RATE_HZ = 50.0
DAY = [
    Walking(distance_m=6), Staying(6), SittingDown(), Staying(40), Rising(), Staying(10), SittingDown(), Staying(4),
    LyingDown(), Staying(60),
]  # fmt: skip


def said(name: Name | None, reason: str = "", at: float = 0.0) -> Posture:
    quality: Quality = "invalid" if name is None else "degraded" if reason else "ok"
    return Posture(at, name, quality, reason)


def in_the_end(told: list[PersonPosture]) -> list[tuple[float, Name | None]]:
    """Return when which posture began, once all is told."""
    kept: list[PersonPosture] = []
    for one in told:
        kept = [before for before in kept if before.at_s < one.at_s]
        if not kept or kept[-1].posture != one.posture:
            kept.append(one)
    return [(one.at_s, one.posture) for one in kept]


@pytest.mark.parametrize(
    ("trunk", "thigh", "name", "reason"),
    [
        (said("standing", NO_CHAIR), said("sitting", ON_BACK), "sitting", ""),
        (said("standing", NO_CHAIR), said("standing"), "standing", ""),
        (said("lying"), said("sitting", ON_BACK), "lying", ""),
        (said("lying"), said("lying"), "lying", ""),
        (said("standing", NO_CHAIR), said("lying"), "sitting", ""),
        (said("walking"), said("standing"), "walking", ""),
        (said("standing", NO_CHAIR), said("walking"), "walking", ""),
        (said("walking"), said("sitting", ON_BACK), "sitting", ""),
        (said("stairs", MAYBE_STAIRS), said("walking"), "stairs", MAYBE_STAIRS),
        (said("lying"), said("standing"), "standing", BENT),
        (said("standing", NOT_WALKED), said("sitting", ON_BACK), "sitting", ON_BACK),
        (said("lying"), said("sitting", NOT_WALKED), "lying", NOT_WALKED),
        (said("lying", NOT_WALKED), said("sitting", ON_BACK), "lying", NOT_WALKED),
        (said("standing", NOT_WALKED), said("lying"), "sitting", NOT_WALKED),
    ],
)
def test_each_sensor_says_what_the_other_cannot_see(trunk: Posture, thigh: Posture, name: str, reason: str) -> None:
    assert together(trunk, thigh) == (name, "degraded" if reason else "ok", reason)


def test_in_which_order_two_sensors_are_heard_makes_no_difference() -> None:
    news: list[tuple[Part, float, Posture]] = [
        ("trunk", 0.0, said("standing", NO_CHAIR)), ("thigh", 0.2, said("sitting", ON_BACK)),
        ("thigh", 10.0, said("standing")), ("trunk", 12.4, said("walking")), ("thigh", 12.0, said("walking")),
        ("trunk", 30.0, said("lying")),
    ]  # fmt: skip
    ends = set()
    for order in permutations(news):
        if any([one for one in order if one[0] == part] != [one for one in news if one[0] == part] for part in PARTS):
            continue  # each sensor by itself tells in order
        both, told = TwoSensors(), list[PersonPosture]()
        for part, at_s, posture in order:
            told += both.take(part, at_s, posture)
        ends.add(tuple(in_the_end(told)))
    assert ends == {((0.0, "standing"), (0.2, "sitting"), (10.0, "standing"), (12.0, "walking"))}


def test_what_is_dated_back_takes_the_place_of_what_was_told() -> None:
    both = TwoSensors()
    told = [*both.take("thigh", 0.0, said("standing")), *both.take("trunk", 0.0, said("standing", NO_CHAIR))]
    told += both.take("trunk", 5.0, said("walking"))
    told += both.take("thigh", 4.0, said("sitting", ON_BACK))
    assert in_the_end(told) == [(0.0, "standing"), (4.0, "sitting")]


def test_one_sensor_alone_says_what_it_cannot_tell() -> None:
    both = TwoSensors()
    (alone,) = both.take("trunk", 0.0, said("standing", NO_CHAIR))
    assert (alone.posture, alone.quality, alone.reason, alone.of) == ("standing", "degraded", NO_CHAIR, ("trunk",))
    (lost,) = both.take("trunk", 5.0, said(None, LOST))
    assert (lost.posture, lost.quality, lost.of) == (None, "invalid", ())


def test_a_sensor_that_falls_silent_is_done_without_until_it_is_heard_again() -> None:
    both = TwoSensors()
    told = [*both.take("trunk", 0.0, said("standing", NO_CHAIR)), *both.take("thigh", 0.0, said("sitting", ON_BACK))]
    assert (told[-1].posture, told[-1].quality, told[-1].of) == ("sitting", "ok", ("trunk", "thigh"))
    (silent,) = both.fall_silent("thigh", 20.0)
    assert (silent.at_s, silent.posture, silent.quality, silent.of) == (20.0, "standing", "degraded", ("trunk",))
    assert NO_CHAIR in silent.reason
    assert SILENT["thigh"] in silent.reason
    assert list(both.fall_silent("thigh", 20.0)) == [], "told once"
    (again,) = both.hear_again("thigh")
    assert (again.at_s, again.posture, again.quality) == (20.0, "sitting", "ok")


@pytest.fixture(scope="module")
def day() -> Performance:
    return perform(
        DAY, patient(3, 0.3), rate_hz=RATE_HZ, placements=["lower_back", "left_thigh"], start="standing", mounting="any"
    )


def test_a_recording_of_two_sensors_has_its_postures(day: Performance) -> None:
    trunk, thigh = day.signals["lower_back"], day.signals["left_thigh"]
    table = find_person_postures(
        trunk.acc, thigh.acc, RATE_HZ, trunk_index=trunk.index, thigh_index=thigh.index
    )  # fmt: skip
    both = table[table["of"] == "trunk+thigh"]
    right = true_s = 0.0
    for start, end, posture in day.truth.postures:
        of = both[both["posture"] == posture]
        right += float(np.clip(np.minimum(of["end_s"], end) - np.maximum(of["start_s"], start), 0, None).sum())
        true_s += end - start
    assert right / true_s > 0.97
    assert set(both["quality"][both["start_s"] > 10]) == {"ok"}
    assert (table["start_s"][1:] == table["end_s"][:-1]).all()


def test_without_one_of_its_sensors_a_recording_is_degraded(day: Performance) -> None:
    trunk, nothing = day.signals["lower_back"], np.zeros((0, 3))
    table = find_person_postures(trunk.acc, nothing, RATE_HZ, trunk_index=trunk.index)
    standing = table[table["posture"] == "standing"]
    assert set(table["of"]) == {"trunk"}
    assert set(standing["quality"]) == {"degraded"}
    assert "sitting" not in set(table["posture"])


def test_a_slow_patient_on_a_rollator_is_not_taken_for_standing() -> None:
    figures = list(ward_of_two([patients(50)[48]], 1 / 3))
    assert figures[0].met, figures[0]
