from __future__ import annotations

import numpy as np
import pytest

from dsp.lower_back.lower_back import BOUT, INITIAL_CONTACT
from tests.dsp.test_lower_back import detect, of
from tests.dsp.walker import walker


@pytest.mark.parametrize("cadence_spm", [55.0, 60.0, 65.0, 68.0, 72.0])
def test_a_slow_walker_who_is_lifted_twice_a_step_takes_one_step(cadence_spm: float) -> None:
    stream = walker(cadence_spm=cadence_spm, steps=16, force=1.5, lift_off=1.5)
    events = detect(stream, height_m=1.75)
    contacts, (bout,) = of(events, INITIAL_CONTACT), of(events, BOUT)
    assert bout["cadence_spm"] == pytest.approx(cadence_spm, rel=0.03)
    assert abs(len(contacts) - 16) <= 1
    nearest = np.abs(contacts["index"][:, None] - stream.contacts).min(axis=1)
    assert np.median(nearest) < 8.0


@pytest.mark.parametrize("limp", [0.2, 0.3, -0.25])
def test_who_limps_walks(limp: float) -> None:
    stream = walker(cadence_spm=90.0, limp=limp)
    events = detect(stream, height_m=1.75)
    contacts, (bout,) = of(events, INITIAL_CONTACT), of(events, BOUT)
    assert len(contacts) == len(stream.contacts)
    assert np.abs(contacts["index"] - stream.contacts).max() < 6.0 + 0.4 * abs(limp) * 67.0
    assert bout["cadence_spm"] == pytest.approx(90.0, rel=0.03)


def test_what_comes_in_no_beat_is_no_walk() -> None:
    stream = walker(steps=16)
    stream.gyr[:] = 0.0
    stream.acc[:, 2] = 9.80665
    at = 2.0
    for wait_s in (0.7, 1.2, 0.4, 1.3, 0.6, 0.35, 0.9, 1.5, 0.5):
        at += wait_s
        rows = np.arange(int((at - 0.2) * 100), int((at + 0.2) * 100))
        stream.acc[rows, 2] += 3.0 * np.sin(2.0 * np.pi * (rows / 100.0 - at) / 0.4)
    assert len(of(detect(stream), BOUT)) == 0
