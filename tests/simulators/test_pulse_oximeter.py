"""The simulated oximeter through the product's transport, decoder and operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.packet import Flag
from drivers.pulse_oximeter.driver import PulseOximeter as Driver
from drivers.pulse_oximeter.records import parse_continuous, parse_spot
from drivers.transport.ble import BleTransport
from simulators.body.saturation import Saturation
from simulators.devices.common import date_time
from simulators.devices.pulse_oximeter import PulseOximeter, encode_continuous, encode_spot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Metronome, count, decoded, on_air, streaming, until

ADDRESS = "02:50:4C:00:01:00"


async def test_saturation_pulse_and_what_lay_in_its_memory_come_back(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    clip = PulseOximeter(
        name="clip", timeline=Timeline(speed=20), hub=hub, address=ADDRESS, source=Metronome(0.75),
        saturation=Saturation(rest=97.0), stored=((7200.0, 88.0, 110.0),),
    )  # fmt: skip
    async with (
        on_air(hub, tmp_path / "r", clip) as radio,
        streaming(BleTransport(radio, service=driver.service), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 12 and count(frames, "spot"), within_s=30.0)
    samples = decoded(driver, frames, "oximetry").samples
    live = samples[samples[:, 6] == 0.0]
    assert set(live[:, 0]) == {97.0}
    assert set(live[:, 1]) == {80.0}
    assert set(live[:, 2]) == {4.2}
    (kept,) = samples[samples[:, 6] == 1.0]
    assert (kept[0], kept[1], int(kept[3])) == (88.0, 110.0, 1 << 9)
    assert 3600.0 < kept[5] < 9000.0, "about two hours old by the device's clock, which is fast here"
    assert decoded(driver, frames, "battery").samples[0, 0] == 90.0


async def test_a_clip_that_is_off_says_so(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    clip = PulseOximeter(
        name="clip", timeline=Timeline(speed=20), hub=hub, address=ADDRESS,
        source=Metronome(1.0, silent_from_s=0.0), saturation=Saturation(),
    )  # fmt: skip
    async with (
        on_air(hub, tmp_path / "r", clip) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 3)
    packet = decoded(driver, frames, "oximetry")
    assert np.isnan(packet.samples[:, :2]).all()
    assert set(packet.flags) == {int(Flag.LOSS_UNKNOWN | Flag.NO_CONTACT)}


@given(st.integers(500, 1000), st.integers(300, 2040), st.integers(0, 2000))
def test_what_is_encoded_is_decoded(spo2: int, rate: int, perfusion: int) -> None:
    data = encode_continuous(spo2 / 10, rate / 10, perfusion=perfusion / 100, away=False)
    values = parse_continuous(data).values
    assert (values["spo2"], values["pr"], values["pai"]) == (spo2 / 10, rate / 10, perfusion / 100)
    spot = parse_spot(encode_spot(spo2 // 10, rate // 10, date_time(61.0), stored=False)).values
    assert (spot["spo2"], spot["pr"], str(spot["time"])) == (spo2 // 10, rate // 10, "2026-03-12T09:01:01")


def test_saturation_falls_after_effort_has_begun_and_is_lowest_after_its_end() -> None:
    walk = Saturation(rest=97.0, effort=88.0, efforts=[(60.0, 180.0)])
    curve = [walk.percent(float(second)) for second in range(400)]
    assert curve[75] == 97.0
    assert 180 <= int(np.argmin(curve)) <= 210
    assert 88.0 < min(curve) < 90.0
    assert curve[-1] > 96.5
