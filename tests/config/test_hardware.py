"""One device is never given to two: addresses in any spelling, names however they are padded, ttys by any name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError
from config.hardware import bluetooth_address, plain_name, serial_port
from config.loader import load

ADDRESS = "D4:22:CD:00:00:0A"

TWO_BEDS = """\
[[slot]]
id = "bay-a"
subject = "p-1"

[[slot.device]]
id = "dot-1"
driver = "movella_dot"
placement = "left_foot"
{one}

[[slot]]
id = "bay-b"
subject = "p-2"

[[slot.device]]
id = "dot-2"
driver = "movella_dot"
placement = "left_foot"
{other}
"""


def refused(folder: Path, one: str, other: str, text: str = TWO_BEDS) -> str:
    path = folder / "ward.toml"
    path.write_text(text.format(one=one, other=other), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "spelling",
    [
        "d4:22:cd:00:00:0a",
        "D4-22-CD-00-00-0A",
        "d422cd00000a",
        " D4 22 CD 00 00 0A ",
        "D422.CD00.000A",
        "0xD422CD00000A",
    ],
)
def test_an_address_is_taken_in_every_spelling(spelling: str) -> None:
    assert bluetooth_address(spelling) == ADDRESS


@given(st.binary(min_size=6, max_size=6), st.sampled_from([":", "-", "", " ", "."]), st.booleans())
def test_what_is_six_bytes_is_one_address(data: bytes, separator: str, upper: bool) -> None:
    spelt = data.hex(separator) if separator else data.hex()
    assert bluetooth_address(spelt.upper() if upper else spelt) == data.hex(":").upper()


@pytest.mark.parametrize("nobody", ["00:00:00:00:00:00", "ffffffffffff"])
def test_nobodys_address_is_refused(nobody: str, tmp_path: Path) -> None:
    reason = refused(tmp_path, f'address = "{nobody}"', 'address = "D4:22:CD:00:00:01"')
    assert "is no device's: read it off the device" in reason


@pytest.mark.parametrize("text", ["", "D4:22:CD:00:00", "D4:22:CD:00:00:0A:01", "D4:22:CD:00:00:0G", "dot-1"])
def test_what_is_no_address_is_refused_with_an_example(text: str, tmp_path: Path) -> None:
    reason = refused(tmp_path, f'address = "{text}"', 'address = "D4:22:CD:00:00:01"')
    assert f"slot.device.address = '{text}' must be a Bluetooth address: six pairs" in reason
    assert "line 9" in reason


def test_one_address_in_two_spellings_is_refused(tmp_path: Path) -> None:
    reason = refused(tmp_path, f'address = "{ADDRESS}"', 'address = "d422cd00000a"')
    assert reason.endswith(f"line 19: slot.device.address = '{ADDRESS}' is already another device's")


def test_the_settings_have_the_one_spelling(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    path.write_text(TWO_BEDS.format(one='address = "d4-22-cd-00-00-0a"', other='name = "x"'))
    assert load(path).slot[0].device[0].address == ADDRESS


@pytest.mark.parametrize("other", ["Movella DOT", "movella dot", "Movella  DOT ", "MOVELLA\\tDOT"])
def test_one_name_for_two_devices_is_refused_across_beds(tmp_path: Path, other: str) -> None:
    reason = refused(tmp_path, 'name = "Movella DOT"', f'name = "{other}"')
    assert "line 19: slot.device.name" in reason
    assert "already another device's: give each its own 'address'" in reason


def test_one_name_beside_addresses_is_right(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    both = 'name = "Movella DOT"\naddress = "D4:22:CD:00:00:0{}"'
    path.write_text(TWO_BEDS.format(one=both.format(1), other=both.format(2)))
    assert len(load(path).slot) == 2


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    assert "slot.device.name is empty" in refused(tmp_path, 'name = " "', 'name = "x"')


@pytest.mark.parametrize(("key", "one", "other"), [("serial", "A1", "a1 "), ("tag", "left", "LEFT")])
def test_one_serial_number_or_tag_for_two_is_refused(tmp_path: Path, key: str, one: str, other: str) -> None:
    reason = refused(tmp_path, f'name = "x"\n{key} = "{one}"', f'name = "y"\n{key} = "{other}"')
    assert f"slot.device.{key} = '{other}' is already another device's" in reason


@pytest.mark.parametrize(
    "spelling", ["{0}/by-id/usb-shimmer", "{0}//ttyUSB0", "{0}/by-id/../ttyUSB0", "by-id/usb-shimmer"]
)
def test_one_tty_by_two_names_is_refused(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").mkdir()
    (tmp_path / "by-id/usb-shimmer").symlink_to("../ttyUSB0")
    text = TWO_BEDS.replace("movella_dot", "shimmer3")
    reason = refused(tmp_path, f'port = "{tmp_path}/ttyUSB0"', f'port = "{spelling.format(tmp_path)}"', text)
    assert "line 19: slot.device.port" in reason
    assert "already" in reason


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("usb:0403:6001:A50285BI", "usb:0403:6001:A50285BI"),
        ("usb:1A86:7523", "usb:1a86:7523"),
        ("usb:0403:6011:FT4:02", "usb:0403:6011:FT4:02"),
        ("usb:0403:6011::02", "usb:0403:6011::02"),
        ("usb:303A:1001:F4:12:FA:42:1A:B4", "usb:303a:1001:F4:12:FA:42:1A:B4"),
        ("usb:303a:1001:F4:12:FA:42:1A:B4:00", "usb:303a:1001:F4:12:FA:42:1A:B4:00"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("usbserial/left", "usbserial/left"),
    ],
)
def test_a_serial_port_is_a_path_or_the_name_of_an_adapter(written: str, kept: str) -> None:
    assert serial_port(Path(written)) == Path(kept)


@pytest.mark.parametrize(
    "text", ["usb:", "usb:0403", "usb:0403:60011:A", "usb:04g3:6001:A", "usb:0403:6001:A:1", "usb:1:2:3"]
)
def test_what_is_no_name_of_an_adapter_is_refused_with_an_example(text: str, tmp_path: Path) -> None:
    reason = refused(tmp_path, f'port = "{text}"', 'port = "/dev/ttyUSB0"', TWO_BEDS.replace("movella_dot", "shimmer3"))
    assert f"slot.device.port = '{text}' must be usb:VENDOR:PRODUCT:SERIAL" in reason
    assert "line 9" in reason


def test_the_name_of_an_adapter_is_no_path(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    names = ('port = "usb:0403:6001:A1"', 'port = "usb:0403:6001:A2"')
    path.write_text(TWO_BEDS.replace("movella_dot", "shimmer3").format(one=names[0], other=names[1]))
    assert [slot.device[0].port for slot in load(path).slot] == [Path("usb:0403:6001:A1"), Path("usb:0403:6001:A2")]


def test_one_adapter_for_two_devices_is_refused(tmp_path: Path) -> None:
    text = TWO_BEDS.replace("movella_dot", "shimmer3")
    reason = refused(tmp_path, 'port = "usb:0A03:6001:A1"', 'port = "usb:0a03:6001:A1"', text)
    assert "line 19: slot.device.port = 'usb:0a03:6001:A1' is already another device's" in reason


@given(st.text(max_size=20))
def test_a_plain_name_is_its_own_plain_name(name: str) -> None:
    assert plain_name(plain_name(name)) == plain_name(name) == plain_name(f" {name}\0 ")
