"""Radio losses come in bursts of the lengths that real radios show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulators.sensing.loss import Channel, Loss

PACKETS = 1_500_000


def bursts(sent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length of each run of lost packets."""
    edge = np.diff(np.concatenate([[True], sent, [True]]).astype(np.int64))
    return np.flatnonzero(edge == 1) - np.flatnonzero(edge == -1)


@pytest.mark.parametrize("loss", [0.005, 0.02, 0.2])
def test_share_lost(loss: float) -> None:
    sent = Loss(Channel(loss), seed=4).sent(PACKETS)
    assert 1 - sent.mean() == pytest.approx(loss, rel=0.06)


def test_bursts_are_those_of_real_radios_on_bodies() -> None:
    lengths = bursts(Loss(Channel(0.03), seed=1).sent(PACKETS))  # some 27 thousand, as many as the real ones counted
    assert len(lengths) > 20_000
    assert np.median(lengths) == 1
    assert np.percentile(lengths, 95) == 4
    assert 30 <= lengths.max() <= 130  # the longest of so many is itself chance: 64 was seen


def test_losses_are_burstier_than_chance() -> None:
    sent = Loss(Channel(0.02), seed=2).sent(PACKETS)
    lost_after_lost = 1 - sent[1:][~sent[:-1]].mean()
    assert lost_after_lost > 0.3  # were packets lost one by one, it would be 0.02


@settings(deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(0, 700), max_size=12))
def test_the_same_packets_are_lost_however_they_are_asked_for(seed: int, counts: list[int]) -> None:
    loss = Loss(Channel(0.1), seed)
    parts = np.concatenate([np.empty(0, dtype=np.bool_), *(loss.sent(n) for n in counts)])
    np.testing.assert_array_equal(parts, Loss(Channel(0.1), seed).sent(sum(counts)))


def test_seeds_differ_and_no_loss_is_none() -> None:
    assert not np.array_equal(Loss(Channel(0.1), 1).sent(1000), Loss(Channel(0.1), 2).sent(1000))
    assert Loss(Channel()).sent(1000).all()


@pytest.mark.parametrize("wrong", [(-0.1,), (1.0,), (0.1, 0.5), (0.1, 1.6, 14.0, 2.0), (0.9,)])
def test_impossible_channels_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"loss|burst|fade"):
        Channel(*wrong)
