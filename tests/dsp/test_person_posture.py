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


def shown(name: Name | None, reason: str = "", at: float = 0.0) -> Posture:
    quality: Quality = "invalid" if name is None else "degraded" if reason else "ok"
    return Posture(at, name, quality, reason)


def in_the_end(given_out: list[PersonPosture]) -> list[tuple[float, Name | None]]:
    """Return when which posture began, once all is told."""
    kept: list[PersonPosture] = []
    for one in given_out:
        kept = [before for before in kept if before.at_s < one.at_s]
        if not kept or kept[-1].posture != one.posture:
            kept.append(one)
    return [(one.at_s, one.posture) for one in kept]


@pytest.mark.parametrize(
    ("trunk", "thigh", "name", "reason"),
    [
        (shown("standing", NO_CHAIR), shown("sitting", ON_BACK), "sitting", ""),
        (shown("standing", NO_CHAIR), shown("standing"), "standing", ""),
        (shown("lying"), shown("sitting", ON_BACK), "lying", ""),
        (shown("lying"), shown("lying"), "lying", ""),
        (shown("standing", NO_CHAIR), shown("lying"), "sitting", ""),
        (shown("walking"), shown("standing"), "walking", ""),
        (shown("standing", NO_CHAIR), shown("walking"), "walking", ""),
        (shown("walking"), shown("sitting", ON_BACK), "sitting", ""),
        (shown("stairs", MAYBE_STAIRS), shown("walking"), "stairs", MAYBE_STAIRS),
        (shown("lying"), shown("standing"), "standing", BENT),
        (shown("standing", NOT_WALKED), shown("sitting", ON_BACK), "sitting", ON_BACK),
        (shown("lying"), shown("sitting", NOT_WALKED), "lying", NOT_WALKED),
        (shown("lying", NOT_WALKED), shown("sitting", ON_BACK), "lying", NOT_WALKED),
        (shown("standing", NOT_WALKED), shown("lying"), "sitting", NOT_WALKED),
    ],
)
def test_each_sensor_says_what_the_other_cannot_see(trunk: Posture, thigh: Posture, name: str, reason: str) -> None:
    assert together(trunk, thigh) == (name, "degraded" if reason else "ok", reason)


def test_in_which_order_two_sensors_are_heard_makes_no_difference() -> None:
    news: list[tuple[Part, float, Posture]] = [
        ("trunk", 0.0, shown("standing", NO_CHAIR)), ("thigh", 0.2, shown("sitting", ON_BACK)),
        ("thigh", 10.0, shown("standing")), ("trunk", 12.4, shown("walking")), ("thigh", 12.0, shown("walking")),
        ("trunk", 30.0, shown("lying")),
    ]  # fmt: skip
    ends = set()
    for order in permutations(news):
        if any([one for one in order if one[0] == part] != [one for one in news if one[0] == part] for part in PARTS):
            continue  # each sensor by itself tells in order
        both, given_out = TwoSensors(), list[PersonPosture]()
        for part, at_s, posture in order:
            both.add(part, at_s, posture)
            given_out += both.report(at_s)
        given_out += both.report(40.0)
        ends.add(tuple(in_the_end(given_out)))
    assert ends == {((0.0, "sitting"), (10.0, "standing"), (12.0, "walking"))}


def test_what_is_dated_back_goes_before_what_was_known() -> None:
    both = TwoSensors()
    both.add("thigh", 0.0, shown("standing"))
    both.add("trunk", 0.0, shown("standing", NO_CHAIR))
    both.add("trunk", 5.0, shown("walking"))
    given_out = list(both.report(6.0))
    both.add("thigh", 4.0, shown("sitting", ON_BACK))
    given_out += both.report(6.5)
    assert in_the_end(given_out) == [(0.0, "standing"), (4.0, "sitting")]


@pytest.mark.parametrize("later_s", [0.05, 0.3, -0.05, -0.3])
def test_a_movement_that_the_two_see_one_after_the_other_is_one_change(later_s: float) -> None:
    """Who gets out of bed neither sits nor stands bent for as long as one sensor is later than the other."""
    both = TwoSensors()
    both.add("trunk", 0.0, shown("lying"))
    both.add("thigh", 0.0, shown("lying"))
    given_out = list(both.report(9.0))
    both.add("trunk", 10.0, shown("standing", NO_CHAIR))
    given_out += both.report(10.6)
    both.add("thigh", 10.0 + later_s, shown("standing"))
    given_out += both.report(11.5)
    reported = [(one.at_s, one.posture, one.reason) for one in given_out]
    assert reported == [(0.0, "lying", ""), (10.0 + min(later_s, 0.0), "standing", "")]


def test_one_sensor_alone_names_what_it_cannot_see() -> None:
    both = TwoSensors()
    both.add("trunk", 0.0, shown("standing", NO_CHAIR))
    (alone,) = both.report(2.0)
    assert (alone.posture, alone.quality, alone.reason, alone.of) == ("standing", "degraded", NO_CHAIR, ("trunk",))
    both.add("trunk", 5.0, shown(None, LOST))
    (lost,) = both.report(7.0)
    assert (lost.posture, lost.quality, lost.of) == (None, "invalid", ())


def test_a_sensor_that_falls_silent_is_done_without_until_it_is_heard_again() -> None:
    both = TwoSensors()
    both.add("trunk", 0.0, shown("standing", NO_CHAIR))
    both.add("thigh", 0.0, shown("sitting", ON_BACK))
    (one,) = both.report(2.0)
    assert (one.posture, one.quality, one.of) == ("sitting", "ok", ("trunk", "thigh"))
    both.fall_silent("thigh", 20.0)
    (silent,) = both.report(30.0)
    assert (silent.at_s, silent.posture, silent.quality, silent.of) == (20.0, "standing", "degraded", ("trunk",))
    assert NO_CHAIR in silent.reason
    assert SILENT["thigh"] in silent.reason
    both.fall_silent("thigh", 20.0)
    assert list(both.report(31.0)) == [], "told once"
    both.hear_again("thigh")
    (again,) = both.report(32.0)
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
    upright = table[table["posture"] == "standing"]
    assert set(table["of"]) == {"trunk"}
    assert set(upright["quality"]) == {"degraded"}
    assert "sitting" not in set(table["posture"])


def test_a_slow_patient_on_a_rollator_walks() -> None:
    figures = list(ward_of_two([patients(50)[48]], 1 / 3))
    assert figures[0].met, figures[0]
