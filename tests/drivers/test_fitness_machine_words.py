"""What a fitness machine says that it can, and what passes over its control point, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedFrameError
from drivers.fitness_machine.describe import (
    COMMANDS,
    RANGES,
    describe_command,
    describe_features,
    describe_range,
    describe_response,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("00", {"op": "requestControl"}),
        ("02d204", {"op": "setTargetSpeed", "speedKph": 12.34}),
        ("03f4ff", {"op": "setTargetInclination", "inclinationPercent": -1.2}),
        ("0802", {"op": "stopPause", "action": "pause"}),
        ("0c030201", {"op": "setTargetedDistance", "distanceMeters": 66051}),
        ("0f0a0014001e00", {"op": "setTargetedTimeThreeHrZones", "seconds": [10, 20, 30]}),
        (
            "11e803fa000a14",
            {"op": "setIndoorBikeSimulation", "windSpeedMps": 1.0, "gradePercent": 2.5, "crr": 0.001, "cwKgPerM": 0.2},
        ),
        ("14b400", {"op": "setTargetedCadence", "cadenceRpm": 90.0}),
    ],
)
def test_commands_of_others(data: str, expected: dict[str, object]) -> None:
    assert describe_command(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("characteristic", "data", "expected"),
    [
        ("2AD4", "f401b80b3200", (5.0, 30.0, 0.5, "km/h")),
        ("2AD5", "9cff90010500", (-10.0, 40.0, 0.5, "percent")),
        ("2AD6", "016401", (1, 100, 1, "level")),
        ("2AD6", "0a0064000a00", (1.0, 10.0, 1.0, "level")),
        ("2AD7", "3cc801", (60, 200, 1, "bpm")),
        ("2AD8", "9cffa00f0500", (-100, 4000, 5, "watts")),
    ],
)
def test_ranges(characteristic: str, data: str, expected: tuple[float, float, float, str]) -> None:
    found = describe_range(characteristic, bytes.fromhex(data))
    assert (found["min"], found["max"], found["increment"], found["unit"]) == expected


def test_ranges_that_are_none() -> None:
    with pytest.raises(MalformedFrameError, match="length"):
        describe_range("2AD4", b"\0")
    with pytest.raises(MalformedFrameError, match="range"):
        describe_range("2AD8", bytes.fromhex("e80364000100"))


def test_features_have_a_bit_each() -> None:
    assert all(describe_features(bytes.fromhex("ffff0100ffff0100")).values())
    assert [name for name, has in describe_features(bytes.fromhex("0000000008000000")).items() if has] == [
        "powerTargetSettingSupported", "supportsERG",
    ]  # fmt: skip


@pytest.mark.parametrize("data", ["8005", "810501", "801501", "800501aa", "8013010203", ""])
def test_what_is_no_answer(data: str) -> None:
    with pytest.raises(MalformedFrameError, match="malformed_response"):
        describe_response(bytes.fromhex(data))


@given(st.binary(max_size=24), st.sampled_from(sorted(RANGES)), st.sampled_from(sorted(COMMANDS)))
def test_any_bytes_are_described_or_refused(data: bytes, characteristic: str, command: int) -> None:
    reads = (
        describe_features, describe_command, describe_response, lambda value: describe_range(characteristic, value),
        lambda value: describe_command(bytes([command]) + value),
    )  # fmt: skip
    for read in reads:
        try:
            read(data)
        except MalformedFrameError:
            continue
