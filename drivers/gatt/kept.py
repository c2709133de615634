"""Devices that measure when somebody uses them, and may keep what they measured: whose it is, and how old."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, Final

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.date_time import DateTime, DeviceTime
from drivers.gatt.profile import CLOCK, CLOCK_CHANNEL, EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import Reading
from drivers.gatt.rows import Row
from drivers.kept_records import Came
from drivers.packet import Flag, Frame

NOBODY_USES_IT_S: Final = 86_400.0  # silence of a device that sends when somebody uses it
UNKNOWN_USER: Final = 255
ANOTHER_USER: Final = "of another user of the device"
TWICE: Final = "measurement delivered twice"
PERHAPS_TWICE: Final = "measurement possibly delivered twice"
FIRST_YEAR: Final = 2011
"""The oldest of these services is of that year: a clock that tells of an earlier one was never set, and may begin at
the same moment each time that the device is used, or its battery changed."""


class KeptDecoder(ProfileDecoder):
    """Decodes records that may carry the device's time and one of its users.

    Args:
        user: Number of the user whose records are taken; None for everybody's.
    """

    channels: ClassVar[frozenset[str]] = frozenset({MEASUREMENT_CHANNEL, CLOCK_CHANNEL})

    def __init__(self, user: int | None = None) -> None:
        super().__init__()
        self._user = user
        self._time = DeviceTime()

    @abstractmethod
    def parse(self, data: bytes) -> Reading:
        """Read a record; raises MalformedFrameError."""

    @abstractmethod
    def values(self, reading: Reading) -> tuple[float, ...]:
        """Return its values, in the units of the stream; the channels user and age come behind them."""

    def row(self, frame: Frame) -> Row | None:
        """Return one measurement, or learn what the device's clock says."""
        if frame.channel == CLOCK_CHANNEL:
            self._time.set_by(frame.arrival_ns, frame.data)
            return None
        reading = self.parse(frame.data)
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        stamp = reading.values.get("time")
        flags = Flag.LOSS_UNKNOWN
        dated = self._time.dates(frame.arrival_ns, stamp)
        if "time" in reading.values and not dated:
            flags |= Flag.UNDATED
        age_s = self._time.age_s(frame.arrival_ns, stamp)
        user = reading.values.get("user_id")
        if self._user is not None and user != self._user:
            raise MalformedFrameError(ANOTHER_USER)
        if self._user is None and user is not None:
            flags |= Flag.SOME_USER
        again = came_again(self, frame, stamp, age_s if dated else math.nan)
        if again is None:
            return None
        flags |= again
        return Row(frame.arrival_ns, (*self.values(reading), reading.number("user_id"), age_s), flags)


def came_again(decoder: Decoder, frame: Frame, stamp: DateTime | None, age_s: float) -> Flag | None:
    """Return how a record is flagged, by whether the device has sent it before; None for one that is left out.

    Args:
        decoder: Of the device; counts what came again.
        frame: The record.
        stamp: The device's time in it; None where it has none.
        age_s: How long ago that was by the device's clock, seconds; NaN where that was not read.
    """
    never_set = stamp is not None and (stamp.year or 0) < FIRST_YEAR and math.isnan(age_s)
    said = "" if stamp is None or math.isnan(stamp.seconds) or never_set else str(stamp)
    came = decoder.kept.take(frame.arrival_ns, frame.data, said, age_s)
    if came is Came.NEW:
        return Flag.NONE
    decoder.faults[TWICE if came is Came.TWICE else PERHAPS_TWICE] += 1
    return None if came is Came.TWICE else Flag.PERHAPS_AGAIN


class KeptProfile(Profile):
    """A device that somebody uses now and then. Option ``user``: its number of the patient, where it has several."""

    announced: ClassVar[tuple[Source, ...]] = (CLOCK,)
    silence_s: ClassVar[float] = NOBODY_USES_IT_S

    def __init__(self, *, user: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if user is not None and (isinstance(user, bool) or not isinstance(user, int) or not 0 <= user < UNKNOWN_USER):
            raise ValueError(f"driver '{self.name}': user = {user} is no number of a user, 0 to {UNKNOWN_USER - 1}")
        self.user = user
