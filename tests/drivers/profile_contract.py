"""What every driver of a Bluetooth profile promises beside `DriverContract`; to be imported as a module."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import FUZZ, DriverContract, decoded
from drivers.errors import DialogueError
from drivers.gatt.battery import BATTERY_LEVEL
from drivers.gatt.profile import Profile
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Frame
from tests.drivers.test_battery import Refusing

SECOND = 10**9
EVERY_CHARACTERISTIC = [sig_uuid(short) for short in (*range(0x2A00, 0x2B60),)]


class ProfileContract(DriverContract):
    """Nothing is written, a cut frame tells nothing, and a device may lack what is optional."""

    forbidden: ClassVar[Sequence[tuple[str, bytes]]] = tuple(
        (characteristic, data) for characteristic in EVERY_CHARACTERISTIC for data in (b"", b"\0", b"\1", b"\7")
    )

    @abstractmethod
    def good(self, at: int) -> bytes:
        """The bytes of measurement ``at``, each another one."""

    def announced(self) -> list[Frame]:
        return [Frame(0, "battery", b"\x55")]

    def streamed(self, count: int) -> list[Frame]:
        return [Frame(at * SECOND, self.channel(), self.good(at)) for at in range(count)]

    def channel(self) -> str:
        return "measurement"

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def profile(self) -> Profile:
        driver = self.driver()
        assert isinstance(driver, Profile)
        return driver

    def test_a_frame_cut_anywhere_tells_nothing_and_is_counted(self) -> None:
        for whole in (self.good(0), self.good(7)):
            for size in range(len(whole)):
                decoder = self.driver().decoder()
                assert decoder.decode([Frame(0, self.channel(), whole[:size])]) == [], size
                assert sum(decoder.faults.values()) == 1, size

    @FUZZ
    @given(st.integers(0, 0xFFFFFF), st.binary(min_size=6, max_size=45))
    def test_any_flags_and_any_fields_are_read_or_counted(self, flags: int, fields: bytes) -> None:
        decoder = self.driver().decoder()
        got = decoded(decoder, [[Frame(SECOND, self.channel(), flags.to_bytes(3, "little") + fields)]])
        assert got or decoder.faults or not self.complete_alone()

    def complete_alone(self) -> bool:
        """Whether each whole frame is a sample by itself."""
        return True

    async def test_it_subscribes_to_what_there_is_and_reads_battery_and_identity(self) -> None:
        link, driver = Refusing(notifies=True), self.profile()
        await driver.start(link)
        assert driver.subscribed == {source.channel for source in (*driver.needed, *driver.optional)}
        assert ("battery", b"\x0c") in link.announced
        assert driver.refresh_s == 60.0
        await driver.identify(link)
        await driver.refresh(link)
        await driver.stop(link)

    async def test_a_device_that_has_nothing_of_the_profile_is_refused_in_words(self) -> None:
        class Nothing(Refusing):
            async def subscribe(self, channel: str, characteristic: str) -> None:
                raise DialogueError(f"could not subscribe to {characteristic}: not found")

        with pytest.raises(DialogueError, match="could not subscribe"):
            await self.profile().start(Nothing())

    async def test_a_device_that_lets_nothing_be_read_streams_all_the_same(self) -> None:
        class Closed(Refusing):
            async def read(self, characteristic: str) -> bytes:
                assert characteristic != "", BATTERY_LEVEL
                raise DialogueError("could not read: [org.bluez.Error.NotPermitted] Read not permitted")

        link, driver = Closed(notifies=True), self.profile()
        identity = await driver.identify(link)
        await driver.start(link)
        assert (identity.serial, link.announced) == ("", [])
        assert driver.subscribed

    def test_no_sample_is_infinite_whatever_the_fields_hold(self) -> None:
        for filler in (b"\xff", b"\x00", b"\x7f", b"\x80"):
            for at in range(3):
                good = self.good(at)
                frame = Frame(SECOND, self.channel(), good[:3] + filler * (len(good) - 3))
                for packet in self.driver().decoder().decode([frame]):
                    assert not np.isinf(packet.samples).any()
