from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import errors
from drivers.transport.policy import FIRST_DELAY_S, LONGEST_DELAY_S, RESET_EVERY, Action, decide, delay_s, longest_s

EVERY_ERROR = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.DriverError)]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delays_double_up_to_a_limit_and_jitter_spreads_the_upper_half(failures: int, chance: float) -> None:
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 100) / 2)
    assert longest / 2 <= delay_s(failures, chance) <= longest


def test_a_link_that_was_up_is_tried_again_at_once_but_only_once() -> None:
    for error in (errors.LinkLostError("x"), errors.SilentStreamError("x")):
        assert decide(error, 1) is Action.RETRY
        assert all(decide(error, n) is Action.BACK_OFF for n in range(2, 20))


def test_the_transport_is_helped_along_every_few_failures() -> None:
    for error in (errors.AdapterError("x"), errors.ConnectError("x")):
        resets = [n for n in range(1, 13) if decide(error, n) is Action.RESET]
        assert resets == list(range(RESET_EVERY, 13, RESET_EVERY))


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda e: e.__name__)
def test_only_a_defect_is_given_up(error: type[errors.DriverError]) -> None:
    given_up = any(decide(error("x"), n) is Action.GIVE_UP for n in range(1, 50))
    assert given_up == (error is errors.ForbiddenWriteError)


def test_every_error_says_what_can_be_done_and_stands_in_the_tree() -> None:
    assert len(EVERY_ERROR) <= 12
    for error in EVERY_ERROR:
        assert error.__name__ in (errors.__doc__ or "")
        if error not in (errors.DriverError, errors.LinkError):
            assert error.advice.endswith((".", "?"))


def test_an_unexpected_failure_backs_off() -> None:
    assert decide(KeyError("x"), 1) is Action.BACK_OFF


def test_what_is_not_ours_to_mend_only_waits() -> None:
    for problem in ("in-use", "no-room", "adapter-off"):
        assert {decide(errors.ConnectError("x", problem=problem), n) for n in range(1, 20)} == {Action.BACK_OFF}
        assert {decide(errors.AdapterError("x", problem=problem), n) for n in range(1, 20)} == {Action.BACK_OFF}


def test_a_device_that_wants_to_be_paired_is_paired_before_long() -> None:
    unpaired = errors.ConnectError("x", problem="unpaired")
    assert [decide(unpaired, n) is Action.RESET for n in range(1, 5)] == [False, True, False, True]


def test_who_comes_back_does_not_wait_long() -> None:
    """A device that was away, an adapter that is plugged in: they are looked for again within seconds."""
    for error in (errors.NotFoundError("x"), errors.AdapterError("x"), errors.ConnectError("x", problem="no-room")):
        assert longest_s(error, streamed=False) <= 5.0
    assert longest_s(errors.ConnectError("x"), streamed=False) == LONGEST_DELAY_S
    assert longest_s(errors.LinkLostError("x"), streamed=True) <= 4.0
