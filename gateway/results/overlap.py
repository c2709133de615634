"""What several sensors told of one time, so that it is counted once.

Somebody may wear sensors of two gateways, or at two places, and each tells of the same hour. Nothing here sees a
metric: who is believed more is the matter of who asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple


class Stretch(NamedTuple):
    """What one source told of a stretch of time.

    Attributes:
        source: Which sensors, of which session: what they tell one after the other is of different times.
        rank: The lower, the better that place is for this metric.
        metric: Id in the catalogue.
        start_us: From when, UTC microseconds.
        end_us: To when; of an instant the same.
        value: What it told.
        n: Of how many samples, steps or strides.
        is_good: Whether it is of good quality.
    """

    source: str
    rank: int
    metric: str
    start_us: int
    end_us: int
    value: float
    n: int
    is_good: bool


def length_us(one: Stretch) -> float:
    """Return how long a stretch is, microseconds."""
    return one.end_us - one.start_us


def own_shares(stretches: Sequence[Stretch], doubt: Callable[[Stretch], Any]) -> list[float]:
    """Return the share of the time of each stretch of which no other source told that is doubted less.

    Args:
        stretches: In any order.
        doubt: How much a stretch is doubted, as a key to sort by; equal only for one source.
    """
    if len({one.source for one in stretches}) < 2:
        return [1.0] * len(stretches)
    doubts = [doubt(one) for one in stretches]
    covered: dict[int, list[tuple[int, int]]] = defaultdict(list)
    newest: list[int] = []
    for i in sorted(range(len(stretches)), key=lambda i: stretches[i].start_us):
        one = stretches[i]
        newest = [j for j in newest if stretches[j].end_us > one.start_us]
        for j in newest:
            if stretches[j].source != one.source:
                covered[max(i, j, key=doubts.__getitem__)].append((one.start_us, min(one.end_us, stretches[j].end_us)))
        newest.append(i)
    return [
        1.0 - _covered_us(covered[i]) / max(1, one.end_us - one.start_us) if i in covered else 1.0
        for i, one in enumerate(stretches)
    ]


def believed_occasions(stretches: Iterable[Stretch], weight: Callable[[Stretch], float]) -> Iterator[Stretch]:
    """Yield, of stretches that share time, those of the source that told of most; each is one occasion, or a part.

    Args:
        stretches: In any order; those of one source share no time.
        weight: How much a stretch counts against those of other sources.
    """
    group: list[Stretch] = []
    ends_us = 0
    for one in sorted(stretches, key=lambda one: one.start_us):
        if group and one.start_us >= ends_us:
            yield from _most(group, weight)
            group = []
        ends_us = max(ends_us, one.end_us) if group else one.end_us
        group.append(one)
    if group:
        yield from _most(group, weight)


def _most(group: Sequence[Stretch], weight: Callable[[Stretch], float]) -> Iterator[Stretch]:
    """Yield the stretches of one source: that with the greatest weight, then of the best place."""
    weights: dict[tuple[int, str], float] = defaultdict(float)
    for one in group:
        weights[one.rank, one.source] += weight(one)
    _, source = min(weights, key=lambda by: (-weights[by], *by))
    return (one for one in group if one.source == source)


def _covered_us(parts: Iterable[tuple[int, int]]) -> int:
    """Return how much time stretches cover together."""
    total, upto = 0, 0
    for start_us, end_us in sorted(parts):
        total += max(0, end_us - max(start_us, upto))
        upto = max(upto, end_us)
    return total
