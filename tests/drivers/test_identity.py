"""Sensors that look alike over a real Bluetooth stack: whose is whose, in any order of switching on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from config.settings import Device
from drivers.errors import AmbiguousDeviceError, NotFoundError, OtherDeviceError
from drivers.heart_rate.driver import HeartRate
from drivers.identity import Identity, serial_text
from drivers.registry import make_driver
from drivers.transport.radios import Radios
from gateway.intake.known_devices import KnownDevices
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import LOCAL_NAME
from simulators.devices.movella_dot import MovellaDot as SimulatedDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.drivers.watching import Watched, watching
from tests.simulators.helpers import Counting, Metronome, on_air

LEFT, RIGHT, THEIR_LEFT, THEIR_RIGHT = (f"D4:22:CD:00:0{bed}:0{foot}" for bed in (1, 2) for foot in (0, 1))
STRAP = "02:48:52:00:01:00"
ORDERS = ((LEFT, RIGHT), (RIGHT, LEFT), (THEIR_LEFT, THEIR_RIGHT), (THEIR_LEFT, THEIR_RIGHT, LEFT, RIGHT))


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "radio.sock"


def dot(hub: Hub, address: str) -> SimulatedDot:
    return SimulatedDot(name=address[-5:], timeline=Timeline(), hub=hub, address=address, source=Counting())


@asynccontextmanager
async def feet(radio: Radios, *, by_address: bool) -> AsyncIterator[tuple[Watched, Watched]]:
    async with AsyncExitStack() as stack:
        both = [
            await stack.enter_async_context(
                watching(
                    make_driver("movella_dot"),
                    radio=radio,
                    address=address if by_address else None,
                    name=None if by_address else LOCAL_NAME,
                )
            )
            for address in (LEFT, RIGHT)
        ]
        yield both[0], both[1]


@pytest.mark.parametrize("order", [(LEFT,), *ORDERS])
async def test_two_of_one_name_are_never_exchanged(socket: Path, order: Sequence[str]) -> None:
    """As nobody can configure it any more; also not where the radio is asked for it."""
    hub = Hub()
    sensors = [dot(hub, address) for address in order]
    async with on_air(hub, socket) as radio, feet(radio, by_address=False) as (left, right):
        for sensor in sensors:
            await sensor.start()
        for foot in (left, right):
            waiting = await foot.until_state("waiting")
            assert "answer" in waiting.error
            assert (waiting.problem, waiting.advice) == ("ambiguous", AmbiguousDeviceError.advice)
            assert not foot.frames
        for sensor in sensors:
            await sensor.stop()


@pytest.mark.parametrize("order", [*ORDERS[:2], (THEIR_LEFT, THEIR_RIGHT, RIGHT, LEFT)])
async def test_addresses_find_their_own_in_any_order(socket: Path, order: Sequence[str]) -> None:
    hub = Hub()
    sensors = [dot(hub, address) for address in order]
    async with on_air(hub, socket) as radio, feet(radio, by_address=True) as (left, right):
        for sensor in sensors:
            await sensor.start()
        assert (await left.until_state("streaming")).identity.address == LEFT
        assert (await right.until_state("streaming")).identity.address == RIGHT
        for sensor in sensors:
            await sensor.stop()


async def test_when_one_of_two_goes_away_it_goes_on(socket: Path) -> None:
    hub = Hub()
    mine, theirs = dot(hub, LEFT), dot(hub, THEIR_LEFT)
    async with (
        on_air(hub, socket, mine, theirs) as radio,
        watching(make_driver("movella_dot"), radio=radio, name=LOCAL_NAME) as foot,
    ):
        waiting = await foot.until_state("waiting")
        assert LEFT in waiting.error
        assert THEIR_LEFT in waiting.error
        assert not mine.connected
        assert not theirs.connected
        await theirs.stop()
        assert (await foot.until_state("streaming")).identity.address == LEFT


async def test_one_that_was_taken_is_taken_again_among_others_of_its_name(socket: Path) -> None:
    hub = Hub()
    mine, theirs = dot(hub, LEFT), dot(hub, THEIR_LEFT)
    async with (
        on_air(hub, socket, mine) as radio,
        watching(make_driver("movella_dot"), radio=radio, name=LOCAL_NAME) as foot,
    ):
        await foot.until_state("streaming")
        await theirs.start()
        await mine.drop()
        assert (await foot.until_state("streaming", count=2)).identity.address == LEFT
        await theirs.stop()


async def test_one_that_has_an_address_of_its_own_is_not_taken_by_name(socket: Path) -> None:
    hub = Hub()
    async with (
        on_air(hub, socket, dot(hub, RIGHT)) as radio,
        watching(make_driver("movella_dot"), radio=radio, name=LOCAL_NAME) as by_name,
        watching(make_driver("movella_dot"), radio=radio, address=RIGHT) as by_address,
    ):
        await by_address.until_state("streaming")
        assert "connecting" not in by_name.names


async def test_a_device_belongs_to_one_search(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub, LEFT)) as radio:
        one, other = object(), object()
        assert (await radio.find(name=LOCAL_NAME, timeout_s=10.0, owner=one)).address == LEFT
        with pytest.raises(NotFoundError):
            await radio.find(name=LOCAL_NAME, timeout_s=0.5, owner=other)
        radio.searches.release(one)
        assert (await radio.find(name=LOCAL_NAME, timeout_s=10.0, owner=other)).address == LEFT


async def test_two_searches_at_once_never_get_one_device(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub, LEFT)) as radio:
        found = await asyncio.gather(
            *(radio.find(name=LOCAL_NAME, timeout_s=4.0, owner=object()) for _ in range(2)), return_exceptions=True
        )
        assert all(isinstance(each, AmbiguousDeviceError) for each in found)


async def test_another_sensor_in_its_place_is_refused_until_it_is_accepted(socket: Path, tmp_path: Path) -> None:
    hub = Hub()
    known = KnownDevices(tmp_path)
    device = Device(id="dot-left", driver="movella_dot", placement="left_foot", name=LOCAL_NAME)
    mine, theirs = dot(hub, LEFT), dot(hub, THEIR_LEFT)

    def judge(identity: Identity) -> str:
        return known.judge(device, identity)

    async with on_air(hub, socket, mine) as radio:
        async with watching(make_driver("movella_dot"), radio=radio, name=LOCAL_NAME, judge=judge) as foot:
            identity = (await foot.until_state("streaming")).identity
            assert (identity.serial, identity.tag) == ("0000D422CD000100", LEFT[-5:])
        await mine.stop()
        await theirs.start()
        async with watching(make_driver("movella_dot"), radio=radio, name=LOCAL_NAME, judge=judge) as foot:
            failed = await foot.until_state("failed")
            assert failed.error == (
                "the device that was found tells serial 0000D422CD000200, and until now this one told 0000D422CD000100:"
                " nothing is read from it"
            )
            assert (failed.problem, failed.advice) == ("other-device", OtherDeviceError.advice)
            assert not foot.frames
            known.accept(device)
            await foot.until_state("streaming")
        await theirs.stop()


async def test_a_strap_with_a_new_address_each_time_goes_on_by_name(socket: Path, tmp_path: Path) -> None:
    """A private address changes; the number that the strap tells does not."""
    hub = Hub()
    known = KnownDevices(tmp_path)
    device = Device(id="strap-1", driver="heart_rate", placement="chest", name="HR Strap 0100")
    async with (
        on_air(hub, socket) as radio,
        watching(
            make_driver("heart_rate"),
            radio=radio,
            name=device.name,
            judge=lambda identity: known.judge(device, identity),
        ) as heart,
    ):
        for number in range(3):
            address = f"C0:FF:EE:0{number}:01:00"
            strap = HeartRateStrap(
                name=f"strap-{number}", timeline=Timeline(speed=5), hub=hub, address=address, source=Metronome()
            )
            await strap.start()
            streaming = await heart.until_state("streaming", count=number + 1)
            assert (streaming.identity.address, streaming.identity.serial, streaming.doubt) == (address, "0100", "")
            await strap.stop()


class QuickStrap(HeartRate):
    """The real driver, asking again sooner."""

    refresh_s = 0.1


async def test_a_battery_that_cannot_be_subscribed_to_is_read_again_and_again(socket: Path) -> None:
    hub = Hub()
    strap = HeartRateStrap(
        name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome(), battery_notifies=False
    )
    async with on_air(hub, socket, strap) as radio, watching(QuickStrap(), radio=radio, address=STRAP) as heart:
        await heart.until(lambda: heart.samples("battery") >= 3)
        await heart.until_state("streaming")
        assert heart.names.count("waiting") == 0


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"12345678", "12345678"), (b"A1\0\0", "A1"), (b"", ""), (b"00000000", ""), (b"0000-0000", ""), (b"\1\2\3", "")],
)
def test_a_serial_number_that_is_none_is_not_taken_for_one(data: bytes, text: str) -> None:
    assert serial_text(data) == text


def test_nothing_reported_is_nothing() -> None:
    assert Identity() == Identity("", "", "")
