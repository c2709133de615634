"""What fails begins again, within a budget; its neighbours never notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.machine import supervision
from gateway.machine.supervision import LONGEST_DELAY_S, RESTARTS, WITHIN_S, Budget, Supervision, TaskFailedError

WITHIN = 5.0


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_DELAY_S", 0.0)


@pytest.fixture
async def supervised() -> AsyncIterator[Supervision]:
    made = Supervision()
    yield made
    await made.end()


def failing(times: int, then: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    left = [times]

    async def work() -> None:
        await asyncio.sleep(0)
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError(f"{left[0]} more")
        await then()

    return work


async def for_ever() -> None:
    await asyncio.Event().wait()


async def serving(supervised: Supervision, stop: asyncio.Event) -> None:
    async with asyncio.timeout(WITHIN):
        await supervised.wait(stop)


async def test_a_part_that_fails_begins_again_and_says_so(supervised: Supervision) -> None:
    stop = asyncio.Event()

    async def mended() -> None:
        stop.set()
        await for_ever()

    supervised.start("pipeline", failing(RESTARTS, mended))
    await serving(supervised, stop)
    part = supervised.parts["pipeline"]
    assert (part.failures, part.given_up) == (RESTARTS, False)


async def test_one_failure_too_many_ends_the_process_with_a_sentence(supervised: Supervision) -> None:
    supervised.start("pipeline", failing(RESTARTS + 1, for_ever))
    with pytest.raises(TaskFailedError, match=r"'pipeline' failed 6 times.*ZeroDivisionError: 0 more") as raised:
        await serving(supervised, asyncio.Event())
    assert raised.value.advice


async def test_a_failure_before_anybody_waits_is_not_missed(supervised: Supervision) -> None:
    supervised.start("pipeline", failing(RESTARTS + 1, for_ever))
    keeper = supervised.parts["pipeline"].keeper
    assert keeper
    await asyncio.wait_for(keeper, WITHIN)
    with pytest.raises(TaskFailedError):
        await serving(supervised, asyncio.Event())


async def test_an_essential_part_must_not_end(supervised: Supervision) -> None:
    supervised.start("status", lambda: asyncio.sleep(0))
    with pytest.raises(TaskFailedError, match="ended by itself"):
        await serving(supervised, asyncio.Event())


async def test_a_device_that_fails_for_good_leaves_its_neighbours_alone(supervised: Supervision) -> None:
    stop, turns = asyncio.Event(), 0

    async def neighbour() -> None:
        nonlocal turns
        while not supervised.parts["device:a"].given_up:
            turns += 1
            await asyncio.sleep(0)
        stop.set()
        await for_ever()

    supervised.start("device:a", failing(100, for_ever), essential=False)
    supervised.start("device:b", neighbour, essential=False)
    await serving(supervised, stop)
    assert turns > RESTARTS
    assert supervised.parts["device:a"].failures == RESTARTS + 1
    assert supervised.parts["device:b"].failures == 0


async def test_a_device_may_be_done(supervised: Supervision) -> None:
    supervised.start("device:a", lambda: asyncio.sleep(0), essential=False)
    keeper = supervised.parts["device:a"].keeper
    assert keeper
    await asyncio.wait_for(keeper, WITHIN)
    assert supervised.parts["device:a"].failures == 0


async def test_what_is_stuck_is_begun_again(supervised: Supervision) -> None:
    begun = asyncio.Queue[int]()

    async def stuck() -> None:
        begun.put_nowait(1)
        await for_ever()

    supervised.start("device:a", stuck, essential=False)
    await asyncio.wait_for(begun.get(), WITHIN)
    supervised.restart("device:a", "nothing happened for 600 s")
    await asyncio.wait_for(begun.get(), WITHIN)
    assert supervised.parts["device:a"].failures == 1


async def test_a_part_that_is_dismissed_ends_in_its_own_time_and_may_begin_anew(supervised: Supervision) -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            ended.set()

    supervised.start("device:dot", work, essential=False)
    await asyncio.wait_for(begun.wait(), WITHIN)
    leaving = supervised.dismiss("device:dot")
    assert leaving is not None
    assert "device:dot" not in supervised.parts
    supervised.start("device:dot", _idle, essential=False)
    assert not leaving.done()
    may_end.set()
    await asyncio.wait({leaving}, timeout=WITHIN)
    assert ended.is_set()
    assert supervised.parts["device:dot"].failures == 0
    assert supervised.dismiss("device:nobody") is None


async def _idle() -> None:
    await asyncio.Event().wait()


async def test_what_is_done_once_may_fail(supervised: Supervision) -> None:
    async with asyncio.timeout(WITHIN):
        await supervised.once("last steps", failing(1, for_ever))
    assert (supervised.parts["last steps"].failures, supervised.parts["last steps"].given_up) == (1, True)


async def test_every_task_has_a_name_and_none_is_left(supervised: Supervision) -> None:
    before = asyncio.all_tasks()
    supervised.start("pipeline", for_ever)
    await asyncio.sleep(0)
    made = {task.get_name() for task in asyncio.all_tasks() - before}
    assert made == {"pipeline", "keeper:pipeline"}
    await supervised.end()
    assert asyncio.all_tasks() <= before


@given(st.lists(st.floats(0, 100), max_size=60))
def test_the_budget_is_a_matter_of_the_last_minutes(gaps: list[float]) -> None:
    budget, now = Budget(), 0.0
    recent: list[float] = []
    for gap in gaps:
        now += gap
        recent = [at for at in recent if at > now - WITHIN_S] + [now]
        wait_s = budget.failed(now)
        assert (wait_s is None) == (len(recent) > RESTARTS)
        assert wait_s is None or 0 <= wait_s <= LONGEST_DELAY_S
