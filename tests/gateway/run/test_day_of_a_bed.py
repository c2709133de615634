"""A day of a bed, compressed: sensors put on, taken off, swapped and charged, by commands to the registry alone.

Each sample says who wore the sensor, and on which foot, when it was made: that is the simulator's truth. Whatever the
gateway takes for somebody's has to be that person's, on that foot, and nothing in between may be missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from config.settings import Broker, Radio, Recorder, Settings, Site, Slot
from gateway.analysis.stream_taps import Tapped
from gateway.analysis.warm_up import warm_up
from gateway.machine.watchdog import ServiceManager
from gateway.recordings.replay import Replay
from gateway.run.run import Gateway
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import dot_address
from simulators.radio.hub import Hub
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child
from tests.simulators.helpers import on_air

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

TOPICS = "rehab/v1/demo/gateway-1"
WITHIN_S = 60.0
AN_HOUR = 120  # samples of each sensor that is worn: two seconds
LATE = 60  # samples that arrive after their time while the machine does something else
IN_FLIGHT = 60  # samples between the sensor and the gateway's step, on a busy machine
DOTS = ("dot-1", "dot-2", "dot-3")
FEET = ("", "left_foot", "right_foot")
NOBODY, ON_NOBODY = 0, 0
SCALE, WRAP = 100.0, 1000


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first: the loop serves the simulators too."""
    warm_up()


class Handed(MotionSource):
    """A sensor that goes from hand to hand: each sample says who wears it where, and which sample it is.

    Attributes:
        wearer: Number of the patient; 0 on the table.
        foot: Place in `FEET`.
        taken: Samples that were made.
    """

    rate_hz = 60.0

    def __init__(self) -> None:
        self.wearer, self.foot, self.taken = NOBODY, ON_NOBODY, 0

    def read_until(self, until_s: float) -> Motion:
        """Return samples up to ``until_s``."""
        k = np.arange(self.taken, max(int(until_s * self.rate_hz) + 1, self.taken))
        self.taken += len(k)
        acc = np.column_stack([np.full(len(k), 10.0 * self.wearer + self.foot), k % WRAP / SCALE, k // WRAP / SCALE])
        still = np.zeros((len(k), 3))
        return Motion(k / self.rate_hz, acc, still, still + 0.1, np.ones(len(k), np.bool_))


@dataclass
class Stay:
    """A time in which somebody wears a sensor: which samples were made in it for certain, but for those at its cuts."""

    device: str
    patient: int
    foot: int
    first: int
    last: int = -1
    cuts: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Day:
    """The ward, its hands and its desk.

    Attributes:
        stays: Who wore what, as the hands know it.
    """

    gateway: Gateway
    desk: Desk
    dots: dict[str, MovellaDot]
    hands: dict[str, Handed]
    stays: list[Stay] = field(default_factory=list)
    on: dict[str, Stay] = field(default_factory=dict)

    def worn(self, device: str) -> bool:
        return any(one.id == device for bed in self.gateway.steps.pipeline.ward for one in bed.slot.device)

    async def put_on(self, device: str, patient: int, bed: str, foot: int) -> None:
        """A hand straps it on, then the ward is told."""
        hand = self.hands[device]
        hand.wearer, hand.foot = patient, foot
        made = hand.taken
        await until(lambda: hand.taken > made)  # so that what was made on the table is over
        await self.change("assign", device=device, bed=bed, placement=FEET[foot])
        self.on[device] = Stay(device, patient, foot, hand.taken)
        self.stays.append(self.on[device])
        await until(lambda: self.dots[device].streaming)

    async def change(self, name: str, **fields: str) -> None:
        """Change the ward: samples of a bed that changes, and are late then, are of neither side, and left out."""
        before = {device: self.hands[device].taken - LATE for device in self.on}
        await self.desk.change(name, **fields)
        for device, stay in self.on.items():
            stay.cuts.append((before[device], self.hands[device].taken + LATE))

    async def take_off(self, *devices: str) -> None:
        """The ward is told, then a hand takes them off."""
        for device in devices:
            self.on.pop(device).last = self.hands[device].taken - IN_FLIGHT
            await self.change("take-off", device=device)
        await self.lie_down(*devices)

    async def lie_down(self, *devices: str) -> None:
        await until(lambda: not any(self.worn(device) for device in devices))
        for device in devices:
            self.hands[device].wearer, self.hands[device].foot = NOBODY, ON_NOBODY

    async def discharge(self, subject: str, *devices: str) -> None:
        for device in devices:
            self.on.pop(device).last = self.hands[device].taken - IN_FLIGHT
        await self.change("discharge", subject=subject)
        await self.lie_down(*devices)

    async def charge(self, device: str) -> None:
        """It is switched off in its charger, and comes out of it with a clock at nought."""
        await until(lambda: not self.dots[device].connected)
        await self.dots[device].stop()
        self.dots[device].reset()
        await self.dots[device].start()

    async def hour(self) -> None:
        """An hour goes by: whatever is worn is measured."""
        sent = {device: self.dots[device].counts.sent for device in self.on}
        await until(lambda: all(self.dots[device].counts.sent >= sent[device] + AN_HOUR for device in self.on))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.01)


@pytest.fixture
def desk(mosquitto: Child) -> Iterator[Desk]:
    made = Desk(mosquitto.port, TOPICS)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"), recorder=Recorder(enabled=True),
        slot=[Slot(id="bay-1", subject="p-1"), Slot(id="bay-2", subject="p-2")],
    )  # fmt: skip


@asynccontextmanager
async def morning(settings: Settings, desk: Desk) -> AsyncIterator[Day]:
    hub, hands = Hub(), {name: Handed() for name in DOTS}
    dots = {
        name: MovellaDot(name=name, timeline=Timeline(), hub=hub, address=dot_address(1, at), source=hands[name])
        for at, name in enumerate(DOTS)
    }
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, *dots.values()):
        gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0)), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            await until(lambda: desk.ward)
            for at, name in enumerate(DOTS):
                about = {"id": name, "driver": "movella_dot", "placement": "left_foot", "address": dot_address(1, at)}
                await desk.change("add-device", device=about)
            await desk.change("add-bed", bed="bay-3")
            yield Day(gateway, desk, dots, hands)
        finally:
            stop.set()
            await asyncio.wait({task})
            task.result()


async def live(day: Day) -> None:
    """Live through a day of bay 1, and of those beside it."""
    await day.put_on("dot-1", 1, "bay-1", 1)  # seven o'clock: p-1 gets up
    await day.put_on("dot-2", 1, "bay-1", 2)
    await day.change("session-start", subject="p-1", protocol="10mwt")
    await day.hour()
    await day.change("session-end", session="p-1")
    await day.take_off("dot-1", "dot-2")  # nine: strapped on the wrong way round, so once more
    await day.put_on("dot-1", 1, "bay-1", 2)
    await day.put_on("dot-2", 1, "bay-1", 1)
    await day.hour()
    await day.take_off("dot-1")  # ten: p-2 needs one too, and p-1 gets the third
    await day.put_on("dot-3", 1, "bay-1", 2)
    await day.put_on("dot-1", 2, "bay-2", 1)
    await day.hour()
    await day.change("move", subject="p-1", bed="bay-3")  # eleven: with what is worn
    await day.hour()
    await day.take_off("dot-2")  # noon: one is empty
    await day.charge("dot-2")
    await day.hour()
    await day.put_on("dot-2", 1, "bay-3", 1)  # two: full again, and its clock is at nought
    await day.hour()
    await day.take_off("dot-1", "dot-3")  # three: p-1 and p-2 swap theirs
    await day.put_on("dot-1", 1, "bay-3", 2)
    await day.put_on("dot-3", 2, "bay-2", 1)
    await day.hour()
    await day.discharge("p-1", "dot-1", "dot-2")  # five: p-1 goes home, p-3 comes into the bed of the morning
    await day.change("admit", subject="p-3", bed="bay-1")
    await day.put_on("dot-1", 3, "bay-1", 1)
    await day.put_on("dot-2", 3, "bay-1", 2)
    await day.hour()
    await day.take_off("dot-1", "dot-2", "dot-3")  # nine: good night
    for device in DOTS:
        await day.charge(device)


@dataclass(frozen=True)
class Taken:
    """A sample that the gateway took for somebody's, and what it says itself."""

    device: str
    subject: str
    placement: str
    wearer: int
    foot: int
    number: int


def taken_for_somebody(recording: Path) -> list[Taken]:
    """Return every sample as the analysis gets it, with whose the gateway says that it is."""
    found: list[Taken] = []

    def tap(tapped: Tapped) -> None:
        for row in tapped.samples[~np.isnan(tapped.samples[:, 0])]:
            code, number = round(row[0]), round(row[1] * SCALE) + WRAP * round(row[2] * SCALE)
            found.append(
                Taken(tapped.device.id, tapped.subject, tapped.device.placement, code // 10, code % 10, number)
            )

    replay = Replay(recording)
    taps = {(device, "imu"): tap for device in DOTS}
    replay.pipeline.taps.update(taps)
    for _ in replay.steps():
        replay.pipeline.taps.update(taps)  # whoever watches has to ask again when somebody else wears it
    return found


async def test_every_sample_of_a_day_is_on_the_right_patient(settings: Settings, desk: Desk) -> None:
    async with morning(settings, desk) as day:
        await live(day)
    (recording,) = (settings.site.data / "recordings").iterdir()
    found = taken_for_somebody(recording)
    wrong = [one for one in found if (one.subject, one.placement) != (f"p-{one.wearer}", FEET[one.foot])]
    assert wrong == []
    numbers = {(one.device, one.number) for one in found}
    assert len(numbers) == len(found), "a sample was taken twice"
    assert len(day.stays) == 11
    for stay in day.stays:
        certain = [k for k in range(stay.first, stay.last) if not any(a <= k <= b for a, b in stay.cuts)]
        missing = [k for k in certain if (stay.device, k) not in numbers]
        within = sorted(k for device, k in numbers if device == stay.device and stay.first <= k < stay.last)
        assert len(within) >= AN_HOUR - IN_FLIGHT, stay
        # Until it was connected nobody got any; from the first on none is missing.
        assert all(k < within[0] for k in missing), stay
    assert {one.subject for one in found} == {"p-1", "p-2", "p-3"}
