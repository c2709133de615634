"""The simulated strap through the product's transport and decoder."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.heart_rate.driver import HeartRate as Driver
from drivers.heart_rate.driver import parse_measurement
from drivers.transport.ble import BleTransport
from simulators.devices.heart_rate import HeartRateStrap, encode_measurement
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Metronome, count, decoded, on_air, streaming, until

ADDRESS = "02:48:52:00:01:00"


async def test_rate_intervals_and_battery_come_back(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    strap = HeartRateStrap(name="chest", timeline=Timeline(speed=20), hub=hub, address=ADDRESS, source=Metronome(0.75))
    async with (
        on_air(hub, tmp_path / "r", strap) as radio,
        streaming(BleTransport(radio, service=driver.service), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 12)
    rates = decoded(driver, frames, "heart_rate")
    assert set(rates.samples[:, 0]) == {80.0}
    assert set(rates.samples[:, 1]) == {1.0}
    intervals = decoded(driver, frames, "rr")
    assert set(intervals.samples[:, 0]) == {0.75}
    # each second brings the beats of that second, no more and no less
    assert abs(len(intervals) * 0.75 - len(rates)) <= 1
    assert decoded(driver, frames, "battery").samples[0, 0] == 90.0


async def test_a_strap_without_a_signal_says_so(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    source = Metronome(1.0, silent_from_s=0.0)
    strap = HeartRateStrap(name="chest", timeline=Timeline(speed=20), hub=hub, address=ADDRESS, source=source)
    async with (
        on_air(hub, tmp_path / "r", strap) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 3)
    rates = decoded(driver, frames, "heart_rate")
    assert np.isnan(rates.samples[:, 0]).all()
    assert not rates.samples[:, 1].any()


@given(
    rate=st.integers(0, 400),
    rr_1024=st.lists(st.integers(1, 0xFFFF), max_size=9),
    contact=st.booleans(),
)
def test_what_is_encoded_is_decoded(rate: int, rr_1024: list[int], contact: bool) -> None:
    measured = parse_measurement(encode_measurement(rate, [rr / 1024 for rr in rr_1024], contact=contact))
    assert measured.heart_rate == rate
    assert measured.rr_1024 == tuple(rr_1024)
    assert measured.contact is contact
    assert measured.energy_kj is None


@pytest.mark.parametrize("data", ["165a9a02", "165d8502"])
def test_bytes_that_a_real_strap_sent_are_encoded_so(data: str) -> None:
    raw = bytes.fromhex(data)
    assert encode_measurement(raw[1], [struct.unpack_from("<H", raw, 2)[0] / 1024], contact=True) == raw
