"""Declared devices over Bluetooth: structs and lines in notifications, whole or cut, and nothing that is written."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.declared.reading import OTHER_COUNT, OTHER_SIZE
from drivers.declared_ble.driver import NOTIFIED
from drivers.packet import Frame
from drivers.registry import example_driver, make_driver
from tests.drivers.wires import Noted, cut, frames_of

TEXT: dict[str, Any] = {"stream": "force", "values": ["x N", "y N"]}


def notified(*pieces: bytes) -> list[Frame]:
    return frames_of(*pieces, channel="measurement")


class TestContract(DriverContract):
    name = "declared_ble"
    main_stream = "imu"
    forbidden = (
        ("", b""), (NOTIFIED, b"\x01"), ("6e400002-b5a3-f393-e0a9-e50e24dcca9e", b"start"),
        ("6e400002-b5a3-f393-e0a9-e50e24dcca9e", b""),
    )  # fmt: skip

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return notified(*(struct.pack("<H6h", 65530 + k & 0xFFFF, k, 2, 3, 4, 5, 6) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        del cuts
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        del whole
        return not cut


def test_several_structs_may_come_in_one_notification_and_half_a_one_is_counted() -> None:
    decoder = example_driver("declared_ble").decoder()
    pair = b"".join(struct.pack("<H6h", k, 4096, 0, 0, 0, 0, 164) for k in (1, 2))
    packets = decoded(decoder, [notified(pair, pair[:20])])
    assert packets["imu"].ticks.tolist() == [1, 2]
    assert packets["imu"].samples[0, 0] == pytest.approx(9.80665)
    assert decoder.faults == {OTHER_SIZE: 1}


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_lines_may_be_split_and_joined_over_notifications(sizes: list[int]) -> None:
    wire = b"".join(b"%d,%d\r\n" % (k, -k) for k in range(15))
    decoder = make_driver("declared_ble", TEXT).decoder()
    packets = decoded(decoder, [notified(b"hello\r\n", *cut(wire, sizes))])
    assert packets["force"].samples.tolist() == [[k, -k] for k in range(15)]
    assert not decoder.faults


def test_each_notification_may_be_a_line_without_an_end() -> None:
    decoder = make_driver("declared_ble", {**TEXT, "framing": "notification"}).decoder()
    packets = decoded(decoder, [notified(b"1,2", b"3,4\0", b"5,6\n7,8", b"9")])
    assert packets["force"].samples.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert decoder.faults == {OTHER_COUNT: 1}


def test_structs_with_a_start_may_be_cut_wherever_a_notification_is_full() -> None:
    options = {"stream": "force", "struct": "<Bh", "start": "aa55", "checksum": "crc16-xmodem", "values": ["-", "x N"]}
    body = [struct.pack("<Bh", k, k) for k in range(9)]
    wire = b"".join(b"\xaa\x55" + each + _xmodem(each).to_bytes(2, "little") for each in body)
    decoder = make_driver("declared_ble", options).decoder()
    packets = decoded(decoder, [notified(*cut(wire, [5]))])
    assert packets["force"].samples[:, 0].tolist() == list(range(9))
    assert not decoder.faults


def _xmodem(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


@pytest.mark.parametrize(
    "other", ["0000ffe1-0000-1000-8000-00805f9b34fb", "0000FFE1-0000-1000-8000-00805F9B34FB", None]
)
async def test_it_subscribes_to_the_characteristic_that_notifies_and_writes_to_none(other: str | None) -> None:
    driver = make_driver("declared_ble", TEXT if other is None else {**TEXT, "characteristic": other})
    link = Noted()
    await driver.identify(link)
    await driver.start(link)
    await driver.refresh(link)
    await driver.stop(link)
    assert link.subscribed == [("measurement", (other or NOTIFIED).lower())]
    assert not link.written


@pytest.mark.parametrize("uuid", ["ffe1", "", 3, "6e400003-b5a3-f393-e0a9-e50e24dcca9"])
def test_another_characteristic_is_a_whole_uuid(uuid: object) -> None:
    with pytest.raises(ValueError, match="characteristic is a UUID such as 6e400003-"):
        make_driver("declared_ble", {**TEXT, "characteristic": uuid})
