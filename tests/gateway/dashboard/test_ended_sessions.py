"""Results of sessions that people corrected afterwards: not theirs any more, on no page, however long ago that was."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dashboard.slot_state import RESULTS_KEPT
from gateway.dashboard.timed_view import timed_view
from gateway.dashboard.views import slot_view
from gateway.dashboard.ward import Ward
from tests.gateway.dashboard.simulated_gateway import MICRO, Walker
from tests.gateway.dashboard.test_timed_api import registry
from tests.gateway.dashboard.test_ward import NOW, Clock, send, status

Json = dict[str, Any]

NOW_US = round(NOW * MICRO)
ENDED_US = NOW_US - 60 * MICRO
BEGAN_US = ENDED_US - 60 * MICRO
OLD = {
    "id": "s-old", "subject": Walker(1).subject, "protocol": "10mwt", "started_us": BEGAN_US, "ended_us": ENDED_US,
    "discarded": False, "made_started_us": BEGAN_US, "made_ended_us": ENDED_US,
}  # fmt: skip
CUT = {"ended_us": ENDED_US - 20 * MICRO}


@pytest.fixture
def walker() -> Walker:
    return Walker(1)


@pytest.fixture
def ward(walker: Walker) -> Ward:
    """Two walks: 0.55 m/s in the newer session, in its second part, and 0.7 m/s before."""
    clock = Clock()
    ward = Ward("gateway-1", clock_us=clock, tick_us=clock)
    ward.on_message("status", "", status([walker], NOW))
    for of, value, ago in (("s-first", 0.7, 300), ("s-old-r2", 0.55, 75)):
        made = walker.measurement("tmwt10_speed", value, "none", NOW - ago, NOW - ago + 12)
        send(ward, walker, [made | {"session": of}])
    assert not ward.dropped
    return ward


def tell(ward: Ward, walker: Walker, *ended: Json) -> tuple[list[float], list[float]]:
    """Let the registry tell of sessions that have ended; return the tests and the results that pages show then."""
    ward.on_message("ward", "", registry(walker, [], list(ended)))
    shown, timed = slot_view(ward, walker.slot, NOW_US)["slot"]["tests"], timed_view(ward, walker.slot)["results"]
    return [one["value"] for one in shown], [one["value"] for one in timed]


@pytest.mark.parametrize(
    "corrected", [{"discarded": True}, {"subject": "p-zzz"}, CUT], ids=["discarded", "another's", "cut off"]
)
def test_a_result_of_a_session_that_was_corrected_stays_away_until_that_is_taken_back(
    ward: Ward, walker: Walker, corrected: Json
) -> None:
    later = [OLD | {"id": f"s-{n}"} for n in range(3)]
    assert tell(ward, walker, OLD) == ([0.55], [0.7, 0.55])
    assert tell(ward, walker, OLD | corrected) == ([0.7], [0.7]), "the one before is the last"
    assert tell(ward, walker, *later) == ([0.7], [0.7]), "the registry tells of it no more"
    assert tell(ward, walker, OLD) == ([0.55], [0.7, 0.55])


def test_a_result_that_comes_after_its_session_was_discarded_is_not_shown(ward: Ward, walker: Walker) -> None:
    first = OLD | {"id": "s-first", "discarded": True}
    assert tell(ward, walker, first, OLD | {"discarded": True}) == ([], [])
    late = walker.measurement("tmwt10_speed", 0.6, "none", NOW - 90, NOW - 80) | {"session": "s-old"}
    send(ward, walker, [late])
    assert not ward.dropped
    assert tell(ward, walker) == ([], [])


def test_the_last_of_a_test_stays_however_many_results_of_others_come(ward: Ward, walker: Walker) -> None:
    for n in range(RESULTS_KEPT + 5):
        send(ward, walker, [walker.measurement("hr_peak", 100.0 + n % 50, "none", NOW - 300 + n, NOW - 290 + n)])
    assert len(ward.slot(walker.slot).results) == RESULTS_KEPT
    assert tell(ward, walker)[0] == [100.0 + (RESULTS_KEPT + 4) % 50, 0.55]
