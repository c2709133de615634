"""The battery of a device that lets us read it, or subscribe to it, or neither."""

from __future__ import annotations

import pytest

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.gatt.battery import BATTERY_CHANNEL, BATTERY_EVERY_S, BATTERY_LEVEL, MOST_REFUSED, READS
from drivers.heart_rate.driver import HeartRate
from drivers.movella_dot.driver import BATTERY_LEVEL as DOT_BATTERY
from drivers.movella_dot.driver import MovellaDot


class Refusing(Link):
    """A link to a device that refuses to notify its battery, or so many readings of it, as BlueZ tells it.

    Attributes:
        announced: What was announced: (channel, data).
        asked: How often the level was asked for.
    """

    def __init__(self, *, notifies: bool = False, refused: int = 0) -> None:
        self.announced: list[tuple[str, bytes]] = []
        self.asked = 0
        self._notifies, self._refused = notifies, refused

    async def subscribe(self, channel: str, characteristic: str) -> None:
        del characteristic
        if channel == BATTERY_CHANNEL and not self._notifies:
            raise DialogueError("could not subscribe: [org.bluez.Error.NotSupported] Operation is not supported")

    async def read(self, characteristic: str) -> bytes:
        if characteristic in (BATTERY_LEVEL, DOT_BATTERY):
            self.asked += 1
            self._refused -= 1
            if self._refused >= 0:
                raise DialogueError("could not read: [org.bluez.Error.InProgress]")
            return b"\x0c"
        return bytes(34)

    async def write(self, characteristic: str, data: bytes) -> None:
        """Take anything."""

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        raise DialogueError(f"no {count} bytes within {timeout_s} s")

    def announce(self, channel: str, data: bytes) -> None:
        self.announced.append((channel, data))


LEVEL = (BATTERY_CHANNEL, b"\x0c")


def levels(link: Refusing) -> list[tuple[str, bytes]]:
    return [each for each in link.announced if each[0] == BATTERY_CHANNEL]


@pytest.mark.parametrize("driver", [HeartRate, MovellaDot])
@pytest.mark.parametrize("refused", [0, 1])
@pytest.mark.parametrize("notifies", [False, True])
async def test_the_level_is_read_whether_or_not_it_is_notified(
    driver: type[HeartRate | MovellaDot], refused: int, notifies: bool
) -> None:
    link = Refusing(notifies=notifies, refused=refused)
    await driver().start(link)
    assert LEVEL in link.announced


@pytest.mark.parametrize("driver", [HeartRate, MovellaDot])
async def test_a_level_that_is_refused_is_asked_for_again_and_not_for_ever(
    driver: type[HeartRate | MovellaDot],
) -> None:
    link, strap = Refusing(refused=4), driver()
    await strap.start(link)
    for _ in range(3):
        await strap.refresh(link)
    assert levels(link) == [LEVEL]
    none, strap = Refusing(refused=10_000), driver()
    await strap.start(none)
    for _ in range(MOST_REFUSED + 3):
        await strap.refresh(none)
    assert levels(none) == []
    assert none.asked == READS + MOST_REFUSED


@pytest.mark.parametrize("driver", [HeartRate, MovellaDot])
async def test_a_level_that_is_notified_is_not_read_again(driver: type[HeartRate | MovellaDot]) -> None:
    link, strap = Refusing(notifies=True), driver()
    await strap.start(link)
    await strap.refresh(link)
    assert levels(link) == [LEVEL]


@pytest.mark.parametrize("driver", [HeartRate, MovellaDot])
async def test_a_level_that_is_not_notified_is_read_again(driver: type[HeartRate | MovellaDot]) -> None:
    link, strap = Refusing(), driver()
    assert strap.refresh_s == BATTERY_EVERY_S
    await strap.start(link)
    await strap.refresh(link)
    assert levels(link) == [LEVEL, LEVEL]
