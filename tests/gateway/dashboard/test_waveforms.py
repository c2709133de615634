"""Frames of raw samples on their way to a viewer."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.waveforms import QUEUE, Watcher
from gateway.wire.waveform import encode, is_frame


@given(st.binary(max_size=200))
def test_no_bytes_whatever_break_the_check(payload: bytes) -> None:
    assert is_frame(payload) in {True, False}


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 8))
def test_a_frame_is_one_and_a_cut_or_padded_one_is_not(samples: int, channels: int, cut: int) -> None:
    frame = encode(1_790_000_000_000_000, 60.0, np.zeros((samples, channels)))
    assert is_frame(frame)
    assert not is_frame(frame[:-cut])
    assert not is_frame(frame + bytes(cut))
    assert not is_frame(b"\x02" + frame[1:])


async def test_a_slow_viewer_loses_the_oldest_frames_and_it_is_counted() -> None:
    dropped: Counter[str] = Counter()
    watcher = Watcher(dropped)
    for i in range(QUEUE + 3):
        watcher.put(bytes([i]))
    assert dropped == {"waveform: viewer too slow": 3}
    got = [await watcher.get(1) for _ in range(QUEUE)]
    assert got == [bytes([i]) for i in range(3, QUEUE + 3)]
