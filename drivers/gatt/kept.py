"""Devices that measure when somebody uses them, and may keep what they measured: whose it is, and how old."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Final

from drivers.errors import MalformedFrameError
from drivers.gatt.date_time import NS, DeviceTime
from drivers.gatt.profile import CLOCK, CLOCK_CHANNEL, EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import Reading
from drivers.gatt.rows import Row
from drivers.packet import Flag, Frame

NOBODY_USES_IT_S: Final = 86_400.0  # silence of a device that sends when somebody uses it
UNKNOWN_USER: Final = 255
ANOTHER_USER: Final = "of another user of the device"
TWICE: Final = "measurement delivered twice"
AGAIN_S: Final = 2.0
"""Within this the same bytes again are the same measurement: no scale, cuff or thermometer is used twice so soon."""
STAMPED_AGAIN_S: Final = 60.0
"""The same where the bytes have the device's time, to the second; longer, and its clock may stand still."""


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
        self._last: dict[bytes, int] = {}  # when each came, of the last minute

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
        if self._came_before(frame, within_s=AGAIN_S if stamp is None else STAMPED_AGAIN_S):
            self.faults[TWICE] += 1
            return None
        flags = Flag.LOSS_UNKNOWN
        if "time" in reading.values and not self._time.dates(frame.arrival_ns, stamp):
            flags |= Flag.UNDATED
        age_s = self._time.age_s(frame.arrival_ns, stamp)
        user = reading.values.get("user_id")
        if self._user is not None and user != self._user:
            raise MalformedFrameError(ANOTHER_USER)
        if self._user is None and user is not None:
            flags |= Flag.SOME_USER
        return Row(frame.arrival_ns, (*self.values(reading), reading.number("user_id"), age_s), flags)

    def _came_before(self, frame: Frame, *, within_s: float) -> bool:
        """Whether a record came already: an indication whose confirmation was lost comes once more."""
        now_ns, before_ns = frame.arrival_ns, self._last.get(frame.data)
        kept_ns = now_ns - round(STAMPED_AGAIN_S * NS)
        self._last = {data: at_ns for data, at_ns in self._last.items() if at_ns >= kept_ns}
        self._last[frame.data] = now_ns
        return before_ns is not None and now_ns - before_ns < within_s * NS


class KeptProfile(Profile):
    """A device that somebody uses now and then. Option ``user``: its number of the patient, where it has several."""

    announced: ClassVar[tuple[Source, ...]] = (CLOCK,)
    silence_s: ClassVar[float] = NOBODY_USES_IT_S

    def __init__(self, *, user: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if user is not None and (isinstance(user, bool) or not isinstance(user, int) or not 0 <= user < UNKNOWN_USER):
            raise ValueError(f"driver '{self.name}': user = {user} is no number of a user, 0 to {UNKNOWN_USER - 1}")
        self.user = user
