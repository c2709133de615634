"""The truth that a changing ward is held against."""

from __future__ import annotations

import random
from dataclasses import replace

from gateway.model.measurement import Measurement
from tests.faults.people import STEP_US, Asked, People
from tests.gateway.samples import measurement

LATER_US = 10 * STEP_US


def at(begin_us: int) -> Measurement:
    return replace(measurement(), start_us=begin_us, end_us=begin_us)


def people() -> People:
    return People({"bed-1": "p-1", "bed-2": "p-2", "bed-3": ""}, {"strap": "bed-1", "spare": ""})


def test_a_heart_is_of_who_wore_the_strap_then_and_of_either_only_while_it_went_over() -> None:
    ward = people()
    ward.apply(Asked("take-off", {"device": "strap"}, 1_000_000, 1_050_000))
    ward.apply(Asked("assign", {"device": "strap", "bed": "bed-2"}, 3_000_000, 3_050_000))
    assert ward.may_be("strap", at(1_000_000 - LATER_US // 5)) == {"p-1"}
    assert ward.may_be("strap", at(1_020_000)) == {"p-1", ""}
    assert ward.may_be("strap", at(2_000_000)) == {""}
    assert ward.may_be("strap", at(3_020_000)) == {"", "p-2"}
    assert ward.may_be("strap", at(3_050_000 + LATER_US)) == {"p-2"}
    assert ward.may_be("spare", at(2_000_000)) == {""}


def test_who_moves_takes_the_strap_along_and_who_leaves_does_not() -> None:
    ward = people()
    ward.apply(Asked("move", {"subject": "p-1", "bed": "bed-3"}, 1, 2))
    assert ward.wearers() == {"strap": "p-1", "spare": ""}
    ward.apply(Asked("discharge", {"subject": "p-1"}, 3, 4))
    assert ward.wearers() == {"strap": "", "spare": ""}
    assert ward.beds == {"bed-1": "", "bed-2": "p-2", "bed-3": ""}


def test_only_what_is_possible_is_drawn() -> None:
    ward, rng = people(), random.Random(1)
    seen = set()
    for n in range(500):
        name, fields = ward.draw(rng)
        seen.add(name)
        if name == "admit":
            assert not ward.beds[fields["bed"]]
        if name == "assign":
            assert (ward.beds[fields["bed"]], ward.bed_of[fields["device"]]) != ("", "")
        ward.apply(Asked(name, fields, n, n))
    assert len(seen) == 7
