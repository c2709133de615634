from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.receipt import WINDOW, Contiguous, Receipt


@given(st.integers(0, 5), st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=30))
def test_contiguous_agrees_with_a_plain_set(upto: int, ranges: list[tuple[int, int]]) -> None:
    arrived, plain = Contiguous(upto), set(range(1, upto + 1))
    for first, more in ranges:
        arrived.add(first, first + more)
        plain.update(range(first, first + more + 1))
        reach = next(n for n in range(80) if n + 1 not in plain)
        assert arrived.upto == reach
        assert [n for n in range(1, 80) if n in arrived] == sorted(plain)
        assert [n for n in range(64) if arrived.beyond(64) >> n & 1] == sorted(
            n - reach - 1 for n in plain if reach < n <= reach + 64
        )
        assert arrived.beyond(8) == arrived.beyond(64) & 0xFF
        missing = [n for first, last in arrived.missing(70) for n in range(first, last + 1)]
        assert missing == [n for n in range(1, 71) if n not in plain]


def test_contiguous_keeps_few_ranges_when_slots_alternate() -> None:
    arrived = Contiguous()
    for seq in [*range(2, 1001, 2), *range(3, 1001, 2)]:
        arrived.add(seq)
    assert (arrived.upto, arrived.ranges) == (0, 1)
    arrived.add(1)
    assert (arrived.upto, arrived.ranges) == (1000, 0)


def test_receipt_comes_back_as_it_went() -> None:
    receipt = Receipt("0123456789abcdef", 42, 50)
    assert Receipt.decode(receipt.encode()) == receipt


@given(st.integers(0, 2**90), st.integers(0, 2**90))
def test_receipt_of_a_part_comes_back_as_it_went(stored: int, received: int) -> None:
    receipt = Receipt("0123456789abcdef", 42, 50, stored, received)
    assert Receipt.decode(receipt.encode()) == receipt


def test_largest_receipt_is_a_few_kilobytes() -> None:
    arrived = Contiguous()
    for seq in range(2, 3 * WINDOW, 2):
        arrived.add(seq)
    receipt = Receipt("0123456789abcdef", 0, 0, arrived.beyond(), arrived.beyond())
    assert Receipt.decode(receipt.encode()) == receipt
    assert 8_000 < len(receipt.encode()) < 12_000


def test_receipt_of_an_older_historian_speaks_of_one_number() -> None:
    receipt = Receipt.decode(b'{"v":1,"epoch":"0123456789abcdef","stored":42}')
    assert (receipt.stored, receipt.received, receipt.stored_beyond) == (42, 0, 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b"7", b"{}", b'{"v":2,"epoch":"0123456789abcdef","stored":1}',
        b'{"v":1,"epoch":"0123456789ABCDEF","stored":1}', b'{"v":1,"epoch":"0123456789abcdef","stored":-1}',
        b'{"v":1,"epoch":"0123456789abcdef","stored":true}', b'{"v":1,"epoch":"0123456789abcdef","stored":1e300}',
        b'{"v":1,"epoch":7,"stored":1}',
        b'{"v":1,"epoch":"0123456789abcdef","stored":1,"received":null}', b"\xff\xfe",
        b'{"v":1,"epoch":"0123456789abcdef","stored":1,"stored_beyond":7}',
        b'{"v":1,"epoch":"0123456789abcdef","stored":1,"stored_beyond":"A"}',
        b'{"v":1,"epoch":"0123456789abcdef","stored":1,"received_beyond":"\xc3\xa4"}',
        b'{"v":1,"epoch":"0123456789abcdef","stored":1,"received_beyond":"' + b"AAAA" * 1367 + b'"}',
    ],
)  # fmt: skip
def test_receipt_refuses(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Receipt.decode(payload)
