"""Handing out sensors over HTTP: a real gateway process with sensors on its air, behind a dashboard with users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.dashboard.access import DEVICE_WORK, FITTERS, KEEPERS, ROLES, TABLE
from gateway.wire.commands import DEVICES
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import dot_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from tests.faults.beds import Air
from tests.gateway.dashboard.bedside import Bedside, bedside
from tests.gateway.dashboard.test_ward_api import Client, dashboard, done, origin
from tests.simulators.limbs import Limb

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

Json = dict[str, Any]


@dataclass
class Place:
    """The gateway, and two DOTs on its air."""

    bedside: Bedside
    limbs: list[Limb]
    dots: list[MovellaDot]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("devices-api")
    hub, timeline, limbs = Hub(), Timeline(running=False), [Limb(), Limb()]
    dots = [
        MovellaDot(name=f"dot-{at}", timeline=timeline, hub=hub, address=dot_address(1, at), source=limb)
        for at, limb in enumerate(limbs, 1)
    ]
    placed = [PlacedDevice(dot, "movella_dot", "left_foot", address=dot.address) for dot in dots]
    scene = Scene(hub, timeline, [Bed("bay-1", "Bay 1", "p-1", placed)])
    with (
        Air(scene, folder / "radio"),
        bedside(folder, mosquitto_port, site="devices-api", gateway="devices") as made,
    ):
        yield Place(made, limbs, dots)


async def ask(client: Client, name: str, **fields: Any) -> tuple[int, Json]:
    answer = await client.post(f"/api/devices/{name}", json=fields, headers=origin(client))
    return answer.status, await answer.json() if answer.content_type == "application/json" else {}


async def test_a_technician_hands_out_sensors(place: Place) -> None:
    async with dashboard(place.bedside.settings, "technician") as client:
        status, found = await ask(client, "scan", for_s=2)
        assert status == 200
        heard = {one["address"]: (one["drivers"], one["device"]) for one in found["heard"]}
        assert heard == {dot.address: (["movella_dot"], None) for dot in place.dots}
        assert [one["device"] for one in found["missing"]] == ["strap-1"]
        for at, (dot, placement) in enumerate(zip(place.dots, ("left_foot", "right_foot"), strict=True), 1):
            about = {"id": f"dot-{at}", "driver": "movella_dot", "placement": "left_foot", "address": dot.address}
            await done(client, "add-device", device=about)
            assert await ask(client, "blink", device=f"dot-{at}", for_s=0.1) == (
                200, {"device": f"dot-{at}", "blinked": True},
            )  # fmt: skip
            await done(client, "assign", device=f"dot-{at}", bed="bay-1", placement=placement)
        place.limbs[1].lifted = True
        status, found = await ask(client, "lift", bed="bay-1", side="right", for_s=1)
        assert (status, found["ok"], found["device"]) == (200, True, "dot-2")
        status, found = await ask(client, "lift", bed="bay-1", side="left", for_s=1)
        assert (status, found["ok"], found["moved"]) == (200, False, "right")
        assert await ask(client, "lift", bed="bay-9", side="left") == (
            409, {"error": "There is no bed 'bay-9': known are bay-1."},
        )  # fmt: skip
        status, answer = await ask(client, "scan", for_s=99)
        assert (status, answer["error"]) == (409, "For_s is above 0 and at most 60.")
        status, answer = await ask(client, "scan", by="somebody else")
        assert (status, answer["error"]) == (400, "'by' is whoever is signed in: leave it out.")
    assert [dot.blinked for dot in place.dots] == [1, 1]


# A viewer may not even see the ward, by which this test signs in: see `test_who_may_do_what`.
@pytest.mark.parametrize("role", [role for role in ROLES if role not in {*KEEPERS, "viewer"}])
async def test_who_may_not_is_refused(place: Place, role: str) -> None:
    async with dashboard(place.bedside.settings, role) as client:
        for name, allowed in DEVICE_WORK.items():
            if role not in allowed:
                assert (await ask(client, name))[0] == 403, name


def test_who_may_do_what() -> None:
    assert {f"devices-{name}" for name in DEVICE_WORK} == set(DEVICES)
    for name, allowed in DEVICE_WORK.items():
        assert TABLE["POST", f"/api/devices/{name}"] == allowed
        assert allowed == (KEEPERS if "bond" in name else FITTERS)
        assert not allowed & {"viewer", "researcher", "nobody"}
