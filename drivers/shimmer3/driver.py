"""Shimmer3 with LogAndStream firmware, over a serial port (Bluetooth Classic RFCOMM, such as /dev/rfcomm0).

A sample is one packet with a 24-bit stamp of the 32768 Hz clock (16 bits with old firmware); the inquiry tells its
rate and channels, the stored calibration turns counts into SI. A loss shows as a gap between stamps.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, MalformedFrameError, OtherDeviceError
from drivers.gatt.battery import BATTERY_CHANNEL
from drivers.identity import Identity
from drivers.shimmer3.decoder import (
    ACCELEROMETERS,
    CALIBRATION_CHANNEL,
    FIRMWARE_CHANNEL,
    INQUIRY_CHANNEL,
    Shimmer3Decoder,
    chosen_sensors,
)
from drivers.shimmer3.protocol import (
    ACK,
    BATTERY_REPLY,
    CALIBRATION_BYTES,
    GET_BATTERY,
    GET_CALIBRATION,
    GET_FIRMWARE,
    GET_HARDWARE,
    GET_NAME,
    HARDWARE,
    HARDWARE_REPLY,
    INQUIRY,
    INQUIRY_HEAD,
    INSTREAM_BYTES,
    NAME_REPLY,
    SET_CRC,
    START,
    STOP,
    inquiry_bytes,
    parse_inquiry,
    rate_command,
)

MODEL = 3  # hardware version of a Shimmer3; a Shimmer3R answers otherwise and orders its bytes otherwise
MODEL_ADVICE = "Connect a Shimmer3 with LogAndStream firmware to this port."
LONGEST_NAME = 32  # bytes; firmware keeps 12
QUIET_S = 0.3  # a port that gives nothing for so long has stopped streaming
DRAIN_BYTES = 65536  # a device that goes on for so long does not obey


class Shimmer3(Driver):
    """Asks the device what it sends and how it is calibrated, then starts its stream.

    Options: ``rate_hz`` sets the sampling rate (by default the device keeps its own); ``accelerometer`` is
    ``"wide_range"``, ``"low_noise"`` or ``"auto"`` (wide range where it is on: the other clips at 2 g);
    ``stamp_bytes`` 2 or 3 overrides what the firmware version says; ``crc_bytes`` 1 or 2 asks for check sums.
    """

    name: ClassVar[str] = "shimmer3"
    title: ClassVar[str] = "Shimmer3 inertial sensor (LogAndStream)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0  # the slowest useful rate is some samples a second

    def __init__(
        self,
        *,
        rate_hz: float | None = None,
        accelerometer: str = "auto",
        stamp_bytes: int | None = None,
        crc_bytes: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if accelerometer not in ACCELEROMETERS:
            known = ", ".join(ACCELEROMETERS)
            raise ValueError(f"driver '{self.name}' has no accelerometer '{accelerometer}': known are {known}")
        if stamp_bytes not in (None, 2, 3):
            raise ValueError(f"driver '{self.name}': stamp_bytes is 2 or 3, not {stamp_bytes}")
        if crc_bytes not in (0, 1, 2):
            raise ValueError(f"driver '{self.name}': crc_bytes is 0, 1 or 2, not {crc_bytes}")
        self._accelerometers = ACCELEROMETERS[accelerometer]
        self._stamp_bytes = stamp_bytes
        self._crc_bytes = crc_bytes
        self._asked: Link | None = None  # a connection that does not stream, of a device that is known to be a Shimmer3
        self._settings = [rate_command(rate_hz)] if rate_hz is not None else []
        if crc_bytes:
            self._settings.append(bytes((SET_CRC, crc_bytes)))

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, start, stop, and the settings that the options ask for; nothing that is kept or logged."""
        questions = (GET_HARDWARE, GET_NAME, GET_FIRMWARE, INQUIRY, GET_CALIBRATION, GET_BATTERY, START, STOP)
        return characteristic == "" and (data in [bytes((q,)) for q in questions] or data in self._settings)

    def decoder(self) -> Shimmer3Decoder:
        """Return a decoder that waits for the inquiry."""
        return Shimmer3Decoder(
            accelerometers=self._accelerometers, stamp_bytes=self._stamp_bytes, crc_bytes=self._crc_bytes
        )

    async def identify(self, link: Link) -> Identity:
        """Ask what hardware it is, and for the name that its owner gave it; as shipped it ends with its address."""
        await self._begin(link)
        self._asked = link
        try:
            kind, size = await _ask(link, GET_NAME, 2)
            name = await link.receive(min(size, LONGEST_NAME)) if kind == NAME_REPLY else b""
        except DialogueError:  # firmware that does not know the question
            name = b""
            await _drain(link)
        return Identity(tag=name.decode("utf-8", "replace").split("\0")[0].strip())

    async def start(self, link: Link) -> None:
        """Stop what may still run, ask, announce the answers, start."""
        if self._asked is not link:
            await self._begin(link)
        self._asked = None
        for setting in self._settings:
            if setting[0] != SET_CRC:
                await _command(link, setting)
        link.announce(FIRMWARE_CHANNEL, await _ask(link, GET_FIRMWARE, 7))
        inquiry = await _ask(link, INQUIRY, INQUIRY_HEAD)
        inquiry += await link.receive(inquiry_bytes(inquiry) - len(inquiry))
        self._check(inquiry)
        link.announce(INQUIRY_CHANNEL, inquiry)
        link.announce(CALIBRATION_CHANNEL, await _ask(link, GET_CALIBRATION, 1 + CALIBRATION_BYTES))
        link.announce(BATTERY_CHANNEL, await _ask(link, GET_BATTERY, INSTREAM_BYTES[BATTERY_REPLY]))
        if self._crc_bytes:
            await _command(link, self._settings[-1])
            await _drain(link)  # firmware may or may not already sign this acknowledgement
        await _command(link, bytes((START,)))

    async def stop(self, link: Link) -> None:
        """Stop streaming and take what is still on the way."""
        await link.write("", bytes((STOP,)))
        await _drain(link)

    async def _begin(self, link: Link) -> None:
        """Stop what may still run, and see that it is a Shimmer3."""
        await self.stop(link)
        await _check_model(link)

    def _check(self, inquiry: bytes) -> None:
        try:
            channels = parse_inquiry(inquiry).channels
        except MalformedFrameError as problem:
            raise DialogueError(f"inquiry reply: {problem}") from problem
        if not chosen_sensors(channels, self._accelerometers):
            raise DialogueError("no accelerometer, gyroscope or magnetometer is switched on in the device")


async def _check_model(link: Link) -> None:
    """Ask what hardware it is, before its answers are read as a Shimmer3's. Raises OtherDeviceError."""
    try:
        reply = await _ask(link, GET_HARDWARE, 2)
    except DialogueError:  # firmware that does not know the question
        await _drain(link)
        return
    if reply[0] == HARDWARE_REPLY and reply[1] != MODEL:
        model = HARDWARE.get(reply[1], f"Shimmer of hardware version {reply[1]}")
        raise OtherDeviceError(f"this is a {model}, which this driver does not know", advice=MODEL_ADVICE)


async def _drain(link: Link) -> None:
    """Take what comes until the port is quiet. Raises DialogueError if it never is."""
    for _ in range(DRAIN_BYTES):
        try:
            await link.receive(1, timeout_s=QUIET_S)
        except DialogueError:
            return
    raise DialogueError("the device does not stop streaming")


async def _command(link: Link, command: bytes) -> None:
    await link.write("", command)
    answer = await link.receive(1)
    if answer[0] != ACK:
        raise DialogueError(f"command {command.hex()} was answered with {answer.hex()}")


async def _ask(link: Link, command: int, count: int) -> bytes:
    """Send a one-byte question and return the ``count`` bytes of its reply."""
    await _command(link, bytes((command,)))
    return await link.receive(count)
