"""What a scan tells of devices: who would read them, whose they are, and why one of ours is not heard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.settings import Device
from drivers.transport.radios import Radios
from drivers.transport.survey import Sighting, named, readers, survey
from gateway.pairing.listing import bluetooth_drivers, cause_of_silence, listing
from gateway.ward.state import Bed, Equipment, Subject, WardState
from simulators.radio.radio import SimulatedRadio
from simulators.scenes.single import single
from tests.simulators.helpers import PATIENCE_S

DOT, OTHER_DOT, STRAP = "D4:22:CD:00:00:01", "D4:22:CD:00:00:02", "02:48:52:00:01:00"
HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"


def sighting(address: str, name: str, *services: str, rssi: int = -60) -> Sighting:
    return Sighting(address, name, frozenset(services), [rssi])


def device(id_: str, driver: str, **found: Any) -> Equipment:
    bed, placement = found.pop("bed", None), found.pop("placement", "left_foot")
    return Equipment(device=Device(id=id_, driver=driver, placement=placement, **found), bed=bed)


WARD = WardState(
    beds=(Bed(id="bay-1"),),
    subjects=(Subject(id="p-1", bed="bay-1", since_us=0, stay="s"),),
    devices=(
        device("dot-1", "movella_dot", address=DOT, bed="bay-1"),
        device("dot-2", "movella_dot", address=OTHER_DOT),
        device("strap", "heart_rate", name="HR Strap 0100", placement="chest"),
        device("back", "shimmer3", port="/dev/rfcomm0", placement="lower_back"),
    ),
)


def found(*sightings: Sighting, **more: Any) -> dict[str, Any]:
    about = {"connected": {}, "met": lambda _: None, "battery": {"dot-2": 55.0}.get, **more}
    return listing(list(sightings), WARD, drivers=bluetooth_drivers(), **about)


def test_what_is_heard_is_told_with_its_driver_and_whose_it_is() -> None:
    shown = found(
        sighting(OTHER_DOT, "Movella DOT", rssi=-40), sighting(STRAP, "HR Strap 0100", HEART_RATE),
        sighting("AA:AA:AA:AA:AA:AA", "Somebody's phone"), connected={"dot-1": DOT},
    )  # fmt: skip
    rows = [(o["address"], o["drivers"], o["device"], o["bed"], o["state"], o["rssi_dbm"]) for o in shown["heard"]]
    assert rows == [
        (DOT, ["movella_dot"], "dot-1", "bay-1", "connected", None),
        (OTHER_DOT, ["movella_dot"], "dot-2", None, "heard", -40),
        (STRAP, ["heart_rate"], "strap", None, "heard", -60),
        ("AA:AA:AA:AA:AA:AA", [], None, None, "heard", -60),
    ]
    assert [o["battery_pct"] for o in shown["heard"]] == [None, 55.0, None, None]
    assert shown["missing"] == []


def test_what_is_not_heard_has_a_likely_cause() -> None:
    shown = found(sighting(STRAP, "HR Strap 0100"), met=lambda device: device.address)
    causes = {one["device"]: one["cause"] for one in shown["missing"]}
    assert causes.keys() == {"dot-1", "dot-2"}
    assert all("phone" in cause and "likely cause" in cause for cause in causes.values())
    assert {one["device"] for one in found()["missing"]} == {"dot-1", "dot-2", "strap"}


@pytest.mark.parametrize(
    ("met", "level", "anything", "words"),
    [
        (DOT, 80.0, True, "a phone or tablet that holds its connection is the likely cause"),
        (DOT, None, True, "a phone or tablet that holds its connection is the likely cause"),
        (DOT, 4.0, True, "its battery was at 4 %"),
        (None, None, True, "never been met"),
        (DOT, 80.0, False, "nothing at all is heard"),
    ],
)
def test_the_likely_cause_follows_from_what_is_known(
    met: str | None, level: float | None, anything: bool, words: str
) -> None:
    assert words in cause_of_silence(WARD.devices[0].device, met, level, anything=anything)


def test_a_strap_whose_address_changes_is_found_by_its_name_alone() -> None:
    shown = found(sighting("5A:00:00:00:00:01", "HR  Strap 0100".replace("  ", " ")), met=lambda _: STRAP)
    assert [one["device"] for one in shown["heard"]] == ["strap"]


def test_of_two_of_one_name_none_is_ours() -> None:
    two = [sighting("5A:00:00:00:00:01", "HR Strap 0100"), sighting("5A:00:00:00:00:02", "HR Strap 0100")]
    assert named(two, None, "HR Strap 0100") is None
    assert [one["device"] for one in found(*two)["heard"]] == [None, None]


def test_a_name_says_more_than_a_service() -> None:
    drivers = bluetooth_drivers()
    strange = type("Strange", (drivers["heart_rate"],), {"names": ("ACME",)})
    both = {"heart_rate": drivers["heart_rate"], "acme": strange}
    assert readers(sighting(STRAP, "acme 7", HEART_RATE), both) == ["acme", "heart_rate"]
    assert readers(sighting(STRAP, "HR", HEART_RATE.upper().lower()), both) == ["heart_rate", "acme"]


async def test_every_simulated_device_is_told_by_what_it_advertises(tmp_path: Path) -> None:
    """All but those whose advertisement says nothing: they are declared, or their maker chooses the name."""
    drivers = bluetooth_drivers()
    scene = single(sorted(drivers), ports=tmp_path)
    radio, heard = Radios([SimulatedRadio(socket=tmp_path / "air")]), list[Sighting]()
    await scene.start(tmp_path / "air")
    await radio.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < len(drivers):
                heard = await survey(radio, 1.0)
    finally:
        await radio.stop()
        await scene.stop()
    known = {placed.address: placed.driver for bed in scene.beds for placed in bed.placed}
    told = {known[one.address]: next(iter(readers(one, drivers)), None) for one in heard}
    unmarked = ("contec_oximeter", "declared_ble", "exo_frame_ble")
    assert told == {name: None if name in unmarked else name for name in drivers}
