"""Which hardware is which: remembered from the first time, compared later, changed on a person's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Device, Placement, Settings, Site, Slot
from drivers.errors import OtherDeviceError
from drivers.identity import Identity, Side
from gateway.cli.accept import accept
from gateway.intake.known_devices import FILE, KnownDevices
from gateway.model.usage import UsageError

ONE, OTHER = Identity("S-1", "left", "D4:22:CD:00:00:01"), Identity("S-2", "right", "D4:22:CD:00:00:02")


def dot(name: str = "dot-left", **found_by: str) -> Device:
    return Device(
        id=name,
        driver="movella_dot",
        placement="left_foot",
        **(found_by or {"name": name}),
    )


@pytest.fixture
def known(tmp_path: Path) -> KnownDevices:
    return KnownDevices(tmp_path)


def refused(known: KnownDevices, device: Device, identity: Identity) -> str:
    with pytest.raises(OtherDeviceError) as problem:
        known.judge(device, identity)
    return str(problem.value)


def test_the_first_is_remembered_over_restarts(known: KnownDevices, tmp_path: Path) -> None:
    known.judge(dot(), ONE)
    later = KnownDevices(tmp_path)
    assert later.address(dot()) == ONE.address
    assert later.judge(dot(), ONE) == ""
    assert "tells serial S-2, and until now this one told S-1" in refused(later, dot(), OTHER)
    assert later.judge(dot(), ONE) == "", "the right one is taken all the same"


def test_left_is_not_taken_for_right(known: KnownDevices) -> None:
    known.judge(dot("dot-left"), ONE)
    assert "is 'dot-left' (serial S-1)" in refused(known, dot("dot-right"), ONE)
    known.judge(dot("dot-right"), OTHER)
    assert "S-2" in refused(known, dot("dot-left"), OTHER)


@pytest.mark.parametrize(
    ("side", "placement", "taken"),
    [
        ("left", "left_foot", True), ("right", "right_shank", True), ("", "left_foot", True), ("left", "chest", True),
        ("right", "lower_back", True), ("left", "right_foot", False), ("right", "left_foot", False),
        ("right", "left_thigh", False),
    ],
)  # fmt: skip
def test_what_is_for_one_side_is_never_taken_for_the_other(
    known: KnownDevices, side: Side, placement: Placement, taken: bool
) -> None:
    insole = Device(id="insole", driver="orphe", placement=placement, address="D4:22:CD:00:00:01")
    if taken:
        assert known.judge(insole, ONE.on(side)) == ""
        return
    words = placement.replace("_", " ")
    assert refused(known, insole, ONE.on(side)) == (
        f"the device that was found says that it is for the {side} side, and is to be worn on the {words}:"
        " nothing is read from it"
    )
    assert known.read() == {}, "nothing is remembered of what is refused"


def test_a_tag_proves_where_there_is_no_serial_number(known: KnownDevices) -> None:
    back = Device(id="back", driver="shimmer3", placement="lower_back", port=Path("/dev/rfcomm0"))
    known.judge(back, Identity(tag="Shimmer3-9A66"))
    assert known.judge(back, Identity(tag="shimmer3-9a66")) == ""
    assert "tells tag Shimmer3-1111, and until now" in refused(known, back, Identity(tag="Shimmer3-1111"))


def test_a_new_tag_of_one_serial_number_is_the_same_device(known: KnownDevices) -> None:
    known.judge(dot(), ONE)
    assert known.judge(dot(), Identity("S-1", "renamed", ONE.address)) == ""
    assert known.read()["dot-left"].identity.tag == "renamed"


def test_an_address_that_changes_is_a_doubt_only_where_nothing_proves(known: KnownDevices) -> None:
    known.judge(dot(), Identity(address="C0:FF:EE:00:00:01"))
    doubt = known.judge(dot(), Identity(address="C0:FF:EE:00:00:02"))
    assert doubt == "its address was C0:FF:EE:00:00:01, it is C0:FF:EE:00:00:02, and it tells no serial number"
    known.judge(dot("other"), ONE)
    assert known.judge(dot("other"), Identity("S-1", "left", "C0:FF:EE:00:00:09")) == ""


def test_another_usb_adapter_under_the_same_tty_is_a_doubt(known: KnownDevices) -> None:
    """Who plugs two in again the other way round exchanges two patients: nothing else tells of it."""
    back = Device(id="back", driver="bno08x_rvc", placement="lower_back", port=Path("/dev/ttyUSB0"))
    assert known.judge(back, Identity()) == "", "as it was remembered before adapters were"
    assert known.judge(back, Identity(address="usb:0403:6001:A1")) == ""
    assert known.judge(back, Identity(address="usb:0403:6001:A1")) == ""
    assert "it is usb:0403:6001:B2, and it tells no serial" in known.judge(back, Identity(address="usb:0403:6001:B2"))


@pytest.mark.parametrize(
    ("setting", "identity", "reason"),
    [
        ({"serial": "s-2"}, OTHER, ""),
        ({"serial": "S-2"}, ONE, "tells serial S-1, and the configuration says S-2"),
        ({"serial": "S-2"}, Identity(), "tells no serial, and the configuration says S-2"),
        ({"tag": "right"}, ONE, "tells tag left, and the configuration says right"),
    ],
)
def test_the_configuration_may_name_which(
    known: KnownDevices, setting: dict[str, str], identity: Identity, reason: str
) -> None:
    device = dot("dot-left", address=ONE.address, **setting)
    if reason:
        assert reason in refused(known, device, identity)
        assert not known.read(), "what was refused is not what it is"
    else:
        assert known.judge(device, identity) == ""


def test_another_way_to_find_it_in_the_configuration_makes_it_new(known: KnownDevices) -> None:
    known.judge(dot(), ONE)
    assert known.judge(dot("dot-left", address=OTHER.address), OTHER) == ""
    assert known.read()["dot-left"].identity == OTHER
    assert known.address(dot()) is None


def test_a_refused_one_is_accepted_by_a_person(known: KnownDevices, tmp_path: Path) -> None:
    settings = Settings(
        site=Site(data=tmp_path),
        slot=[Slot(id="bay-a", subject="p-1", device=[dot("dot-left"), dot("dot-right")])],
    )
    known.judge(dot("dot-left"), ONE)
    known.judge(dot("dot-right"), OTHER)
    with pytest.raises(UsageError, match="there is nothing to accept"):
        accept(settings, "dot-left")
    with pytest.raises(UsageError, match=r"no device 'dot-lefd'.*did you mean 'dot-left'"):
        accept(settings, "dot-lefd")
    refused(known, dot("dot-left"), OTHER)
    accept(settings, "dot-left")
    assert known.judge(dot("dot-left"), OTHER) == ""
    assert known.judge(dot("dot-right"), ONE) == "", "what was the other one's until now is free"


def test_accepting_shows_what_is_known(known: KnownDevices, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(site=Site(data=tmp_path), slot=[Slot(id="bay-a", subject="p-1", device=[dot()])])
    known.judge(dot(), ONE)
    refused(known, dot(), OTHER)
    accept(settings, None)
    printed = capsys.readouterr().out
    assert "S-1" in printed
    assert "S-2" in printed


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"devices": {"dot-left": {}}}', b"\xff\xfe"])
def test_a_spoilt_file_keeps_nobody_from_being_measured(known: KnownDevices, tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    assert known.judge(dot(), ONE) == ""
    assert KnownDevices(tmp_path).read()["dot-left"].identity == ONE


def test_where_nothing_can_be_written_it_is_kept_in_memory(tmp_path: Path) -> None:
    known = KnownDevices(tmp_path / "not-there")
    assert known.judge(dot(), ONE) == ""
    assert "S-2" in refused(known, dot(), OTHER)
    known.path.parent.mkdir()
    known.judge(dot(), ONE)
    assert KnownDevices(known.path.parent).read()["dot-left"].identity == ONE


def test_the_file_is_not_everybodys_to_read(known: KnownDevices) -> None:
    known.judge(dot(), ONE)
    assert known.path.stat().st_mode & 0o137 == 0
