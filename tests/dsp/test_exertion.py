"""Heart and lungs in exertion: peak, recovery, the lowest saturation, rest, and the ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.exertion.effort import Effort
from dsp.exertion.pacing import ONSET_S, Pacing
from dsp.exertion.resting import RestingRate
from dsp.result import Quality, Result


def reading(metric: str, at_s: float, value: float | None, quality: Quality = "ok") -> Result:
    return Result(
        metric, value, "none", at_s, at_s, 1, "test/1", quality=quality, reason="" if quality == "ok" else "r"
    )


def each_second(metric: str, level: Callable[[float], float | None], until_s: int, from_s: int = 0) -> list[Result]:
    return [reading(metric, float(second), level(second)) for second in range(from_s, until_s)]


def heart(second: float) -> float:
    """Return the rate of a heart that works from 60 to 240 s: 70, up to 130, and back by 24 within a minute."""
    if second < 60:
        return 70.0
    if second <= 240:
        return 70.0 + 60.0 * min(1.0, (second - 60) / 120)
    return 130.0 - 0.4 * min(100.0, second - 240)


def saturation(second: float) -> float:
    """Return the saturation of the same test: it is lowest 20 s after the end."""
    if second <= 60:
        return 97.0
    return max(88.0, 97.0 - 9.0 * (second - 60) / 200) if second <= 270 else min(95.0, 88.0 + (second - 270) / 5)


def by_metric(results: Iterable[Result]) -> dict[str, Result]:
    return {result.metric: result for result in results}


def run(effort: Effort, results: Sequence[Result], end_s: float | None = None) -> dict[str, Result]:
    """Feed what comes in order; the session ends after so many seconds."""
    found: list[Result] = []
    over = False
    for result in sorted(results, key=lambda result: result.end_s):
        if end_s is not None and not over and result.end_s > end_s:
            found += effort.end(end_s)
            over = True
        found += effort.process([result])
    found += effort.finish()
    assert len(by_metric(found)) == len(found), "each once"
    return by_metric(found)


ALL = [*each_second("heart_rate", heart, 330), *each_second("spo2", saturation, 330)]


def test_a_test_gives_peak_and_recovery_and_the_lowest_saturation_of_the_minute_after_it() -> None:
    found = run(Effort(), ALL, end_s=240.0)
    assert {metric: round(result.value or 0.0, 1) for metric, result in found.items()} == {
        "hr_peak": 130.0, "hr_recovery_60": 24.0, "spo2_nadir": 88.0, "desaturation": 9.0, "spo2_recovery_60": 6.0,
    }  # fmt: skip
    assert {result.quality for result in found.values()} == {"ok"}
    assert (found["hr_peak"].start_s, found["hr_peak"].end_s) == (0.0, 240.0)


def test_the_peak_is_there_at_the_end_and_the_rest_a_minute_later() -> None:
    effort = Effort()
    list(effort.process([result for result in ALL if result.end_s <= 240]))
    assert [result.metric for result in effort.end(240.0)] == ["hr_peak"]
    assert list(effort.process([result for result in ALL if 240 < result.end_s <= 304])) == []
    assert len(list(effort.process([result for result in ALL if result.end_s > 304]))) == 4


def test_marks_of_people_go_before_the_session() -> None:
    effort = Effort()
    found: list[Result] = []
    for result in sorted(ALL, key=lambda result: result.end_s):
        if result.end_s == 120 and result.metric == "heart_rate":
            found += effort.mark("start", 120.0)
        if result.end_s == 180 and result.metric == "heart_rate":
            found += effort.mark("stop", 180.0)
        found += effort.process([result])
    found += effort.end(330.0)
    assert [result.metric for result in found].count("hr_peak") == 1
    assert (by_metric(found)["hr_peak"].start_s, by_metric(found)["hr_peak"].end_s) == (120.0, 180.0)
    assert by_metric(found)["desaturation"].value == pytest.approx(saturation(90) - saturation(239), abs=0.3)


def test_one_wrong_reading_makes_no_peak_and_no_nadir() -> None:
    wrong = [reading("heart_rate", 100.5, 220.0), reading("spo2", 100.5, 60.0)]
    found = run(Effort(), [*ALL, *wrong], end_s=240.0)
    assert (found["hr_peak"].value, found["spo2_nadir"].value) == (130.0, 88.0)


def test_doubtful_saturations_are_left_out_and_counted() -> None:
    doubtful = [
        r._replace(value=60.0, quality="degraded") if 100 <= r.end_s < 200 and r.metric == "spo2" else r for r in ALL
    ]
    nadir = run(Effort(), doubtful, end_s=240.0)["spo2_nadir"]
    assert (nadir.value, nadir.quality, nadir.n_rejected) == (88.0, "degraded", 100)
    assert "33% of the saturations are doubtful" in nadir.reason


def test_what_cannot_be_known_has_no_value_and_a_reason() -> None:
    found = run(Effort(), [r for r in ALL if r.end_s <= 260], end_s=240.0)
    assert (found["hr_recovery_60"].value, found["hr_recovery_60"].reason) == (None, "no heart rate 60 s after the end")
    assert found["hr_recovery_60"].quality == "invalid"
    nothing = run(Effort(), each_second("heart_rate", lambda _: None, 300), end_s=200.0)
    assert {(r.value, r.quality, r.reason) for r in nothing.values()} == {(None, "invalid", "too few heart rates")}
    assert run(Effort(), [], end_s=None) == {}
    gone = run(Effort(), [r for r in ALL if not 20 <= r.end_s < 230], end_s=240.0)
    assert gone["hr_peak"].quality == "degraded"


def test_an_interrupted_test_says_so() -> None:
    found = run(Effort("interrupted"), ALL, end_s=240.0)
    assert {(result.quality, result.reason) for result in found.values()} == {("degraded", "interrupted")}


def test_the_distance_saturation_product_is_the_distance_times_the_lowest() -> None:
    walked = reading("mwt6_distance", 240.0, 400.0)
    assert run(Effort(), [*ALL, walked], end_s=240.5)["distance_saturation_product"].value == pytest.approx(352.0)
    doubtful = walked._replace(quality="degraded", reason="no laps")
    assert run(Effort(), [*ALL, doubtful], end_s=240.5)["distance_saturation_product"].reason == "no laps"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_any_portions_give_the_same(sizes: list[int]) -> None:
    found: list[Result] = []
    effort, rest = Effort(), sorted(ALL, key=lambda result: result.end_s)
    while rest:
        for size in sizes:
            found += effort.process(rest[:size])
            rest = rest[size:]
    found += [*effort.end(240.0), *effort.finish()]
    alone = Effort()
    expected = [*alone.process(sorted(ALL, key=lambda r: r.end_s)), *alone.end(240.0), *alone.finish()]
    assert found == expected


# --- rest ---


def test_the_resting_rate_is_the_lowest_mean_of_five_minutes() -> None:
    rates = each_second("heart_rate", lambda s: 60.0 if 1800 <= s < 2400 else 80.0, 5000)
    found = list(RestingRate().process(rates))
    assert found[-1].value == pytest.approx(60.0)
    assert 1800 <= found[-1].start_s < found[-1].end_s <= 2400
    assert found[-1].end_s - found[-1].start_s == 300.0
    assert (found[0].quality, found[-1].quality) == ("degraded", "ok")
    assert "no rest" in found[0].reason
    assert len(found) < 12, "told where it is another one"


def test_minutes_in_which_somebody_walked_are_no_rest() -> None:
    rates = each_second("heart_rate", lambda s: 50.0 if 600 <= s < 1200 else 70.0, 4200)
    walked = [reading("initial_contact", float(second), 1.0) for second in range(600, 1200, 60)]
    both = sorted([*rates, *walked], key=lambda result: result.end_s)
    assert list(RestingRate().process(both))[-1].value == pytest.approx(70.0)


def test_a_session_of_rest_needs_no_hour_and_silence_is_no_rest() -> None:
    rates = each_second("heart_rate", lambda _: 66.0, 420)
    (found,) = RestingRate(at_rest=True).process(rates)
    assert (found.value, found.quality) == (66.0, "ok")
    assert list(RestingRate(at_rest=True).process(rates[:200] + rates[-60:])) == []
    later = [result._replace(end_s=result.end_s + 1e6) for result in rates]
    assert len(list(RestingRate(at_rest=True).process([*rates, *later]))) <= 2


# --- the ceiling ---


def paced(rates: Sequence[Result], ceiling: float = 110.0) -> list[Result]:
    pacing = Pacing(ceiling)
    return [*pacing.process(rates), *pacing.end(rates[-1].end_s)]


def test_time_above_the_ceiling_is_counted_and_one_long_while_is_one_event() -> None:
    found = paced(each_second("heart_rate", lambda s: 120.0 if 100 <= s < 220 else 90.0, 400))
    (event,) = [result for result in found if result.metric == "ceiling_exceeded"]
    assert event.start_s == event.end_s == 100.0 + ONSET_S
    assert found[-1].metric == "time_above_ceiling"
    assert found[-1].value == pytest.approx(120.0)
    assert (found[-1].start_s, found[-1].end_s) == (0.0, 399.0)


def test_a_rate_that_goes_to_and_fro_calls_once_and_another_while_calls_again() -> None:
    def rate(second: float) -> float:
        return 120.0 if 100 <= second < 140 or 160 <= second < 200 or 400 <= second < 450 else 90.0

    events = [r for r in paced(each_second("heart_rate", rate, 600)) if r.metric == "ceiling_exceeded"]
    assert [event.end_s for event in events] == [130.0, 430.0]


def test_a_short_overshoot_calls_nobody_and_a_gap_counts_for_nothing() -> None:
    assert not [r for r in paced(each_second("heart_rate", lambda s: 120.0 if s < 25 else 90.0, 100))
                if r.metric == "ceiling_exceeded"]  # fmt: skip
    gap = [reading("heart_rate", 0.0, 120.0), reading("heart_rate", 3600.0, 120.0)]
    found = paced(gap)
    assert [result.metric for result in found] == ["time_above_ceiling"]
    assert found[0].value == 0.0


def marked(*marks: tuple[float, str]) -> list[Result]:
    effort, waiting, found = Effort(), list(marks), list[Result]()
    for result in sorted(ALL, key=lambda result: result.end_s):
        while waiting and waiting[0][0] <= result.end_s:
            at_s, text = waiting.pop(0)
            found += effort.mark(text, at_s)
        found += effort.process([result])
    return [*found, *effort.end(330.0), *effort.finish()]


def test_a_start_after_a_stop_begins_another_test() -> None:
    """Somebody stopped the wrong test, or the patient begins again."""
    peaks = [r for r in marked((20.0, "stop"), (60.0, "start"), (240.0, "stop")) if r.metric == "hr_peak"]
    assert [(peak.value, peak.start_s, peak.end_s) for peak in peaks] == [(70.0, 0.0, 20.0), (130.0, 60.0, 240.0)]


def test_a_stop_before_the_first_reading_is_of_no_test() -> None:
    assert by_metric(marked((-1.0, "stop")))["hr_peak"].value == 130.0


def test_what_is_known_of_a_recovery_ends_where_nothing_was_seen_any_more() -> None:
    """The next patient may be in the bed by then, and a window that reaches into their time looks like theirs."""
    found = run(Effort(), each_second("heart_rate", heart, 255), end_s=240.0)
    assert found["hr_recovery_60"].value is None
    assert found["hr_recovery_60"].end_s == 254.0
    whole = run(Effort(), each_second("heart_rate", heart, 330), end_s=240.0)
    assert (whole["hr_recovery_60"].quality, whole["hr_recovery_60"].end_s) == ("ok", 300.0)
