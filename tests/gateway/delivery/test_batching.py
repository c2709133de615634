from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.batching import MAX_ROWS, SlotBatches, by_slot
from gateway.model.row import EVENT, METRIC, Row


def row(seq: int, slot: str = "a", *, event: bool = False, size: int = 10) -> Row:
    return Row(seq, slot, EVENT if event else METRIC, b"x" * size)


def seqs(rows: list[Row]) -> list[int]:
    return [row.seq for row in rows]


def test_slot_sends_once_a_second() -> None:
    batches = SlotBatches()
    batches.add([row(1), row(2, "b"), row(3)])
    assert seqs(batches.next_batch(0.0)) == [1, 3]
    assert seqs(batches.next_batch(0.0)) == [2]
    batches.add([row(4)])
    assert batches.next_batch(0.9) == []
    assert batches.next_due() == 1.0
    batches.add([row(5)])
    assert seqs(batches.next_batch(1.0)) == [4, 5]
    assert batches.next_due() is None
    assert batches.rows == 0


def test_event_does_not_wait() -> None:
    batches = SlotBatches()
    batches.add([row(1)])
    batches.next_batch(0.0)
    batches.add([row(2), row(3, event=True)])
    assert seqs(batches.next_batch(0.1)) == [2, 3]


drawn_rows = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 400)), max_size=600)


@given(drawn_rows, st.integers(1, 5000))
def test_messages_hold_every_row_once_in_order_and_stay_small(drawn: list[tuple[str, bool, int]], limit: int) -> None:
    made = [row(i, slot, event=event, size=size) for i, (slot, event, size) in enumerate(drawn, 1)]
    batches = SlotBatches()
    batches.add(made)
    now, messages = 0.0, []
    while batches.rows:
        while message := batches.next_batch(now, limit):
            messages.append(message)
        now += 1.0
    for found in (messages, by_slot(made, limit)):
        assert sorted(seqs([each for message in found for each in message])) == seqs(made)
        for slot in "abc":
            mine = [each.seq for message in found for each in message if each.slot == slot]
            assert mine == sorted(mine)
        for message in found:
            assert len({each.slot for each in message}) == 1
            assert len(message) <= MAX_ROWS
            assert len(message) == 1 or sum(len(each.payload) + 1 for each in message) <= limit
