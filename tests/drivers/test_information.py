"""What a device tells of itself, as far as it lets us read it; and what of it proves which one it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.settings import Device
from drivers.errors import DialogueError
from drivers.gatt.information import FIRMWARE, MAKER, MODEL, SERIAL_NUMBER, read_information
from drivers.heart_rate.driver import HeartRate
from drivers.identity import LONGEST_LINE, Identity, plain_line
from gateway.intake.known_devices import KnownDevices
from tests.drivers.test_battery import Refusing


class Telling(Refusing):
    """A link to a device that has these values and nothing else."""

    def __init__(self, **values: bytes) -> None:
        super().__init__()
        self._values = values

    async def read(self, characteristic: str) -> bytes:
        try:
            return self._values[characteristic]
        except KeyError:
            raise DialogueError("could not read: [org.bluez.Error.NotPermitted]") from None


async def test_all_that_it_tells_is_read() -> None:
    link = Telling(**{MAKER: b"Polar Electro Oy\0", MODEL: b"H10", SERIAL_NUMBER: b"0A1B2C3D", FIRMWARE: b"5.0.0"})
    identity = await HeartRate().identify(link)
    assert identity == Identity("0A1B2C3D", maker="Polar Electro Oy", model="H10", firmware="5.0.0")


async def test_what_is_refused_stays_empty_and_the_rest_is_read() -> None:
    assert await read_information(Telling(**{MODEL: b"Onyx"})) == Identity(model="Onyx")
    assert await read_information(Telling()) == Identity()


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\0\0", ""), (b" A\r\n B ", "A B"), (b"\x1b[31mred", ""), (b"x" * 200, "x" * LONGEST_LINE)],
)
def test_it_is_one_short_line(data: bytes, text: str) -> None:
    assert plain_line(data) == text


def test_new_firmware_makes_no_other_device_and_an_older_gateway_reads_the_memory(tmp_path: Path) -> None:
    device = Device(id="strap", driver="heart_rate", placement="chest", name="H10")
    known = KnownDevices(tmp_path)
    assert known.judge(device, Identity("S-1", address="D4:22:CD:00:00:01", model="H10", firmware="4.0")) == ""
    assert known.judge(device, Identity("S-1", address="D4:22:CD:00:00:01", model="H10", firmware="5.0")) == ""
    (kept,) = json.loads(known.path.read_text())["devices"].values()
    assert kept["told"] == {"serial": "S-1", "tag": "", "address": "D4:22:CD:00:00:01"}
