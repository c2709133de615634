from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.movella_dot.driver import (
    DEVICE_CONTROL,
    MEASUREMENT_CONTROL,
    MESSAGE_CONTROL,
    MovellaDotDecoder,
    measurement_command,
    parse_control,
)
from drivers.movella_dot.layout import MODES, Mode, parse_payload
from drivers.movella_dot.messages import Message, parse_message, start_sync, stop_sync, sync_status
from drivers.packet import Flag, Frame
from drivers.registry import make_driver

CONTROL = bytes(24) + struct.pack("<HB", 60, 0) + bytes(5)


def payload(ticks: int, *, acc: float = 9.81, gyr: float = 90.0, mag: int = 4096) -> bytes:
    fields = struct.pack("<I6f3h", ticks & 0xFFFFFFFF, acc, 0.5, -0.25, gyr, -45.0, 0.0, mag, 0, -mag)
    return fields.ljust(40, b"\0")


class TestContract(DriverContract):
    name = "movella_dot"
    main_stream = "imu"
    allowed = (
        (MEASUREMENT_CONTROL, bytes((1, 1, 20))),
        (MEASUREMENT_CONTROL, bytes((1, 0, 20))),
        (MESSAGE_CONTROL, stop_sync()),
        (MESSAGE_CONTROL, sync_status()),
        (MESSAGE_CONTROL, start_sync("D4:22:CD:AA:BB:CC")),
        (DEVICE_CONTROL, bytes((1, 1)) + bytes(30)),  # its light, for ten seconds
    )
    forbidden = (
        (MEASUREMENT_CONTROL, bytes((1, 1, 2))),  # another mode
        (MEASUREMENT_CONTROL, bytes((1, 1, 20, 0))),
        (MESSAGE_CONTROL, Message(1, 0x30, bytes(4)).encode()),  # erase the flash
        (MESSAGE_CONTROL, Message(3, 4).encode()),  # factory settings
        (MESSAGE_CONTROL, Message(2, 1, bytes(5)).encode()),
        (DEVICE_CONTROL, bytes((2, 0)) + bytes(30)),  # power off
        (DEVICE_CONTROL, bytes((3, 1)) + bytes(30)),  # its light, and power off
        (DEVICE_CONTROL, bytes((0x11, 1)) + bytes(30)),  # its light, and another rate
        (DEVICE_CONTROL, bytes((1, 1)) + bytes(29) + b"\1"),
        (DEVICE_CONTROL, bytes((1, 1))),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "control", CONTROL), Frame(0, "battery", b"\x50\x01")]

    def streamed(self, count: int) -> list[Frame]:
        start = 2**32 - 20 * 16667  # wraps on the way
        return [Frame(i, "measurement", payload(start + i * 16667, acc=i / 10)) for i in range(count)]

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return len(cut) >= 34  # padding of the fixed-length characteristic


def test_units_ticks_and_battery() -> None:
    got = decoded(MovellaDotDecoder(MODES["rate_mag"]), [[Frame(5, "measurement", payload(2**32 - 1))]])["imu"]
    assert got.ticks.tolist() == [2**32 - 1]
    assert got.samples[0] == pytest.approx([9.81, 0.5, -0.25, np.pi / 2, -np.pi / 4, 0, 1, 0, -1], rel=1e-6)
    assert got.flags.tolist() == [Flag.NONE]
    battery = decoded(make_driver("movella_dot").decoder(), [[Frame(1, "battery", b"\x50\x01")]])["battery"]
    assert battery.samples.tolist() == [[80.0, 1.0]]


def test_the_device_tells_its_rate() -> None:
    decoder = make_driver("movella_dot").decoder()
    assert decoder.streams["imu"].rate_hz == 60.0
    decoder.decode([Frame(0, "control", bytes(24) + b"\x1e\x00\x00")])
    assert decoder.streams["imu"].rate_hz == 30.0
    decoder.decode([Frame(0, "control", bytes(27)), Frame(0, "control", b"")])
    assert decoder.streams["imu"].rate_hz == 30.0
    assert decoder.faults == {"impossible output rate": 1, "truncated device control": 1}


def test_sensors_that_are_alike_share_what_is_said_of_their_streams() -> None:
    one, other = make_driver("movella_dot").decoder(), make_driver("movella_dot").decoder()
    assert one.streams is other.streams
    one.decode([Frame(0, "control", bytes(24) + b"\x1e\x00\x00")])
    assert other.streams["imu"].rate_hz == 60.0
    other.decode([Frame(0, "control", bytes(24) + b"\x1e\x00\x00")])
    assert one.streams is other.streams


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
def test_each_mode_fits_its_characteristic_and_decodes(mode: Mode) -> None:
    size, length = mode.payload.itemsize, mode.characteristic[1]
    assert size <= length
    data = bytearray(length)
    struct.pack_into("<I", data, 0, 1234)
    driver = make_driver("movella_dot", {"mode": mode.name})
    got = decoded(driver.decoder(), [[Frame(0, "measurement", bytes(data))]])
    assert got.keys() == {spec.name for spec, _ in mode.streams}
    assert all(packet.ticks.tolist() == [1234] for packet in got.values())
    assert driver.allows(MEASUREMENT_CONTROL, measurement_command(mode, start=True))
    with pytest.raises(MalformedFrameError, match="truncated"):
        parse_payload(bytes(data[: size - 1]), mode)


FIELDS = {
    2: "q facc", 3: "q facc", 4: "eul", 5: "q", 6: "facc", 7: "eul facc", 16: "eul facc", 18: "dq dv mag", 19: "dq dv",
    20: "acc gyr mag", 21: "acc gyr", 22: "eul facc gyr", 23: "eul facc mag", 24: "q gyr", 26: "q acc gyr",
}  # fmt: skip
SIZES = {"q": 4, "dq": 4}  # components; three of everything else


@pytest.mark.parametrize("number", sorted(FIELDS))
def test_each_mode_of_the_specification_is_read_field_by_field_into_its_streams(number: int) -> None:
    """Every component has a value of its own, small enough for a quaternion, so that none may take another's place."""
    mode = next(mode for mode in MODES.values() if mode.number == number)
    fields = FIELDS[number].split()
    data, component = struct.pack("<I", 4_000_000_000), 0
    told: dict[str, list[float]] = {}
    for field in fields:
        count = SIZES.get(field, 3)
        values = [(component + k + 1) / 32 for k in range(count)]
        component += count
        told[field] = values
        data += (
            struct.pack(f"<{count}f", *values)
            if field != "mag"
            else struct.pack("<3h", *(round(v * 4096) for v in values))
        )
    data += bytes((0x01, 0x02, 0, 0)) if number in {2, 7} else b""
    frame = Frame(0, "measurement", data.ljust(mode.characteristic[1], b"\0"))
    packets = decoded(make_driver("movella_dot", {"mode": mode.name}).decoder(), [[frame]])
    degrees = {"eul", "gyr"}
    known = {f: np.array(v) * (np.pi / 180 if f in degrees else 1.0) for f, v in told.items()}
    inertial: list[str] = [f for f in ("acc", "gyr", "mag") if f in fields] if "acc" in fields else []
    alone = ["gyr"] if "gyr" in fields and not inertial else []
    made = [f for f in fields if f not in inertial + alone]
    groups: dict[str, list[str]] = {"imu": inertial, "rotation": alone, "orientation": made}
    assert packets.keys() == {stream for stream, own in groups.items() if own}
    for stream, packet in packets.items():
        assert packet.samples[0] == pytest.approx(np.concatenate([known[f] for f in groups[stream]]), rel=1e-6)
        assert packet.ticks.tolist() == [4_000_000_000]
        assert packet.flags.tolist() == [Flag.CLIPPED if number in {2, 7} else Flag.NONE]


def test_payload_sizes_of_the_specification() -> None:
    sizes = {2: 36, 3: 32, 4: 16, 5: 20, 6: 16, 7: 32, 16: 28, 18: 38, 19: 32, 20: 34, 21: 28, 22: 40, 23: 34, 24: 32}
    assert {mode.number: mode.payload.itemsize for mode in MODES.values()} == sizes | {26: 44}


@pytest.mark.parametrize("status", [0x001, 0x020, 0x100])
def test_clipping_is_flagged(status: int) -> None:
    data = struct.pack("<I7fHBB", 1, 1.0, 0, 0, 0, 0, 0, 0, status, 0, 0)
    decoder = make_driver("movella_dot", {"mode": "ext_quat"}).decoder()
    got = decoded(decoder, [[Frame(0, "measurement", data)]])["orientation"]
    assert got.flags.tolist() == [Flag.CLIPPED]
    fresh = struct.pack("<I7fHBB", 1, 1.0, 0, 0, 0, 0, 0, 0, 0x200, 0, 0)
    assert decoder.decode([Frame(0, "measurement", fresh)])[0].flags.tolist() == [Flag.NONE]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9])
def test_values_no_sensor_measures_are_left_out(value: float) -> None:
    decoder = make_driver("movella_dot").decoder()
    good, bad = payload(1), payload(2, acc=value)
    got = decoded(decoder, [[Frame(0, "measurement", d) for d in (good, bad, good)]])["imu"]
    assert got.ticks.tolist() == [1, 1]
    assert decoder.faults == {"impossible values": 1}


def test_an_unknown_mode_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no mode 'fast': known are .*rate_mag"):
        make_driver("movella_dot", {"mode": "fast"})


@given(st.sampled_from([1, 2, 3]), st.integers(0, 255), st.binary(max_size=150))
def test_messages_come_back(mid: int, kind: int, data: bytes) -> None:
    encoded = Message(mid, kind, data).encode()
    assert sum(encoded) % 256 == 0
    assert parse_message(encoded) == Message(mid, kind, data)
    assert parse_message(encoded.ljust(160, b"\0")) == Message(mid, kind, data)


@given(st.sampled_from([1, 2, 3]), st.binary(min_size=1, max_size=30), st.integers(0, 31), st.integers(1, 255))
def test_a_changed_byte_is_noticed(mid: int, data: bytes, at: int, change: int) -> None:
    encoded = bytearray(Message(mid, data[0], data[1:]).encode())
    at %= len(encoded)
    encoded[at] ^= change
    with pytest.raises(MalformedFrameError):
        parse_message(bytes(encoded))


@given(st.binary(max_size=40))
def test_message_fields_only_ever_refuse(data: bytes) -> None:
    for mid in (1, 2, 3):
        for kind in (1, 2, 3, 0x30, 0x40, 0x43, 0x60, 0x71, 0x74, 0x50, 0x51):
            try:
                assert Message(mid, kind, data).fields()["mid"] == mid
            except MalformedFrameError as problem:
                assert "truncated" in str(problem)  # noqa: PT017 - refusing is one of two right answers


def test_published_messages() -> None:
    assert start_sync("D4:22:CD:AA:BB:CC").hex() == "020701ccbbaacd22d402"
    assert stop_sync().hex() == "020102fb"
    assert parse_message(bytes.fromhex("02025000ac")).fields()["result"] == 0
    assert parse_message(bytes.fromhex("010260019c")).fields()["file_index"] == 1
    with pytest.raises(MalformedFrameError, match="checksum"):
        parse_message(bytes.fromhex("010740df503b5b0807e0"))  # as printed in the vendor's document


def test_control_is_read() -> None:
    assert parse_control(CONTROL).rate_hz == 60
