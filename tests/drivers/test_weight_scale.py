from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.gatt.kept import ANOTHER_USER
from drivers.packet import Frame
from drivers.registry import make_driver
from drivers.weight_scale.driver import parse_measurement
from tests.drivers import profile_contract

TIME = bytes.fromhex("e8070b1d170839")


class TestContract(profile_contract.ProfileContract):
    name = "weight_scale"
    main_stream = "weight"

    def good(self, at: int) -> bytes:
        time = TIME[:5] + bytes(divmod(at, 60))
        return struct.pack("<BH", 0x0E, 14000 + at) + time + struct.pack("<BHH", 1, 231, 1740)


def weighed(data: bytes, **options: object) -> tuple[dict[str, float], dict[str, int]]:
    decoder = make_driver("weight_scale", options).decoder()
    packets = decoder.decode([Frame(0, "measurement", data)])
    row = packets[0].samples[0].tolist() if packets else []
    return dict(zip(decoder.streams["weight"].channels, row, strict=False)), dict(decoder.faults)


def test_kilograms_and_metres() -> None:
    row, _ = weighed(struct.pack("<BH", 0x0C, 14110) + struct.pack("<BHH", 2, 233, 1740))
    assert (row["weight"], row["bmi"], row["height"], row["user"]) == (70.55, 23.3, 1.74, 2.0)
    assert np.isnan(row["age"])


def test_pounds_and_inches() -> None:
    row, _ = weighed(struct.pack("<BH", 0x09, 15550) + struct.pack("<HH", 233, 685))
    assert row["weight"] == pytest.approx(70.534, abs=1e-3)
    assert row["height"] == pytest.approx(1.7399, abs=1e-4)
    assert parse_measurement(struct.pack("<BH", 1, 15550)).values["weight"] == 155.5


def test_a_weighing_that_failed_is_no_weight_of_328_kg() -> None:
    assert np.isnan(weighed(struct.pack("<BH", 0, 0xFFFF))[0]["weight"])


def test_another_user_s_weight_is_not_the_patient_s() -> None:
    hers, his = struct.pack("<BHB", 4, 12000, 2), struct.pack("<BHB", 4, 16000, 1)
    assert weighed(his, user=1)[0]["weight"] == 80.0
    assert weighed(hers, user=1) == ({}, {ANOTHER_USER: 1})
    assert weighed(struct.pack("<BHB", 4, 12000, 255), user=1) == ({}, {ANOTHER_USER: 1}), "nobody knows whose"
    assert weighed(struct.pack("<BH", 0, 12000), user=1)[1] == {ANOTHER_USER: 1}
    assert weighed(hers)[0]["weight"] == 60.0


@pytest.mark.parametrize("user", [-1, 255, 1.0, True, "anna"])
def test_a_user_that_is_no_number_is_refused(user: object) -> None:
    with pytest.raises(ValueError, match="is no number of a user, 0 to 254"):
        make_driver("weight_scale", {"user": user})
