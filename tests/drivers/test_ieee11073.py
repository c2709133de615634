"""Numbers of medical devices, against the standard's own examples and what others wrote."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gatt.ieee11073 import float32, sfloat
from simulators.devices import ieee11073 as encoder


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0x0064, 100.0), (0xF3E8, 100.0), (0xF384, 90.0), (0xE366, 8.7), (0x0072, 114.0),
        (0xF000, 0.0), (0x7001, 1e7), (0x8001, 1e-8), (0x07FD, 2045.0), (0x0803, -2045.0), (0xFFFF, -0.1),
        (0x0FFF, -1.0),
    ],
)  # fmt: skip
def test_sixteen_bits(raw: int, value: float) -> None:
    assert sfloat(raw.to_bytes(2, "little")) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("mantissa", [0x7FE, 0x7FF, 0x800, 0x801, 0x802])
@pytest.mark.parametrize("exponent", range(16))
def test_no_number_of_sixteen_bits_whatever_its_exponent(mantissa: int, exponent: int) -> None:
    assert sfloat((exponent << 12 | mantissa).to_bytes(2, "little")) is None


@pytest.mark.parametrize(
    ("data", "value"),
    [("b00e00fe", 37.6), ("a00a00fe", 27.2), ("720100ff", 37.0), ("00000000", 0.0), ("fdff7f00", 8388605.0),
     ("ffffff00", -1.0), ("01000080", 1e-128), ("0100007f", 1e127)],
)  # fmt: skip
def test_thirty_two_bits(data: str, value: float) -> None:
    assert float32(bytes.fromhex(data)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("data", ["feff7f00", "ffff7f00", "00008000", "01008000", "020080fe"])
def test_no_number_of_thirty_two_bits(data: str) -> None:
    assert float32(bytes.fromhex(data)) is None


@given(st.binary(min_size=2, max_size=2), st.binary(min_size=4, max_size=4))
def test_any_bytes_are_a_finite_number_or_none(short: bytes, long: bytes) -> None:
    for value in (sfloat(short), float32(long)):
        assert value is None or math.isfinite(value)


@given(st.integers(-2000, 2000), st.integers(0, 3), st.integers(-8_000_000, 8_000_000), st.integers(0, 4))
def test_what_is_written_is_read(small: int, decimals: int, large: int, more: int) -> None:
    value, other = small / 10**decimals, large / 10**more
    assert sfloat(encoder.sfloat(value, decimals)) == value
    assert float32(encoder.float32(other, more)) == other
