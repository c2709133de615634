from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.catalogue import CATALOGUE
from dsp.contact.events import FINAL_CONTACT, GAP, INITIAL_CONTACT
from dsp.gait.gait import Contact, Shape, Walk
from dsp.gait.window import Foot
from dsp.result import Result

STEP, DOUBLE = 0.55, 0.12  # the walk of the golden values: seconds


def stroll(steps: int = 40, step: float = STEP, double: float = DOUBLE, right_later: float = 0.0) -> list[Contact]:
    """Return an even walk that begins with the left foot; the right foot's clock is off by ``right_later``."""
    contacts = []
    for i in range(steps):
        side: Foot = "left" if i % 2 == 0 else "right"
        other: Foot = "right" if i % 2 == 0 else "left"
        for foot, kind, t in (side, INITIAL_CONTACT, i * step), (other, FINAL_CONTACT, i * step + double):
            contacts.append(Contact(foot, kind, t + (right_later if foot == "right" else 0.0)))
    return contacts


def results(contacts: Sequence[Contact], *, sync_s: float | None = 0.001, exoskeleton: bool = False) -> list[Result]:
    walk = Walk(exoskeleton=exoskeleton)
    return walk.process(contacts, sync_s, math.inf) + walk.finish()


def values(found: Sequence[Result], metric: str, side: str | None = None) -> list[float]:
    return [r.value for r in found if r.metric == metric and side in {None, r.side} and r.value is not None]


def test_an_even_walk() -> None:
    found = results(stroll())
    for metric, expected in {
        "stride_time": 2 * STEP,
        "step_time": STEP,
        "stance_time": STEP + DOUBLE,
        "swing_time": STEP - DOUBLE,
        "stance_pct": 100 * (STEP + DOUBLE) / (2 * STEP),
        "swing_pct": 100 * (STEP - DOUBLE) / (2 * STEP),
        "double_support_pct": 100 * 2 * DOUBLE / (2 * STEP),
        "single_support_pct": 100 * (STEP - DOUBLE) / (2 * STEP),
        "cadence": 60 / STEP,
        "symmetry_index": 0.0,
        "symmetry_ratio": 1.0,
        "stride_time_cv": 0.0,
        "n_steps": 40.0,
        "walking_bout": 39 * STEP,
        "walking_time": 39 * STEP,
    }.items():
        assert values(found, metric) == pytest.approx([expected] * len(values(found, metric)), abs=1e-9), metric
        assert values(found, metric), metric
    assert len(values(found, "initial_contact", "left")) == 20
    assert len(values(found, "final_contact", "right")) == 20
    assert len(values(found, "stride_time")) == 38
    assert len(values(found, "step_time")) == 39


def test_every_result_keeps_the_promises_of_the_catalogue() -> None:
    for result in results(stroll(80)) + results(stroll(20)[::2]):
        metric = CATALOGUE[result.metric]
        assert result.side in metric.sides
        assert result.value is not None
        assert metric.plausible(result.value)
        assert result.start_s <= result.end_s
        assert result.n >= 1
        assert (result.quality == "ok") == (result.reason == "")


@pytest.mark.parametrize(
    ("error_s", "percent"), [(0.002, 0.7), (0.005, 1.8), (0.010, 3.6), (0.020, 7.3), (0.050, 18.2)]
)
def test_golden_effect_of_a_clock_error_on_symmetry(error_s: float, percent: float) -> None:
    found = results(stroll(right_later=error_s), sync_s=error_s)
    assert values(found, "symmetry_index") == pytest.approx([percent] * len(values(found, "symmetry_index")), abs=0.05)
    assert values(found, "stride_time") == pytest.approx([2 * STEP] * 38)
    trusted = {r.quality for r in found if r.metric == "symmetry_index"}
    assert trusted == ({"ok"} if error_s <= 0.010 else {"degraded"})
    assert {r.sync_s for r in found if r.metric == "symmetry_index"} == {error_s}


@pytest.mark.parametrize("error_s", [0.0, 0.010, 0.020, 0.030])
def test_golden_total_double_support_bears_a_clock_error(error_s: float) -> None:
    found = [r for r in results(stroll(right_later=error_s), sync_s=error_s) if r.metric == "double_support_pct"]
    assert [r.value for r in found] == pytest.approx([100 * DOUBLE / STEP] * len(found))
    assert len(found) >= 30
    if error_s > 0.020:
        assert {(r.quality, r.reason) for r in found} == {("degraded", "clocks of the feet uncertain by 30 ms")}
    else:
        assert {r.quality for r in found} == {"ok"}


def test_clocks_never_compared_are_reported() -> None:
    found = results(stroll(), sync_s=None)
    assert {r.reason for r in found if r.metric == "step_time"} == {"clocks of the feet not compared"}
    assert {r.quality for r in found if r.metric == "stride_time"} == {"ok"}


@pytest.mark.parametrize(("rate_hz", "floor"), [(25, 1.48), (50, 0.74), (100, 0.37), (200, 0.19)])
def test_golden_quantisation_floor_of_stride_variability(rate_hz: int, floor: float) -> None:
    rng = np.random.default_rng(rate_hz)
    cvs = []
    for _ in range(60):
        t = 1.1 * np.arange(51) + rng.uniform(-0.5, 0.5, 51) / rate_hz  # to the nearest sample
        found = results([Contact("left", INITIAL_CONTACT, float(x)) for x in t])
        cvs.append(values(found, "stride_time_cv")[-1])
    assert np.sqrt(np.mean(np.square(cvs))) == pytest.approx(floor, rel=0.05)


def test_one_foot_alone_says_so() -> None:
    found = results([c for c in stroll() if c.side == "right"])
    assert {r.metric for r in found} == {
        "initial_contact", "final_contact", "stride_time", "stance_time", "swing_time", "stance_pct", "swing_pct",
        "cadence", "n_steps", "walking_bout", "walking_time",
    }  # fmt: skip
    cadence = [r for r in found if r.metric == "cadence"]
    assert {(r.quality, r.reason) for r in cadence} == {("degraded", "right foot only")}
    assert cadence[-1].value == pytest.approx(60 / STEP)
    (steps,) = [r for r in found if r.metric == "n_steps"]
    assert (steps.value, steps.side, steps.reason) == (20.0, "right", "no contacts of the left foot")


def test_a_gap_makes_its_stride_invalid_and_shifts_none() -> None:
    contacts = stroll(20)
    lost = [c for c in contacts if not (c.side == "left" and 4.0 < c.time_s < 4.6)]
    found = results([*lost, Contact("left", GAP, 4.0)])
    (invalid,) = [r for r in found if r.quality == "invalid"]
    assert (invalid.metric, invalid.side, invalid.value, invalid.reason) == (
        "stride_time",
        "left",
        None,
        "samples lost",
    )
    assert invalid.start_s < 4.0 < invalid.end_s
    assert values(found, "stride_time") == pytest.approx([2 * STEP] * len(values(found, "stride_time")))
    assert values(found, "step_time") == pytest.approx([STEP] * len(values(found, "step_time")))
    assert values(found, "double_support_pct") == pytest.approx(
        [100 * DOUBLE / STEP] * len(values(found, "double_support_pct"))
    )


def test_a_missed_contact_is_counted_not_stretched_into_a_step() -> None:
    contacts = stroll(20)
    missed = [c for c in contacts if not (c.kind == INITIAL_CONTACT and c.side == "right" and 4.0 < c.time_s < 5.1)]
    assert len(missed) == len(contacts) - 1
    found = results(missed)
    assert max(values(found, "step_time")) == pytest.approx(STEP)
    assert max(r.n_rejected for r in found if r.metric == "cadence") == 1
    assert values(found, "cadence")[-1] == pytest.approx(60 / STEP)


def test_a_pause_ends_the_bout() -> None:
    first = stroll(10)
    second = [c._replace(time_s=c.time_s + 30.0) for c in stroll(6)]
    found = results(first + second)
    assert values(found, "n_steps") == [10.0, 6.0]
    assert values(found, "walking_bout") == values(found, "walking_time") == pytest.approx([9 * STEP, 5 * STEP])
    assert max(values(found, "stride_time")) == pytest.approx(2 * STEP)
    walk = Walk()
    walk.process(first, 0.001, 9 * STEP + 1.0)
    ended = walk.process([], 0.001, 9 * STEP + 3.5)
    assert [r.metric for r in ended] == ["n_steps", "walking_bout", "walking_time"], (
        "known as soon as the pause is long enough"
    )


def test_exoskeleton_gait_has_wider_limits() -> None:
    slow = stroll(12, step=4.0, double=1.5)
    assert not values(results(slow), "stride_time")
    found = results(slow, exoskeleton=True)
    assert values(found, "stride_time") == pytest.approx([8.0] * 10)
    assert values(found, "cadence")[-1] == pytest.approx(15.0)
    assert values(found, "n_steps") == [12.0]


def test_a_limp_is_asymmetry_and_no_variability() -> None:
    contacts = stroll(60, right_later=0.06)
    found = results(contacts)
    assert values(found, "symmetry_index")[-1] == pytest.approx(100 * 0.12 / STEP)
    assert values(found, "symmetry_ratio")[-1] == pytest.approx((STEP + 0.06) / (STEP - 0.06))
    assert values(found, "stride_time_cv")[-1] == pytest.approx(0.0, abs=1e-9)
    phase = 360 * (STEP - 0.06) / (2 * STEP)
    assert values(found, "pci")[-1] == pytest.approx(100 * (180 - phase) / 180)


def test_too_few_strides_are_degraded_or_not_reported() -> None:
    found = results(stroll(40))
    cadence = [r for r in found if r.metric == "cadence"]
    assert [(r.n, r.quality) for r in cadence[:3]] == [(4, "degraded"), (5, "degraded"), (6, "ok")]
    variability = [r for r in found if r.metric == "stride_time_cv"]
    assert min(r.n for r in variability) >= 20
    assert all((r.quality == "ok") == (r.n >= 30) for r in variability)


def test_an_uncertain_contact_degrades_what_rests_on_it() -> None:
    contacts = [c._replace(confidence=0.25) if abs(c.time_s - 6 * STEP) < 1e-9 else c for c in stroll(12)]
    strides = [r for r in results(contacts) if r.metric == "stride_time"]
    assert [r.quality for r in strides].count("degraded") == 2
    assert {r.reason for r in strides if r.quality == "degraded"} == {"uncertain contact"}


def shape(turn: float, at: float = 6 * STEP) -> Shape:
    return Shape("left", at + 0.3, at + 0.3 - 2 * STEP, at, 2 * STEP, 1.32, 0.15, 0.4, -1.0, turn)


def test_the_shape_of_a_stride() -> None:
    walk = Walk()
    found = walk.process(stroll(20), 0.001, math.inf, [shape(0.2)])
    measured = {r.metric: r.value for r in found if r.algorithm == "foot-stride/1"}
    assert measured == pytest.approx({
        "stride_length": 1.32, "walking_speed": 1.2, "foot_clearance": 0.15,
        "foot_strike_angle": math.degrees(0.4), "toe_off_angle": math.degrees(-1.0),
        "stride_turn": math.degrees(0.2),
    })  # fmt: skip
    nothing = shape(math.nan)._replace(length=math.nan, stride_s=math.nan, clearance=math.nan)
    found = Walk().process(stroll(20), 0.001, math.inf, [nothing])
    assert {r.metric for r in found if r.algorithm == "foot-stride/1"} == {"foot_strike_angle", "toe_off_angle"}


def steady_speeds(lengths: list[float], *, turns: tuple[int, ...] = ()) -> list[Result]:
    """Return the speeds of a walk with these strides of the left foot."""
    shapes = [shape(1.0 if k in turns else 0.1, (2 * k + 2) * STEP)._replace(length=length)
              for k, length in enumerate(lengths)]  # fmt: skip
    found = Walk().process(stroll(2 * len(lengths) + 4), 0.001, math.inf, shapes)
    return [r for r in found if r.metric == "walking_speed" and r.side == "both"]


def test_the_speed_of_a_walk_is_that_of_its_steady_strides() -> None:
    """Neither the stride that begins it nor the one that closes the feet, which a clinician would read for minutes."""
    found = steady_speeds([0.4, 1.32, 1.32, 1.32, 1.32, 0.13])
    assert [r.value for r in found] == pytest.approx([1.2, 1.2])
    assert [r.n for r in found] == [3, 4]
    assert {(r.quality, r.reason) for r in found} == {("degraded", "left foot only")}
    turning = steady_speeds([0.4, 1.32, 0.3, 1.32, 1.32, 1.32, 0.13], turns=(2,))
    assert [r.value for r in turning] == pytest.approx([1.2, 1.2]), "a stride in a turn is no steady one"
    assert not steady_speeds([0.4, 1.32, 1.32]), "three strides make a mean, and the last may be the last"
    assert not steady_speeds([1.3, math.nan, 1.3, math.nan, 1.3])


def test_a_turning_stride_stays_out_of_the_averages() -> None:
    slow = [c._replace(time_s=c.time_s + (0.4 if c.time_s > 5.3 * STEP else 0.0)) for c in stroll(60)]
    plain, informed = Walk(), Walk()
    with_it = plain.process(slow, 0.001, math.inf)
    turned = [shape(1.0, 6 * STEP + 0.4), shape(1.0, 7 * STEP + 0.4)._replace(side="right")]
    without = informed.process(slow, 0.001, math.inf, turned)
    assert values(with_it, "stride_time_cv")[-1] > 1.0
    assert values(without, "stride_time_cv")[-1] == pytest.approx(0.0, abs=1e-9)
    assert values(without, "symmetry_index")[5] == pytest.approx(0.0, abs=1e-9)
    assert values(without, "stride_time") == values(with_it, "stride_time"), "each stride is still said"


@given(
    marks=st.lists(st.floats(-1.0, 60.0), max_size=60),
    dropped=st.sets(st.integers(0, 39), max_size=30),
)
@settings(deadline=None, max_examples=60)
def test_a_walk_that_is_asked_only_when_it_is_due_gives_the_same(marks: list[float], dropped: set[int]) -> None:
    left = [c for i, c in enumerate(stroll(20)) if i not in dropped]
    asked, spared = Walk(), Walk()
    for mark in sorted(marks):
        new = [c for c in left if c.time_s <= mark + 1.0]  # some of them wait
        left = left[len(new) :]
        once = asked.process(new, 0.001, mark)
        assert (spared.process(new, 0.001, mark) if new or mark >= spared.due_s else []) == once
    assert spared.finish() == asked.finish()


def test_what_waits_when_the_session_ends_is_measured() -> None:
    walk = Walk()
    found = walk.process(stroll(20), 0.001, 10 * STEP) + walk.finish()
    assert found == results(stroll(20))
    assert len(values(found, "stride_time")) == 18


def test_a_contact_that_comes_too_late_is_dropped_and_counted() -> None:
    walk = Walk()
    walk.process(stroll(10), 0.001, 4.0)
    walk.process([Contact("left", INITIAL_CONTACT, 1.0)], 0.001, 4.5)
    assert walk.late == 1


@given(
    marks=st.lists(st.floats(0.0, 40.0), max_size=30),
    order=st.randoms(use_true_random=False),
    dropped=st.sets(st.integers(0, 79), max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_watermarks_and_order_of_arrival_change_nothing(marks: list[float], order: object, dropped: set[int]) -> None:
    contacts = [c for i, c in enumerate(stroll(40)) if i not in dropped]
    contacts += [Contact("left", GAP, 7.3)] if 3 in dropped else []
    once = results(contacts)
    walk, found, left = Walk(), [], list(contacts)
    for mark in sorted(marks):
        ready = [c for c in left if c.time_s <= mark]
        left = [c for c in left if c.time_s > mark]
        order.shuffle(ready)  # type: ignore[attr-defined]
        found += walk.process(ready, 0.001, mark)
    found += walk.process(left, 0.001, math.inf) + walk.finish()
    assert found == once


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["left", "right"]), st.integers(0, 3), st.floats(allow_nan=True), st.floats(0.0, 1.0)
        ),
        max_size=80,
    ),
    st.floats(allow_nan=True),
)
@settings(deadline=None)
def test_any_contacts_are_survived(contacts: list[tuple[Foot, int, float, float]], watermark_s: float) -> None:
    walk = Walk()
    found = walk.process([Contact(*c) for c in contacts], 0.001, watermark_s) + walk.finish()
    assert all(r.value is None or math.isfinite(r.value) for r in found)
