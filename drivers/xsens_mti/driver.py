"""Xsens MTi motion trackers (1-, 10-, 100- and 600-series) over a serial port or USB.

What a device sends is its output configuration, which it keeps without power: it is read each time, and written only
where it lacks what is wanted and is not what the device made of the same wish before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.framing import answer
from drivers.identity import Identity
from drivers.messages import CONFIGURATION_CHANNEL
from drivers.packet import Frame
from drivers.xsens_mti.decoder import XsensMtiDecoder
from drivers.xsens_mti.items import (
    ACCELERATION,
    COUNTER,
    KIND,
    MAGNETIC_FIELD,
    PRESSURE,
    QUATERNION,
    RATE_OF_TURN,
    STATUS_WORD,
    TEMPERATURE,
    TIME_FINE,
)
from drivers.xsens_mti.message import (
    DATA,
    DEVICE_ID,
    ERROR,
    ERRORS,
    EVERY,
    FIRMWARE,
    GO_TO_CONFIG,
    GO_TO_MEASUREMENT,
    MARK,
    OUTPUT_CONFIGURATION,
    PRODUCT,
    REQ_DID,
    REQ_FIRMWARE,
    REQ_PRODUCT,
    WAKE_UP,
    WAKE_UP_ACK,
    XBUS,
    Message,
    Output,
    acknowledged,
    message,
    outputs_data,
    parse_message,
    parse_outputs,
)

RATES: Final = (115_200, 921_600, 460_800, 230_400, 2_000_000, 4_000_000, 57_600, 38_400, 19_200, 9_600)
"""Baud rates of these devices, the likely ones first. Over USB any will do."""
ANSWER_S: Final = 1.5  # a device answers at once; the computer may be busy
PROBE_S: Final = 0.7  # at a rate that may be the wrong one
TRIES: Final = 3  # of a command that was not answered: it may have been lost among what streamed
MOST_RATE_HZ: Final = 2000
LESS_ADVICE: Final = (
    "Ask for less with 'outputs', or set the device up with its maker's program and 'configure = false'."
)
CHOICES: Final = {
    "orientation": (QUATERNION, 0),
    "magnetic_field": (MAGNETIC_FIELD, 100),
    "air_pressure": (PRESSURE, 50),
    "temperature": (TEMPERATURE, 1),
}
"""Outputs beside acceleration and rate of turn: identifier, and how often a second all devices have it (0: always)."""


class XsensMti(Driver):
    """Reads what the device sends, has it send what is wanted, and starts its measurement.

    Options: ``rate_hz`` (default 100) and ``outputs`` (default none), a list of ``"orientation"``,
    ``"magnetic_field"``, ``"air_pressure"`` and ``"temperature"`` beside acceleration and rate of turn;
    ``configure = false`` leaves the device as it is set.
    """

    name: ClassVar[str] = "xsens_mti"
    title: ClassVar[str] = "Xsens MTi motion tracker (Xbus)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0
    rates: ClassVar[tuple[int, ...]] = RATES

    def __init__(
        self, *, rate_hz: int = 100, outputs: Sequence[str] = (), configure: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or not 1 <= rate_hz <= MOST_RATE_HZ:
            raise ValueError(f"driver '{self.name}': rate_hz is a whole number from 1 to {MOST_RATE_HZ}")
        if isinstance(outputs, str) or not all(isinstance(each, str) for each in outputs):
            raise ValueError(f"driver '{self.name}': outputs is a list of names")
        unknown = next((each for each in outputs if each not in CHOICES), None)
        if unknown is not None:
            raise ValueError(f"driver '{self.name}' has no output '{unknown}': known are {', '.join(CHOICES)}")
        if configure not in (True, False):
            raise ValueError(f"driver '{self.name}': configure is true or false")
        self._wanted = wanted_outputs(rate_hz, outputs)
        self._write = message(OUTPUT_CONFIGURATION, outputs_data(self._wanted)) if configure else None
        self._made: bytes | None = None  # what a device made of what was written: it is not asked for more again

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, start, stop, and the one output configuration that the options ask for."""
        plain = (
            GO_TO_CONFIG, GO_TO_MEASUREMENT, WAKE_UP_ACK, REQ_DID, REQ_PRODUCT, REQ_FIRMWARE, OUTPUT_CONFIGURATION,
        )  # fmt: skip
        return characteristic == "" and (data in [message(mid) for mid in plain] or data == self._write)

    def decoder(self) -> XsensMtiDecoder:
        """Return a decoder for a new connection."""
        return XsensMtiDecoder()

    def means(self, frame: Frame) -> bool:
        """Whether a message of data begins in what came."""
        return MARK + bytes((DATA,)) in frame.data

    async def probe(self, link: Link) -> bool:
        """Stop the device if it hears us."""
        try:
            await _ask(link, GO_TO_CONFIG, tries=1, within_s=PROBE_S)
        except DialogueError:
            return False
        return True

    async def identify(self, link: Link) -> Identity:
        """Ask for number, product and firmware."""
        await self.stop(link)
        number = await _ask(link, REQ_DID, DEVICE_ID)
        return Identity(
            serial=number.hex().upper() if any(number) else "",
            maker="Xsens",
            model=await _text(link, REQ_PRODUCT, PRODUCT),
            firmware=await _version(link),
        )

    async def start(self, link: Link) -> None:
        """Have the device send what is wanted, announce what it sends, and start."""
        await self.stop(link)
        data = await _ask(link, OUTPUT_CONFIGURATION)
        if self._write is not None:
            if data != self._made and _differs(self._wanted, _outputs(data)):
                data = self._made = await _ask(link, OUTPUT_CONFIGURATION, data=outputs_data(self._wanted), tries=1)
            missing = [f"{each.id:04X}" for each in self._wanted if each.id not in _rates(_outputs(data))]
            if missing:
                raise DialogueError(f"the device has no output {', '.join(missing)}", advice=LESS_ADVICE)
        link.announce(CONFIGURATION_CHANNEL, data)
        await _ask(link, GO_TO_MEASUREMENT)

    async def stop(self, link: Link) -> None:
        """Have it stop and listen."""
        await _ask(link, GO_TO_CONFIG)


def wanted_outputs(rate_hz: int, outputs: Sequence[str]) -> list[Output]:
    """Return the output configuration that the options ask for."""
    found = [Output(kind, EVERY) for kind in (COUNTER, TIME_FINE)]
    found += [Output(kind, rate_hz) for kind in (ACCELERATION, RATE_OF_TURN)]
    for name, (kind, most_hz) in CHOICES.items():
        if name in outputs:
            found.append(Output(kind, min(rate_hz, most_hz) if most_hz else rate_hz))
    return [*found, Output(STATUS_WORD, EVERY)]


def _differs(wanted: Sequence[Output], present: Sequence[Output]) -> bool:
    """Whether a configuration lacks something of what is wanted, in whatever number format."""
    rates = _rates(present)
    return any(output.id not in rates or output.rate_hz not in (rates[output.id], EVERY) for output in wanted)


def _rates(outputs: Sequence[Output]) -> dict[int, int]:
    return {output.id & KIND: output.rate_hz for output in outputs}


def _outputs(data: bytes) -> list[Output]:
    try:
        return parse_outputs(data)
    except MalformedFrameError as problem:
        raise DialogueError(str(problem)) from problem


async def _ask(
    link: Link,
    mid: int,
    reply: int | None = None,
    *,
    data: bytes = b"",
    tries: int = TRIES,
    within_s: float = ANSWER_S,
) -> bytes:
    """Send a message, again if need be, and return the data of its answer; a device that wakes up is told to stay.

    Raises:
        DialogueError: no answer, or a refusal.
    """
    wanted = acknowledged(mid) if reply is None else reply
    for left in reversed(range(tries)):
        await link.write("", message(mid, data))
        try:
            found = await _answer(link, wanted, within_s)
        except DialogueError as problem:
            if left:
                continue
            raise DialogueError(f"message {mid:02X}: {problem}") from problem
        if found.mid == ERROR:
            reason = ERRORS.get(found.data[0] if found.data else 0, "the device refuses it")
            raise DialogueError(f"message {mid:02X}: {reason}")
        return found.data
    raise DialogueError(f"message {mid:02X} was not sent")


async def _answer(link: Link, wanted: int, within_s: float) -> Message:
    """Wait for an answer or a refusal. A device that was just switched on asks whether it is to stay."""
    while True:
        found = parse_message(await answer(link, XBUS, lambda whole: whole[2] in {wanted, ERROR, WAKE_UP}, within_s))
        if found.mid != WAKE_UP:
            return found
        await link.write("", message(WAKE_UP_ACK))


async def _text(link: Link, mid: int, reply: int) -> str:
    """Return an answer in letters; empty where the device does not know the question."""
    try:
        text = (await _ask(link, mid, reply, tries=1)).decode("ascii", "replace").strip("\0 ")
    except DialogueError:
        return ""
    return text if text.isprintable() else ""


async def _version(link: Link) -> str:
    """Return the version of the firmware; empty where the device does not tell."""
    try:
        data = await _ask(link, REQ_FIRMWARE, FIRMWARE, tries=1)
    except DialogueError:
        return ""
    return ".".join(map(str, data[:3])) if len(data) >= 3 else ""
