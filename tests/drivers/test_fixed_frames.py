"""Frames of one length behind a mark: found at any cut, and again after garbage."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.fixed_frames import STRAY, FixedFrames
from tests.drivers.wires import cut

MARK, SIZE = b"\xaa\x55", 8
WIRE = [MARK + bytes([k, 1, 2, 3, 4, k + 10]) for k in range(8)]


def cutter(*, sure: bool = True) -> tuple[FixedFrames, Counter[str]]:
    faults: Counter[str] = Counter()
    return FixedFrames(MARK, SIZE, lambda frame: frame[2] + 10 == frame[7], faults, sure=sure), faults


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize("at", range(1, SIZE * 2))
def test_every_cut_gives_the_same_frames(at: int, *, sure: bool) -> None:
    frames, faults = cutter(sure=sure)
    wire = b"".join(WIRE)
    assert frames.cut(wire[:at]) + frames.cut(wire[at:]) == (WIRE if sure else WIRE[:-1])
    assert not faults


@pytest.mark.parametrize("sure", [True, False])
@given(junk=st.binary(max_size=40), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_after_any_garbage_frames_are_found_and_what_was_none_is_counted(
    *, sure: bool, junk: bytes, sizes: list[int]
) -> None:
    wire = junk + b"".join(WIRE)
    whole, faults = cutter(sure=sure)
    found = whole.cut(wire)
    assert [frame for frame in WIRE[3:-1] if frame not in found] == []
    pieces, counted = cutter(sure=sure)
    assert [frame for piece in cut(wire, sizes) for frame in pieces.cut(piece)] == found
    assert counted == faults
    assert faults[STRAY] + SIZE * len(found) >= len(wire) - SIZE - len(MARK)


def test_a_connection_may_begin_with_the_only_frame_that_ever_comes() -> None:
    frames, _ = cutter(sure=False)
    assert frames.cut(WIRE[0]) == [WIRE[0]]


def test_without_a_good_check_sum_a_frame_waits_for_the_mark_of_the_next() -> None:
    frames, faults = cutter(sure=False)
    false = MARK + bytes([1, 0, 0, 0, 0, 11])
    assert frames.cut(b"\0" + false + b"\0\0") == []
    assert frames.cut(WIRE[0]) == []
    assert frames.cut(WIRE[1][:1]) == []
    assert frames.cut(WIRE[1][1:2]) == [WIRE[0]]
    assert faults[STRAY] == 1 + SIZE + 2


@pytest.mark.parametrize("lost", range(1, SIZE))
def test_a_frame_that_has_lost_bytes_is_not_filled_up_from_the_next(lost: int) -> None:
    alike = [MARK + bytes([k, 10 + k, 10 + k, 10 + k, 10 + k, 10 + k]) for k in range(6)]  # hold wherever they are cut
    frames, faults = cutter(sure=False)
    found = frames.cut(b"".join([*alike[:2], alike[2][:-lost], *alike[3:]]))
    assert set(found) <= set(alike)
    assert alike[4] in found
    assert faults[STRAY]


def test_memory_stays_flat_whatever_comes() -> None:
    frames, faults = cutter()
    for _ in range(1000):
        assert frames.cut(MARK * 50) == []
    assert faults[STRAY] >= 100 * 1000 - SIZE
