"""Shimmer3 and 3R with LogAndStream firmware, over a serial port (Bluetooth Classic RFCOMM, such as /dev/rfcomm0).

A sample is one packet with a 24-bit stamp of the 32768 Hz clock (16 bits with old firmware); the inquiry tells its
rate and channels, calibration, ExG registers and pressure coefficients turn counts into units. A loss shows as a gap
between stamps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, cast, get_args

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY_CHANNEL, BATTERY_EVERY_S
from drivers.identity import Identity
from drivers.shimmer3.announced import EXG_CHANNELS, ExgChoice
from drivers.shimmer3.channels import GSR, PRESSURE, SHIMMER3, SHIMMER3R
from drivers.shimmer3.decoder import (
    ACCELEROMETERS,
    CALIBRATION_CHANNEL,
    CONTROL_CHANNEL,
    FIRMWARE_CHANNEL,
    INQUIRY_CHANNEL,
    Shimmer3Decoder,
    chosen_sensors,
)
from drivers.shimmer3.dialogue import (
    EXG_QUESTIONS,
    ask,
    ask_hardware,
    ask_inquiry,
    ask_name,
    ask_pressure,
    ask_serial,
    command,
    drain,
)
from drivers.shimmer3.protocol import (
    BATTERY_REPLY,
    CALIBRATION_BYTES,
    CALIBRATION_BYTES_3R,
    EXG_REGISTERS,
    GET_BATTERY,
    GET_BMP180,
    GET_BMP280,
    GET_CALIBRATION,
    GET_FIRMWARE,
    GET_HARDWARE,
    GET_NAME,
    GET_PRESSURE,
    GET_SERIAL,
    HARDWARE,
    INQUIRY,
    INSTREAM_BYTES,
    SET_CRC,
    START,
    STOP,
    parse_inquiry,
    rate_command,
)
from drivers.shimmer3.settings import pulse_inputs, sensors_command

_QUESTIONS = (
    GET_HARDWARE, GET_NAME, GET_SERIAL, GET_FIRMWARE, INQUIRY, GET_CALIBRATION, GET_BATTERY, GET_PRESSURE, GET_BMP280,
    GET_BMP180,
)  # fmt: skip


class Shimmer3(Driver):
    """Asks the device what it sends and how it is calibrated, then starts its stream.

    Options: ``rate_hz`` sets the sampling rate (by default the device keeps its own); ``sensors`` switches on exactly
    those it names (by default the device keeps its own); ``accelerometer`` is ``"wide_range"``, ``"low_noise"``,
    ``"high_g"`` (Shimmer3R) or ``"auto"`` (wide range where it is on: the other clips at 2 g); ``exg`` is ``"ecg"``,
    ``"emg"`` or ``"auto"`` (what the registers say); ``ppg`` names the analogue inputs of a pulse sensor (``"auto"``:
    the usual one of a GSR+ unit); ``stamp_bytes`` 2 or 3 overrides what the firmware version says; ``crc_bytes`` 1 or 2
    asks for check sums.
    """

    name: ClassVar[str] = "shimmer3"
    title: ClassVar[str] = "Shimmer3 or 3R sensor: movement, ECG, EMG, GSR, PPG (LogAndStream)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0  # the slowest useful rate is some samples a second
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S

    def __init__(
        self,
        *,
        rate_hz: float | None = None,
        sensors: Sequence[str] | None = None,
        accelerometer: str = "auto",
        exg: str = "auto",
        ppg: str | Sequence[str] = "auto",
        stamp_bytes: int | None = None,
        crc_bytes: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if accelerometer not in ACCELEROMETERS:
            known = ", ".join(ACCELEROMETERS)
            raise ValueError(f"driver '{self.name}' has no accelerometer '{accelerometer}': known are {known}")
        if exg not in get_args(ExgChoice):
            raise ValueError(f"driver '{self.name}': exg is {', '.join(get_args(ExgChoice))}, not {exg}")
        if stamp_bytes not in (None, 2, 3):
            raise ValueError(f"driver '{self.name}': stamp_bytes is 2 or 3, not {stamp_bytes}")
        if crc_bytes not in (0, 1, 2):
            raise ValueError(f"driver '{self.name}': crc_bytes is 0, 1 or 2, not {crc_bytes}")
        self._accelerometers = ACCELEROMETERS[accelerometer]
        self._exg, self._ppg = cast("ExgChoice", exg), pulse_inputs(ppg)
        self._stamp_bytes = stamp_bytes
        self._crc_bytes = crc_bytes
        self._asked: Link | None = None  # a connection that does not stream, of a device that is known to be a Shimmer
        self._hardware = b""  # what it said of that
        self._settings = [rate_command(rate_hz)] if rate_hz is not None else []
        self._settings += [sensors_command(sensors)] if sensors is not None else []
        self._signing = [bytes((SET_CRC, crc_bytes))] if crc_bytes else []

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, start, stop, and the settings that the options ask for; nothing else that is kept or logged."""
        if characteristic:
            return False
        return (
            data in [bytes((each,)) for each in (*_QUESTIONS, START, STOP)]
            or data in EXG_QUESTIONS
            or data in self._settings
            or data in self._signing
        )

    def decoder(self) -> Shimmer3Decoder:
        """Return a decoder that waits for the inquiry."""
        return Shimmer3Decoder(
            accelerometers=self._accelerometers,
            stamp_bytes=self._stamp_bytes,
            crc_bytes=self._crc_bytes,
            exg=self._exg,
            ppg=self._ppg,
        )

    async def identify(self, link: Link) -> Identity:
        """Ask what hardware it is, its number, and the name that its owner gave it."""
        await self._begin(link)
        self._asked = link
        tag = await ask_name(link)
        serial = await ask_serial(link, self._version)
        return Identity(serial=serial, tag=tag, model=HARDWARE[self._version])

    async def start(self, link: Link) -> None:
        """Stop what may still run, ask, announce the answers, start."""
        if self._asked is not link:
            await self._begin(link)
        self._asked = None
        for setting in self._settings:
            await command(link, setting)
        if self._version != SHIMMER3:  # which a decoder takes it for otherwise
            link.announce(CONTROL_CHANNEL, self._hardware)
        link.announce(FIRMWARE_CHANNEL, await ask(link, GET_FIRMWARE, 7))
        await self._announce_channels(link)
        size = CALIBRATION_BYTES_3R if self._version == SHIMMER3R else CALIBRATION_BYTES
        link.announce(CALIBRATION_CHANNEL, await ask(link, GET_CALIBRATION, 1 + size))
        link.announce(BATTERY_CHANNEL, await ask(link, GET_BATTERY, INSTREAM_BYTES[BATTERY_REPLY]))
        for signing in self._signing:
            await command(link, signing)
            await drain(link)  # firmware may or may not already sign this acknowledgement
        await command(link, bytes((START,)))

    async def refresh(self, link: Link) -> None:
        """Ask for the battery level: the answer comes between the packets."""
        await link.write("", bytes((GET_BATTERY,)))

    async def stop(self, link: Link) -> None:
        """Stop streaming and take what is still on the way."""
        await link.write("", bytes((STOP,)))
        await drain(link)

    @property
    def _version(self) -> int:
        return self._hardware[1] if self._hardware else SHIMMER3

    async def _begin(self, link: Link) -> None:
        """Stop what may still run, and see that it is a Shimmer3 or 3R."""
        await self.stop(link)
        self._hardware = await ask_hardware(link)

    async def _announce_channels(self, link: Link) -> None:
        """Announce the inquiry reply, and before it what the channels in it need to be understood."""
        inquiry = await ask_inquiry(link, self._version)
        try:
            channels = set(parse_inquiry(inquiry, self._version).channels)
        except MalformedFrameError as problem:
            raise DialogueError(f"inquiry reply: {problem}") from problem
        readable = EXG_CHANNELS | {GSR, PRESSURE} | set(self._ppg or ())
        if not chosen_sensors(tuple(channels), self._accelerometers, self._version) and not channels & readable:
            raise DialogueError(
                "no accelerometer, gyroscope or magnetometer is switched on in the device, nor another sensor we read"
            )
        if channels & EXG_CHANNELS:
            for question in EXG_QUESTIONS:
                link.announce(CONTROL_CHANNEL, await ask(link, question, 2 + EXG_REGISTERS))
        if PRESSURE in channels and (coefficients := await ask_pressure(link, self._version)):
            link.announce(CONTROL_CHANNEL, coefficients)
        link.announce(INQUIRY_CHANNEL, inquiry)
