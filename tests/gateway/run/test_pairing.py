"""Handing out sensors while the ward is measured: simulated devices over a real Bluetooth stack, and a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.settings import Broker, Device, Radio, Settings, Site, Slot
from gateway.analysis.warm_up import warm_up
from gateway.machine.watchdog import ServiceManager
from gateway.model.row import AUDIT
from gateway.outbox.outbox import Outbox
from gateway.run.run import Gateway
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import dot_address
from simulators.radio.hub import Hub
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child
from tests.simulators.helpers import OneRadio, on_air
from tests.simulators.limbs import Limb

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

TOPICS = "rehab/v1/demo/gateway-1"
WITHIN_S = 60.0
BRIEFLY = {"for_s": 1.0}
WORN = ("left", "right")
FREE = ("spare", "other")

Json = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first: the loop serves the simulators too."""
    warm_up()


@dataclass
class Ward:
    """Four DOTs on the air, two of them on the feet of p-1; a gateway that reads them, and somebody at a desk."""

    gateway: Gateway
    settings: Settings
    dots: dict[str, MovellaDot]
    limbs: dict[str, Limb]
    desk: Desk

    async def begin(self, name: str, **fields: Any) -> Json:
        answer = await asyncio.to_thread(self.desk.ask, f"devices-{name}", **fields)
        assert answer is not None
        return answer

    async def end(self, job: int) -> Json:
        async with asyncio.timeout(WITHIN_S):
            while not (answer := await self.begin("result", job=job))["done"]:  # noqa: ASYNC110 - as others ask
                await asyncio.sleep(0.05)
        return answer

    async def do(self, name: str, **fields: Any) -> Json:
        answer = await self.end((await self.begin(name, **fields))["job"])
        found: Json = answer["result"] if "result" in answer else {"problem": answer["problem"]}
        return found

    def device(self, name: str) -> Json:
        return next((dict(d) for d in self.gateway.status.get("devices", ()) if d["id"] == name), {})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.02)


def dot_settings(name: str, at: int, placement: str = "left_foot") -> Json:
    return {"id": name, "driver": "movella_dot", "placement": placement, "address": dot_address(1, at)}


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    worn = [Device(**dot_settings(name, at, f"{name}_foot")) for at, name in enumerate(WORN)]
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"), slot=[Slot(id="bay-1", subject="p-1", device=worn)],
    )  # fmt: skip


@pytest.fixture
def desk(mosquitto: Child) -> Iterator[Desk]:
    made = Desk(mosquitto.port, TOPICS)
    yield made
    made.close()


@asynccontextmanager
async def running(settings: Settings, desk: Desk) -> AsyncIterator[Ward]:
    hub, names = Hub(), (*WORN, *FREE)
    limbs = {name: Limb() for name in names}
    dots = {
        name: MovellaDot(name=name, timeline=Timeline(), hub=hub, address=dot_address(1, at), source=limbs[name])
        for at, name in enumerate(names)
    }
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, *dots.values()):
        gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0)), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        ward = Ward(gateway, settings, dots, limbs, desk)
        try:
            await until(lambda: all(ward.device(name).get("state") == "streaming" for name in WORN) and desk.ward)
            for at, name in enumerate(FREE, len(WORN)):
                await desk.change("add-device", device=dot_settings(name, at))
            yield ward
        finally:
            stop.set()
            await asyncio.wait({task})
            task.result()


def audited(settings: Settings, what: str) -> list[Json]:
    box = Outbox(settings.site.data / "outbox.db")
    rows = [orjson.loads(row.payload) for row in box.read(0, 100_000) if row.rank == AUDIT and not row.slot]
    box.close()
    return [row for row in rows if row["what"] == what]


async def test_a_scan_tells_who_is_there_and_names_the_phone_that_holds_one(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        found = await ward.do("scan", **BRIEFLY)
        assert {one["device"]: (one["state"], one["bed"]) for one in found["heard"]} == {
            "left": ("connected", "bay-1"), "right": ("connected", "bay-1"),
            "spare": ("heard", None), "other": ("heard", None),
        }  # fmt: skip
        spare = next(one for one in found["heard"] if one["device"] == "spare")
        assert (spare["drivers"], spare["name"], spare["address"]) == (
            ["movella_dot"],
            "Movella DOT",
            dot_address(1, 2),
        )
        assert isinstance(spare["rssi_dbm"], int)
        assert found["missing"] == []
        worn = next(one for one in found["heard"] if one["device"] == "left")
        assert worn["battery_pct"] == pytest.approx(90.0, abs=1.0)
        assert settings.radio.socket
        assert (await ward.do("blink", device="spare", **BRIEFLY))["blinked"]  # it is known here from now on
        phone = OneRadio(settings.radio.socket)
        await phone.start()
        device = await phone.find(address=dot_address(1, 2), timeout_s=WITHIN_S)
        async with phone.one.client(device, lambda _: None):
            found = await ward.do("scan", **BRIEFLY)
        await phone.stop()
        (missing,) = found["missing"]
        assert (missing["device"], missing["address"]) == ("spare", dot_address(1, 2))
        assert "a phone or tablet that holds its connection is the likely cause" in missing["cause"]
    told = [
        (entry["command"], entry["by"], entry["from"], entry.get("device"))
        for entry in audited(settings, "devices-asked")
    ]
    assert told == [
        ("devices-scan", "anna", "ward-desk", None), ("devices-blink", "anna", "ward-desk", "spare"),
        ("devices-scan", "anna", "ward-desk", None),
    ]  # fmt: skip


async def test_a_device_blinks_whether_or_not_somebody_wears_it(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        assert await ward.do("blink", device="left", for_s=0.1) == {"device": "left", "blinked": True}
        assert await ward.do("blink", device="spare", for_s=0.1) == {"device": "spare", "blinked": True}
        assert {name: dot.blinked for name, dot in ward.dots.items()} == {"left": 1, "right": 0, "spare": 1, "other": 0}
        await until(lambda: not ward.dots["spare"].streaming)
        assert ward.device("spare") == {}  # nobody wears it, and nothing of it is measured
        assert (ward.device("left")["state"], ward.device("left")["lost"]) == ("streaming", 0)
        assert "no device 'nobody'" in (await ward.do("blink", device="nobody"))["problem"]


async def test_the_one_that_is_tapped_is_named(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        job = (await ward.begin("tap", for_s=3.0))["job"]
        await until(lambda: ward.dots["spare"].streaming and ward.dots["other"].streaming)
        ward.limbs["other"].taps = 200
        found = (await ward.end(job))["result"]
        assert (found["tapped"], found["watched"]) == ("other", ["other", "spare"])
        ward.limbs["other"].taps = 0
        await until(lambda: not ward.dots["other"].streaming)
        ward.limbs["right"].taps = 200
        assert (await ward.do("tap", devices=["left", "right"], **BRIEFLY))["tapped"] == "right"
        assert (await ward.do("tap", devices=["other", "other"], **BRIEFLY))["watched"] == ["other"]
        ward.limbs["left"].taps = 200
        assert (await ward.do("tap", devices=["left", "right"], **BRIEFLY))["tapped"] is None


async def test_the_leg_that_is_lifted_is_the_one_whose_sensor_turns(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        ward.limbs["left"].lifted = True
        found = await ward.do("lift", bed="bay-1", side="left", **BRIEFLY)
        assert (found["ok"], found["moved"], found["device"]) == (True, "left", "left")
        found = await ward.do("lift", bed="bay-1", side="right", **BRIEFLY)
        assert (found["ok"], found["moved"], found["device"]) == (False, "left", "left")
        ward.limbs["left"].lifted = False
        found = await ward.do("lift", bed="bay-1", side="left", **BRIEFLY)
        assert (found["ok"], found["moved"], found["device"]) == (False, None, None)
        await desk.change("take-off", device="right")
        assert (await ward.do("lift", bed="bay-1", side="right"))["problem"] == (
            "nobody wears a sensor on the right leg in bed 'bay-1'"
        )


async def test_a_sensor_that_does_not_move_with_its_leg_is_not_taken_for_seen(settings: Settings, desk: Desk) -> None:
    """It is on the other leg, or on somebody else: that a neighbour of the right leg moves proves nothing of it."""
    async with running(settings, desk) as ward:
        await desk.change("assign", device="spare", bed="bay-1", placement="left_shank")
        ward.limbs["left"].lifted = True
        found = await ward.do("lift", bed="bay-1", side="left", **BRIEFLY)
        assert (found["ok"], found["moved"], found["still"]) == (False, "left", ["spare"])
        ward.limbs["spare"].lifted = True
        found = await ward.do("lift", bed="bay-1", side="left", **BRIEFLY)
        assert (found["ok"], found["still"], found["not_seen"]) == (True, [], [])


async def test_an_arm_that_is_lifted_is_seen_beside_the_other_arm_alone(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        assert (await ward.do("lift", bed="bay-1", side="left", limb="arm"))["problem"] == (
            "nobody wears a sensor on the left wrist in bed 'bay-1'"
        )
        await desk.change("assign", device="spare", bed="bay-1", placement="left_wrist")
        await desk.change("assign", device="other", bed="bay-1", placement="right_wrist")
        ward.limbs["other"].lifted = ward.limbs["left"].lifted = True  # a leg moves as well
        found = await ward.do("lift", bed="bay-1", side="right", limb="arm", **BRIEFLY)
        assert (found["ok"], found["limb"], found["moved"], found["device"]) == (True, "arm", "right", "other")
        assert found["turned_rad_s"].keys() == {"spare", "other"}
        found = await ward.do("lift", bed="bay-1", side="left", limb="arm", **BRIEFLY)
        assert (found["ok"], found["moved"]) == (False, "right")  # the two are exchanged
        found = await ward.do("lift", bed="bay-1", side="left", **BRIEFLY)
        assert (found["ok"], found["limb"], found["device"]) == (True, "leg", "left")
        assert "'leg' or an 'arm'" in (await ward.do("lift", bed="bay-1", side="left", limb="head"))["problem"]
        assert "'left' or 'right'" in (await ward.do("lift", bed="bay-1", side="both", limb="arm"))["problem"]


async def test_a_ward_that_changes_while_a_leg_is_lifted_is_seen_again(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        ward.limbs["left"].lifted = True
        job = (await ward.begin("lift", bed="bay-1", side="left", for_s=15.0))["job"]
        for _ in range(10):
            await asyncio.sleep(0)  # it runs on this loop: it has looked who wears what by now
        await desk.change("take-off", device="right")
        assert "changed meanwhile: lift the leg once more" in (await ward.end(job))["problem"]


async def test_one_is_under_way_at_a_time_and_what_is_no_request_is_refused(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        job = (await ward.begin("scan", for_s=2.0))["job"]
        assert "'devices-scan' is under way" in (await ward.begin("blink", device="spare"))["error"]
        assert "result" in await ward.end(job)
        refused: list[tuple[str, Json, str]] = [
            ("scan", {"colour": "red"}, "colour"), ("blink", {}, "device"), ("result", {"job": 99}, "no job 99"),
            ("result", {"job": "x"}, "no job x"),
        ]  # fmt: skip
        for name, about, words in refused:
            answer = await ward.begin(name, **about)
            assert not answer["ok"], answer
            assert words in answer["error"]
        for for_s in (0, 61, "long", True):
            assert "for_s" in (await ward.do("scan", for_s=for_s))["problem"]
        assert "left' or 'right" in (await ward.do("lift", bed="bay-1", side="both"))["problem"]
        assert "no bed 'bay-9'" in (await ward.do("lift", bed="bay-9", side="left"))["problem"]
        assert "Bluetooth address" in (await ward.do("bond", address="there"))["problem"]


async def test_who_is_visited_is_let_go_when_the_gateway_ends(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        dots = ward.dots
        await ward.begin("tap", for_s=60.0)
        await until(lambda: dots["spare"].streaming and dots["other"].streaming)
    assert not any(dot.streaming for dot in dots.values())
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(("visit", "pairing"))] == []


async def test_a_device_bonds_and_forgets(settings: Settings, desk: Desk) -> None:
    async with running(settings, desk) as ward:
        assert await ward.do("bond", address=dot_address(1, 3).lower()) == {
            "address": dot_address(1, 3),
            "bonded": True,
        }
        await until(lambda: not ward.dots["other"].connected)
        assert await ward.do("unbond", address=dot_address(1, 3)) == {"address": dot_address(1, 3), "bonded": False}
