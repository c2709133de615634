"""MicroStrain (HBK) inertial sensors that speak MIP, over a serial port or USB.

What a device sends is set anew at each start, in a way that it forgets when it is switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.framing import answer
from drivers.identity import Identity
from drivers.messages import CONFIGURATION_CHANNEL
from drivers.microstrain.decoder import CONFIGURATION, SOURCES, MicroStrainDecoder
from drivers.microstrain.fields import (
    ACCELERATION,
    EULER,
    FILTER_EULER,
    FILTER_QUATERNION,
    FILTER_TIME_OLD,
    GPS_TIME_OLD,
    MAGNETIC_FIELD,
    PRESSURE,
    QUATERNION,
    REFERENCE_DELTA,
    REFERENCE_TIME,
    ROTATION,
    TEMPERATURE,
    parse_device_info,
)
from drivers.microstrain.packet import (
    BASE,
    BASE_RATE,
    BASE_RATE_REPLY,
    COMMANDS_3DM,
    DEVICE_INFO,
    DEVICE_INFO_REPLY,
    ERRORS,
    FILTER,
    MARK,
    MESSAGE_FORMAT,
    MIP,
    PING,
    REPLY,
    RESUME,
    SENSOR,
    SET_IDLE,
    STREAM,
    WRITE,
    packet,
    parse_packet,
)
from drivers.packet import Frame

RATES: Final = (115_200, 921_600, 460_800, 230_400, 57_600, 38_400, 19_200, 9_600)
"""Baud rates of these devices, the likely ones first. Over USB any will do."""
ANSWER_S: Final = 1.5  # a device answers at once; the computer may be busy
PROBE_S: Final = 0.7  # at a rate that may be the wrong one
TRIES: Final = 3  # of a command that was not answered: it may have been lost among what streamed
MOST_RATE_HZ: Final = 1000
UNKNOWN_COMMAND: Final = 1
CHOICES: Final = {
    "orientation": (QUATERNION, EULER),
    "magnetic_field": (MAGNETIC_FIELD,),
    "air_pressure": (PRESSURE,),
    "temperature": (TEMPERATURE,),
}
"""Fields of sensor data beside acceleration and rotation; the orientation of the filter is in data of its own."""
OLD_BASE_RATE: Final = {SENSOR: (0x06, 0x83), FILTER: (0x0B, 0x8A)}
OLD_FORMAT: Final = {SENSOR: 0x08, FILTER: 0x0A}
"""Commands of models before those for any set of data; they know no reference time either."""
NO_FORMAT_ADVICE = "Ask for less with 'outputs', or set the device up with its maker's program and 'configure = false'."


class RefusedError(DialogueError):
    """The device does not do what it was told, and says why.

    Attributes:
        code: As the device numbers its reasons.
    """

    def __init__(self, command: int, code: int) -> None:
        super().__init__(f"command {command:02X}: {ERRORS.get(code, f'refused ({code})')}")
        self.code = code


class MicroStrain(Driver):
    """Has the device send acceleration and rotation with its own time, until it is switched off.

    Options: ``rate_hz`` (default 100) and ``outputs`` (default none), a list of ``"orientation"``,
    ``"magnetic_field"``, ``"air_pressure"`` and ``"temperature"``; ``orientation`` is ``"filter"`` (default) or
    ``"sensor"``, for models without a filter; ``configure = false`` has it send what it was set up to.
    """

    name: ClassVar[str] = "microstrain"
    title: ClassVar[str] = "MicroStrain inertial sensor (MIP)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0
    rates: ClassVar[tuple[int, ...]] = RATES

    def __init__(
        self,
        *,
        rate_hz: int = 100,
        outputs: Sequence[str] = (),
        orientation: str = "filter",
        configure: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or not 1 <= rate_hz <= MOST_RATE_HZ:
            raise ValueError(f"driver '{self.name}': rate_hz is a whole number from 1 to {MOST_RATE_HZ}")
        if isinstance(outputs, str) or not all(isinstance(each, str) for each in outputs):
            raise ValueError(f"driver '{self.name}': outputs is a list of names")
        unknown = next((each for each in outputs if each not in CHOICES), None)
        if unknown is not None:
            raise ValueError(f"driver '{self.name}' has no output '{unknown}': known are {', '.join(CHOICES)}")
        if orientation not in SOURCES:
            raise ValueError(f"driver '{self.name}': orientation is one of {', '.join(SOURCES)}")
        if configure not in (True, False):
            raise ValueError(f"driver '{self.name}': configure is true or false")
        self._rate_hz, self._configure, self._orientation = rate_hz, configure, orientation
        self._wanted = wanted_fields(outputs, orientation)

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, start, stop, and what the options ask for, until the device is switched off; nothing is saved."""
        if characteristic != "":
            return False
        plain = [packet(BASE, (each, b"")) for each in (PING, SET_IDLE, DEVICE_INFO, RESUME)]
        for of in (SENSOR, FILTER):
            plain += [packet(COMMANDS_3DM, (STREAM, bytes((WRITE, of, 1)))), _ask_base_rate(of, old=False)]
            plain.append(_ask_base_rate(of, old=True))
        return data in plain or self._is_format(data)

    def decoder(self) -> MicroStrainDecoder:
        """Return a decoder for a new connection."""
        return MicroStrainDecoder(self._orientation)

    def means(self, frame: Frame) -> bool:
        """Whether a packet of data begins in what came."""
        return any(MARK + bytes((of,)) in frame.data for of in (SENSOR, FILTER))

    async def probe(self, link: Link) -> bool:
        """Ask whether the device hears us."""
        try:
            await _ask(link, BASE, PING, tries=1, within_s=PROBE_S)
        except RefusedError:
            return True
        except DialogueError:
            return False
        return True

    async def identify(self, link: Link) -> Identity:
        """Ask for serial number, model and firmware."""
        await self.stop(link)
        try:
            info = parse_device_info(await _ask(link, BASE, DEVICE_INFO, reply=DEVICE_INFO_REPLY))
        except MalformedFrameError as problem:
            raise DialogueError(str(problem)) from problem
        return Identity(serial=info.serial, maker="MicroStrain", model=info.model, firmware=info.firmware)

    async def start(self, link: Link) -> None:
        """Have the device send what is wanted, and start."""
        await self.stop(link)
        for of in self._wanted:
            if self._configure:
                await self._set_format(link, of)
            await _ask(link, COMMANDS_3DM, STREAM, bytes((WRITE, of, 1)))
        await _ask(link, BASE, RESUME)

    async def stop(self, link: Link) -> None:
        """Have it stop and listen."""
        await _ask(link, BASE, SET_IDLE)

    async def _set_format(self, link: Link, of: int) -> None:
        """Say what a set of data is to hold, and how often; announce it."""
        try:
            old = False
            base_hz = await _base_rate(link, of, old=old)
        except RefusedError as problem:
            if problem.code != UNKNOWN_COMMAND:
                raise
            old = True
            base_hz = await _base_rate(link, of, old=old)
        decimation = max(1, round(base_hz / self._rate_hz))
        command, data = format_command(of, self._wanted[of], decimation, old=old)
        try:
            await _ask(link, COMMANDS_3DM, command, data)
        except RefusedError as problem:
            raise DialogueError(f"the device cannot send all of it: {problem}", advice=NO_FORMAT_ADVICE) from problem
        link.announce(CONFIGURATION_CHANNEL, CONFIGURATION.pack(of, base_hz, decimation))

    def _is_format(self, data: bytes) -> bool:
        """Whether these bytes set the wanted format of a set of data, for the time being."""
        try:
            of, fields = parse_packet(data)
        except MalformedFrameError:
            return False
        if not self._configure or of != COMMANDS_3DM or len(fields) != 1 or len(fields[0][1]) < 2:
            return False
        decimation = int.from_bytes(fields[0][1][-2:], "big")
        known = [
            format_command(each, wanted, decimation, old=old)
            for each, wanted in self._wanted.items()
            for old in (False, True)
        ]
        return decimation > 0 and fields[0] in known


def wanted_fields(outputs: Sequence[str], orientation: str) -> dict[int, tuple[int, ...]]:
    """Return the fields that the options ask for, by set of data; their time is added when they are asked for."""
    filtered = "orientation" in outputs and orientation == "filter"
    own = [ACCELERATION, ROTATION]
    for name, descriptors in CHOICES.items():
        if name in outputs and not (name == "orientation" and filtered):
            own += descriptors
    found = {SENSOR: tuple(own)}
    return found | {FILTER: (FILTER_QUATERNION, FILTER_EULER)} if filtered else found


def format_command(of: int, wanted: Sequence[int], decimation: int, *, old: bool) -> tuple[int, bytes]:
    """Return descriptor and data of the command that sets a format; with the time that the device can tell."""
    time: tuple[int, ...] = (REFERENCE_TIME, REFERENCE_DELTA)
    head = bytes((WRITE, of, len(wanted) + len(time)))
    if old:
        time = (GPS_TIME_OLD if of == SENSOR else FILTER_TIME_OLD,)
        head = bytes((WRITE, len(wanted) + 1))
    entries = b"".join(bytes((each,)) + decimation.to_bytes(2, "big") for each in (*time, *wanted))
    return OLD_FORMAT[of] if old else MESSAGE_FORMAT, head + entries


def _ask_base_rate(of: int, *, old: bool) -> bytes:
    return packet(COMMANDS_3DM, (OLD_BASE_RATE[of][0], b"") if old else (BASE_RATE, bytes((of,))))


async def _base_rate(link: Link, of: int, *, old: bool) -> int:
    """Return how many samples a second the device makes of a set of data."""
    command, reply = OLD_BASE_RATE[of] if old else (BASE_RATE, BASE_RATE_REPLY)
    data = await _ask(link, COMMANDS_3DM, command, b"" if old else bytes((of,)), reply=reply)
    base_hz = int.from_bytes(data[-2:], "big")
    if not base_hz:
        raise DialogueError("the device does not say how many samples it makes")
    return base_hz


async def _ask(
    link: Link,
    of: int,
    command: int,
    data: bytes = b"",
    *,
    reply: int | None = None,
    tries: int = TRIES,
    within_s: float = ANSWER_S,
) -> bytes:
    """Send a command, again if need be, and return the data of its reply field; empty where it has none.

    Raises:
        RefusedError: the device says that it does not do it.
        DialogueError: no answer.
    """
    for left in reversed(range(tries)):
        await link.write("", packet(of, (command, data)))
        try:
            found = await _answered(link, of, command, within_s)
        except DialogueError as problem:
            if left:
                continue
            raise DialogueError(f"command {command:02X}: {problem}") from problem
        if found[REPLY][1]:
            raise RefusedError(command, found[REPLY][1])
        if reply is None:
            return b""
        if reply in found:
            return found[reply]
        raise DialogueError(f"command {command:02X}: an answer that says nothing")
    raise DialogueError(f"command {command:02X} was not sent")


async def _answered(link: Link, of: int, command: int, within_s: float) -> dict[int, bytes]:
    """Return the fields of the answer to a command, by descriptor."""

    def is_it(whole: bytes) -> bool:
        return whole[2] == of and _fields(whole).get(REPLY, b"")[:1] == bytes((command,))

    return _fields(await answer(link, MIP, is_it, within_s))


def _fields(whole: bytes) -> dict[int, bytes]:
    """Return the fields of a packet by descriptor; none where it makes no sense. A reply has two bytes."""
    try:
        found = dict(parse_packet(whole)[1])
    except MalformedFrameError:
        return {}
    return found if len(found.get(REPLY, b"")) == 2 else {}
