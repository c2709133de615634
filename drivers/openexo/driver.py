"""OpenExo: open exoskeletons of hips, ankles and elbows over Bluetooth. Notifications only: nothing is ever written.

What the device tells has neither counter nor clock: samples are stamped on arrival and carry ``LOSS_UNKNOWN``. Which
field is what, the device says once, when it is subscribed to; where it does not, the option ``joints`` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from drivers.columns import ColumnDecoder, Columns, Pieces, Told
from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.exoskeleton import FAULTS, JOINTS, STATE, STREAM, joint_number
from drivers.identity import Identity
from drivers.openexo.fields import LAYOUTS, MOST_FIELDS, Fields, fields_of_joints, fields_of_names
from drivers.openexo.message import (
    BATTERY,
    LONGEST_TABLE,
    READY,
    REAL_TIME,
    TABLE_END,
    joint_of,
    numbers,
    parse_fault,
    parse_table,
    split_message,
)
from drivers.packet import Flag, Packets, StreamSpec

TELEMETRY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""What the device notifies. Its twin, which takes commands (start, torques, resistance), is named nowhere here."""
ERRORS = "33b65d43-611c-11ed-9b6a-0242ac120002"
DEVICE_NAME = "e0271461-8c6a-11ed-a1eb-0242ac120002"

MEASUREMENT_CHANNEL = "measurement"
ERROR_CHANNEL = "error"
LONGEST_MESSAGE = 255  # bytes; the characteristic holds no more
LONGEST_NAME = 64  # bytes of a name that tells devices apart

LOSS_UNKNOWN = int(Flag.LOSS_UNKNOWN)

NOT_NAMED = "fields that nothing names: set the option 'joints'"
CONTRADICTED = "the device names its fields otherwise than the option 'joints' does"
OTHER_COUNT = "another number of fields than there are names"


class OpenExoDecoder(ColumnDecoder):
    """Real-time messages to samples, in the channels that the device names, or that the option says.

    Args:
        fields: What the fields are as long as the device has not said; None if nobody knows.
    """

    def __init__(self, fields: Fields | None = None) -> None:
        super().__init__()
        self._fields = fields
        self._why = NOT_NAMED
        self._has_sampled = False  # whether a sample was read by these fields
        self._table: bytearray | None = None  # what has come of the table of names; None when none is coming
        self._go_by(fields or fields_of_joints("ankle"))

    def _go_by(self, fields: Fields) -> None:
        self._columns = fields.columns
        self._streams = {spec.name: spec for spec in (fields.spec, FAULTS, STATE)}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """As the device names its fields, or the option; before either those of ankles, of which nothing is decoded."""
        return self._streams

    def sort(self, frames: Pieces, told: Told) -> None:
        """Sort notifications one by one."""
        for arrival_ns, channel, data in frames:
            try:
                if channel == ERROR_CHANNEL:
                    told.numbers(FAULTS.name, arrival_ns, _fault(data), LOSS_UNKNOWN)
                elif channel == MEASUREMENT_CHANNEL:
                    self._take(arrival_ns, data, told)
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1

    def _take(self, arrival_ns: int, data: bytes, told: Told) -> None:
        if data.startswith(READY):
            self._table = bytearray()
            self._collect(self._table, data[len(READY) :])
            return
        if self._table is not None and not _is_message(data):
            self._collect(self._table, data)
            return
        if len(data) > LONGEST_MESSAGE:
            raise MalformedFrameError("oversized message")
        command, count, fields = split_message(data)
        if command == REAL_TIME:
            self._check(count)
            columns = told[count, self._columns]
            columns.arrival_ns.append(arrival_ns)
            columns.flags.append(LOSS_UNKNOWN)
            columns.rows.append(fields)
        elif command == BATTERY and count == 1:
            told.numbers(STATE.name, arrival_ns, (np.nan, np.nan, np.nan, *numbers([fields])), LOSS_UNKNOWN)

    @classmethod
    def read(
        cls,
        decoders: Sequence[Decoder],
        how: str | tuple[int, tuple[int, ...]],
        columns: Columns,
    ) -> list[Packets]:
        """Read the fields of messages that have as many of them, and the same ones of use; or numbers."""
        if isinstance(how, str):
            return super().read(decoders, how, columns)
        count, chosen = how
        values = numbers(columns.rows).reshape(-1, count).take(np.array(chosen, np.intp), 1)
        return [columns.packets(STREAM, values)]

    def _collect(self, table: bytearray, data: bytes) -> None:
        """Take a piece of the table; read it when its end has come."""
        table += data
        if len(table) > LONGEST_TABLE:
            self._table = None
            raise MalformedFrameError("a table of names without end")
        if not table.endswith(TABLE_END):
            return
        self._table = None
        read = parse_table(bytes(table))
        if len(read.names) > MOST_FIELDS:
            raise MalformedFrameError("a table of more names than a message has fields")
        if read.names:
            kinds = {place[1] for number in read.joints if (place := joint_of(number)) is not None}
            self._adopt(fields_of_names(read.names, kinds))

    def _adopt(self, fields: Fields) -> None:
        """Go by the device's own names; where samples were read by others that contradict them, read no more.

        The channels of a stream stay what they are while it runs.
        """
        if not self._has_sampled:
            self._fields = fields
            self._go_by(fields)
        elif self._fields is not None and self._fields.contradict(fields):
            self._fields, self._why = None, CONTRADICTED

    def _check(self, count: int) -> None:
        """Raise MalformedFrameError where nobody knows what so many fields are."""
        fields = self._fields
        if fields is None:
            raise MalformedFrameError(self._why)
        if count != fields.count:
            raise MalformedFrameError(OTHER_COUNT)
        self._has_sampled = True


def _is_message(data: bytes) -> bool:
    """Whether bytes that come while the table is awaited are a message all the same: the exoskeleton is walking."""
    try:
        split_message(data)
    except MalformedFrameError:
        return False
    return True


def _fault(data: bytes) -> list[float]:
    """Return a row of `FAULTS`; a joint that has no number there is the whole device."""
    code, number = parse_fault(data)
    place = joint_of(number)
    joint = joint_number(*place) if place is not None and place[1] in JOINTS else 0
    return [float(code), float(joint), np.nan]


class OpenExo(Driver):
    """Subscribes to what the exoskeleton tells; its command characteristic is never written, whatever for.

    Options: ``joints`` says what the exoskeleton has (``"ankle"``, ``"hip"``, ``"elbow"``, ``"hip_ankle"``,
    ``"hip_elbow"``, ``"ankle_elbow"``) where its firmware sends no table of names.
    """

    name: ClassVar[str] = "openexo"
    title: ClassVar[str] = "OpenExo exoskeleton (notifications only)"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    names: ClassVar[tuple[str, ...]] = ("EXOBLE_",)
    silence_s: ClassVar[float] = 3600.0  # nothing is sent between trials, and to lose its link may end one

    def __init__(self, *, joints: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if joints is not None and joints not in LAYOUTS:
            known = ", ".join(LAYOUTS)
            raise ValueError(f"driver '{self.name}' has no joints '{joints}': known are {known}")
        self._fields = None if joints is None else fields_of_joints(joints)

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing: whatever it takes moves somebody."""
        return False

    def decoder(self) -> OpenExoDecoder:
        """Return a decoder that waits for the names, or knows the joints."""
        return OpenExoDecoder(self._fields)

    async def identify(self, link: Link) -> Identity:
        """Read the name, which by default ends with its address."""
        try:
            name = (await link.read(DEVICE_NAME))[:LONGEST_NAME]
        except DialogueError:
            return Identity()
        return Identity(tag=name.decode("utf-8", "replace").split("\0")[0].strip())

    async def start(self, link: Link) -> None:
        """Subscribe: the device answers with its table of names, and sends while a trial runs."""
        with contextlib.suppress(DialogueError):  # older firmware has none
            await link.subscribe(ERROR_CHANNEL, ERRORS)
        await link.subscribe(MEASUREMENT_CHANNEL, TELEMETRY)

    async def stop(self, link: Link) -> None:
        """Nothing to do: the subscription ends with the connection."""
