from __future__ import annotations

import math
import re
import string

import pytest

from dsp.catalogue import CATALOGUE, METRICS, plausible_ranges
from dsp.metric import LOINC, MDC, SNOMED, Metric

# Every code that the metrics reference verified for a metric of this catalogue. A code that is not in this list was
# made up or copied from a source that nobody checked.
VERIFIED = {
    (LOINC, "55423-8"),
    (LOINC, "8867-4"),
    (LOINC, "80404-7"),
    (LOINC, "59408-5"),
    (LOINC, "64098-7"),
    (LOINC, "41950-7"),
    (SNOMED, "263487004"),
    (LOINC, "40443-4"),
    (SNOMED, "724237005"),
    (SNOMED, "444680009"),
    (SNOMED, "450736002"),
    (MDC, "8455147"),
    (MDC, "8455145"),
    (MDC, "8455161"),
    (MDC, "8455157"),
    (MDC, "8454254"),
    (MDC, "8454255"),
    (MDC, "8454258"),
    (MDC, "8454261"),
    (MDC, "8454269"),
    (MDC, "67996"),
    (MDC, "149530"),
    (MDC, "150456"),
}
UNITS = {
    "1", "s", "ms", "m", "m/s", "deg", "%", "/min", "{steps}/min", "N.m", "Cel", "V", "W", "kcal", "kg", "mm[Hg]",
    "m/s2", "m/s3", "m2/s4", "m2/s5", "Hz", "deg/s", "deg2/s2", "h", "/h", "/d", "{steps}/d", "min", "J", "J/kg",
    "N.m/kg", "W/kg", "m.%",
}  # fmt: skip
REQUIRED = (
    "initial_contact final_contact foot_flat cadence stride_time step_time stance_time stance_pct swing_time swing_pct "
    "double_support_pct single_support_pct n_steps stride_length walking_speed foot_clearance foot_strike_angle "
    "toe_off_angle symmetry_index symmetry_ratio stride_time_cv pci step_regularity stride_regularity "
    "harmonic_ratio_v harmonic_ratio_ap harmonic_ratio_ml turn_angle turn_duration walking_time heart_rate hrv_rmssd "
    "hrv_sdnn battery_pct stream_gap walking_bout hip_flexion_angle hip_rom knee_flexion_angle knee_rom "
    "knee_peak_swing ankle_dorsiflexion_angle ankle_rom"
)

every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.id)


def test_ids_are_unique_and_complete() -> None:
    assert len(CATALOGUE) == len(METRICS)
    assert set(REQUIRED.split()) <= set(CATALOGUE)


@every_metric
def test_metric_is_well_formed(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.id)
    assert metric.title
    assert metric.title[0] in string.ascii_uppercase
    assert metric.unit in UNITS
    assert metric.description.endswith(".")
    assert 0 <= metric.digits <= 3
    assert metric.sides
    assert len(set(metric.sides)) == len(metric.sides)


@every_metric
def test_codes_are_verified(metric: Metric) -> None:
    assert {(code.system, code.code) for code in metric.codes} <= VERIFIED


@every_metric
def test_limits_are_sane(metric: Metric) -> None:
    low, high = metric.limits()
    exo_low, exo_high = metric.limits(exoskeleton=True)
    if low is not None and high is not None:
        assert low < high
    if low is not None:
        assert exo_low is not None
        assert exo_low <= low
    if high is not None:
        assert exo_high is not None
        assert exo_high >= high
    assert not metric.plausible(math.nan)


def test_exoskeleton_gait_has_wider_limits() -> None:
    cadence = CATALOGUE["cadence"]
    assert not cadence.plausible(20.0)
    assert cadence.plausible(20.0, exoskeleton=True)
    assert not cadence.plausible(180.0, exoskeleton=True)
    assert cadence.plausible(40.0)
    assert cadence.plausible(172.9)


@every_metric
@pytest.mark.parametrize("exoskeleton", [False, True])
def test_ranges_are_the_limits(metric: Metric, exoskeleton: bool) -> None:
    low, high = plausible_ranges(exoskeleton=exoskeleton)[metric.id]
    limits = [limit for limit in metric.limits(exoskeleton=exoskeleton) if limit is not None]
    for value in (*limits, *(math.nextafter(x, to) for x in limits for to in (-math.inf, math.inf)), math.nan, 1e300):
        assert (low <= value <= high) == metric.plausible(value, exoskeleton=exoskeleton)


def test_no_code_names_two_metrics() -> None:
    codes = [code for metric in METRICS for code in metric.codes]
    assert len(codes) == len(set(codes))
