from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.receipts import LAPSE_S, MOST_HISTORIANS, MergedReceipts, Reach
from gateway.wire.receipt import Contiguous, Receipt

EPOCH = "0" * 16
NUMBERS = st.sets(st.integers(1, 80))


def has(numbers: set[int], received: set[int] | None = None) -> Receipt:
    """Return the receipt of a historian that has these."""
    stored, arrived = Contiguous(), Contiguous()
    for seq in numbers:
        stored.add(seq)
    for seq in numbers | (received or set()):
        arrived.add(seq)
    return Receipt(EPOCH, stored.upto, arrived.upto, stored.beyond(), arrived.beyond())


def within(reach: Reach, upto: int = 100) -> set[int]:
    return {seq for seq in range(1, upto + 1) if seq in reach}


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4))
def test_merged_receipts_hold_what_either_holds(parts: list[tuple[set[int], set[int]]]) -> None:
    merged = MergedReceipts()
    for i, (numbers, more) in enumerate(parts):
        assert merged.add(f"h-{i}", has(numbers, more), 0.0, retained=False)
    stored = set().union(*(numbers for numbers, _ in parts))
    received = stored.union(*(more for _, more in parts))
    for reach, plain in ((merged.stored(), stored), (merged.received(0.0), received)):
        assert within(reach) == plain
        assert reach.upto == next(n for n in range(100) if n + 1 not in plain)
        gone = [n for first, last in reach.missing(3, 90) for n in range(first, last + 1)]
        assert gone == [n for n in range(3, 91) if n not in plain]


def test_the_newest_receipt_of_a_historian_replaces_its_older_one() -> None:
    merged = MergedReceipts()
    merged.add("a", has({1, 2, 3}), 0.0, retained=False)
    merged.add("a", has({1}), 1.0, retained=False)  # its disk was lost
    assert merged.stored() == Reach(1)


def test_what_a_silent_historian_only_received_lapses_and_what_it_stored_does_not() -> None:
    merged = MergedReceipts()
    merged.add("a", has({1, 2}, {3, 5}), 0.0, retained=False)
    merged.add("b", has({4}), LAPSE_S, retained=False)
    assert within(merged.received(LAPSE_S - 1)) == {1, 2, 3, 4, 5}
    assert within(merged.received(LAPSE_S)) == {1, 2, 4}
    merged.add("a", has({1, 2}, {3, 5}), LAPSE_S, retained=True)  # the broker only remembers it
    assert within(merged.received(LAPSE_S)) == {1, 2, 4}
    merged.add("a", has({1, 2}, {3, 5}), LAPSE_S, retained=False)
    assert within(merged.received(LAPSE_S)) == {1, 2, 3, 4, 5}


def test_historians_beyond_all_reason_are_left_out() -> None:
    merged = MergedReceipts()
    assert all(merged.add(f"h-{i}", has({1}), 0.0, retained=False) for i in range(MOST_HISTORIANS))
    assert not merged.add("one-more", has({2}), 0.0, retained=False)
    assert merged.add("h-0", has({2}), 0.0, retained=False)


def test_receipts_far_apart_are_put_together() -> None:
    merged = MergedReceipts()
    merged.add("a", Receipt(EPOCH, 2**52), 0.0, retained=False)
    merged.add("b", has(set(range(2, 80))), 0.0, retained=False)
    assert merged.stored() == Reach(2**52)
