from __future__ import annotations

import numpy as np
import pytest

from drivers.packet import Frame
from drivers.registry import make_driver
from simulators.devices.ieee11073 import float32
from tests.drivers import profile_contract


class TestContract(profile_contract.ProfileContract):
    name = "thermometer"
    main_stream = "temperature"

    def good(self, at: int) -> bytes:
        time = bytes.fromhex("dc070c050b") + bytes(divmod(at, 60))
        return b"\x06" + float32(36.0 + at / 100, 2) + time + b"\x03"


def taken(data: bytes) -> list[float]:
    (packet,) = make_driver("thermometer").decoder().decode([Frame(0, "measurement", data)])
    row: list[float] = packet.samples[0].tolist()
    return row


def test_celsius_and_where_it_was_taken() -> None:
    celsius, site, user, age_s = taken(bytes.fromhex("06b00e00fedc070c050b321b04"))
    assert (celsius, site, age_s) == (37.6, 4.0, 0.0)
    assert np.isnan(user)


def test_fahrenheit() -> None:
    assert taken(b"\x01" + float32(99.5, 1))[0] == pytest.approx(37.5)


@pytest.mark.parametrize("special", ["ffff7f00", "00008000", "feff7f00", "02008000", "01008000"])
def test_no_temperature_is_none(special: str) -> None:
    assert np.isnan(taken(b"\x00" + bytes.fromhex(special))[0])


def test_its_records_name_no_user() -> None:
    with pytest.raises(ValueError, match="driver 'thermometer' has no option 'user'"):
        make_driver("thermometer", {"user": 1})
