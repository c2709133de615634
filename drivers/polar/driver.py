"""Polar H10, Verity Sense, OH1 and 360: heart rate, and the waves of their measurement data service.

Heart rate and intervals between beats come by the Bluetooth heart rate service, as from any strap. Waves are started
one by one through a control point that answers by indication; each notification carries the stamp of its last sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.answers import ANSWER_S, Answers
from drivers.gatt.battery import BATTERY_EVERY_S, BatteryWatch
from drivers.gatt.information import read_information
from drivers.gatt.looks import LOOK_S, Looks
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.heart_rate.driver import MEASUREMENT, parse_measurement
from drivers.identity import Identity
from drivers.polar import control
from drivers.polar.control import Reply, parse_reply
from drivers.polar.decoder import CONTROL_CHANNEL, DATA_CHANNEL, PolarDecoder
from drivers.polar.frame import ECG, PPI, TYPE_BITS
from drivers.polar.streams import BY_DEFAULT, CHOICES, KINDS, PULSES, WAVES

CONTROL_POINT: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

BATTERY_LOOKS: Final = round(BATTERY_EVERY_S / LOOK_S)
SILENT_LOOKS: Final = 3  # of a stream that brings nothing: it has died beside the others, and is started again
PULSES_SILENT_LOOKS: Final = 9  # the first interval between pulses takes 25 s, and so do those after much movement
OFF_LOOKS: Final = 4  # without a heart: an H10 leaves 45 s after it was taken off, and its streams must stop before
SILENCE_S: Final = 8.0  # the heart rate comes each second, waves some times a second
SILENCE_PULSES_S: Final = 40.0  # with intervals between pulses it comes each five, and not at all while they begin
STOP_ANSWER_S: Final = 0.8  # several streams are stopped within the time that a stop may take

PAIRING_ADVICE = (
    "Newer firmware opens this only to who is paired: pair the sensor with this computer ('bluetoothctl pair ADDRESS')"
    " while it is worn, and remove it from the phone that it is paired with."
)
CHARGER_ADVICE = "Take it out of its charger: it measures nothing there."
ALL_KINDS: Final = frozenset(KINDS.values())


class Polar(Driver):
    """Starts the chosen streams and follows heart rate and battery; stops the streams before it lets go.

    Options: ``streams``, a list of `CHOICES` (by default the wave that the sensor has, ``ecg`` or ``ppg``; an empty
    list for heart rate alone); ``rates``, a table of rates in Hz by the name of the stream (by default the nearest to
    50 Hz of acceleration and rotation, 20 Hz of the magnetic field, 55 Hz of the light, 1 Hz of all else).
    """

    name: ClassVar[str] = "polar"
    title: ClassVar[str] = "Polar H10, Verity Sense, OH1, 360"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    names: ClassVar[tuple[str, ...]] = ("Polar ",)  # what it advertises besides is the service of every strap
    refresh_s: ClassVar[float | None] = LOOK_S

    def __init__(
        self, *, streams: Sequence[str] | None = None, rates: Mapping[str, float] | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._named = _names(self.name, streams)
        self._rates = _rates(self.name, self._chosen, rates)
        self.silence_s = SILENCE_PULSES_S if PULSES in self._chosen else SILENCE_S  # type: ignore[misc]  # of this device
        self._battery = BatteryWatch()
        self._answers = Answers(CONTROL_CHANNEL)
        self._forget()

    @property
    def _chosen(self) -> tuple[str, ...]:
        return BY_DEFAULT if self._named is None else self._named

    def _forget(self) -> None:
        """Begin with a new link, of which nothing is known."""
        self._features: frozenset[int] = frozenset()
        self._wanted: list[int] = []
        self._running: list[int] = []
        self._watch = Looks()
        self._beats: bool | None = None  # whether the newest heart rate was one
        self._off = self._looks = 0  # looks without a heart, and all looks

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions for settings, start of the chosen streams, and stop of any: another program may have left one.

        No recording into the sensor's memory, no mode that stays, nothing to any other characteristic.
        """
        if characteristic != CONTROL_POINT or len(data) < 2 or data[1] not in ALL_KINDS:
            return False
        chosen = frozenset(KINDS[name] for name in self._chosen)
        return data in (control.get_settings(data[1]), control.stop(data[1])) or control.is_start(data, chosen)

    def decoder(self) -> PolarDecoder:
        """Return a decoder for the chosen streams."""
        return PolarDecoder(self._chosen)

    async def identify(self, link: Link) -> Identity:
        """Read what the sensor tells of itself; the serial number is what its advertised name ends with."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Subscribe to heart rate and battery, stop what may still run, start what is chosen and there is."""
        self._forget()
        await link.subscribe(MEASUREMENT_CHANNEL, MEASUREMENT)
        link.listen(MEASUREMENT_CHANNEL, self._on_heart)
        await self._battery.follow(link)
        self._features = await self._read_features(link)
        self._wanted = self._find_wanted()
        if not self._features:
            return
        await link.subscribe(CONTROL_CHANNEL, CONTROL_POINT)
        self._answers.listen(link)
        for kind in sorted(self._features & ALL_KINDS):  # of a connection that was lost, or of another program
            await self._ask(link, control.stop(kind))
        await link.subscribe(DATA_CHANNEL, DATA)
        link.listen(DATA_CHANNEL, self._on_data)
        for kind in self._wanted:
            await self._begin(link, kind)

    async def refresh(self, link: Link) -> None:
        """Look after each stream, and after the battery where it does not notify."""
        self._looks += 1
        if self._looks % BATTERY_LOOKS == 0:
            await self._battery.refresh(link)
        if self._is_off():
            await self.stop(link)
            return
        patience = {kind: PULSES_SILENT_LOOKS if kind == PPI else SILENT_LOOKS for kind in self._running}
        for kind in self._watch.silent(patience):
            await self._end(link, kind)
        for kind in self._wanted:
            if kind not in self._running:
                await self._begin(link, kind)

    async def stop(self, link: Link) -> None:
        """Stop each stream that was started: left alone they empty the battery of a sensor that nobody wears."""
        for kind in list(self._running):
            await self._end(link, kind)

    async def _read_features(self, link: Link) -> frozenset[int]:
        try:
            answer = await link.read(CONTROL_POINT)
        except DialogueError as problem:
            if "not found" in str(problem) and not self._named:  # an H9, or another strap: heart rate alone
                return frozenset()
            raise DialogueError(str(problem), advice=PAIRING_ADVICE) from problem
        try:
            features = control.parse_features(answer)
        except MalformedFrameError as problem:
            raise DialogueError(f"what the sensor has: {problem}") from problem
        link.announce(CONTROL_CHANNEL, answer)
        return features

    def _find_wanted(self) -> list[int]:
        """Return the kinds to start. Raises DialogueError where a stream that the configuration names is not there."""
        missing = [name for name in self._named or () if KINDS[name] not in self._features]
        if missing:
            there = ", ".join(name for name in CHOICES if KINDS[name] in self._features) or "none of them"
            raise DialogueError(
                f"the sensor has no {missing[0]}: it has {there}",
                advice="Correct 'streams' in the options of this device.",
            )
        return [KINDS[name] for name in self._chosen if KINDS[name] in self._features]

    async def _begin(self, link: Link, kind: int) -> None:
        """Start a stream with the settings that fit best. Raises DialogueError."""
        command = control.start(kind, await self._settings(link, kind))
        link.announce(CONTROL_CHANNEL, command)
        reply = await self._ask(link, command)
        if reply.status == control.ALREADY:  # somebody else's, with other settings
            await self._ask(link, control.stop(kind))
            reply = await self._ask(link, command)
        if reply.problem:
            advice = CHARGER_ADVICE if reply.status == control.IN_CHARGER else ""
            raise DialogueError(f"{_name(kind)} could not be started: {reply.problem}", advice=advice)
        if kind not in self._running:
            self._running.append(kind)

    async def _end(self, link: Link, kind: int) -> None:
        """Stop a stream, as far as the sensor answers."""
        self._running.remove(kind)
        try:
            await self._ask(link, control.stop(kind), timeout_s=STOP_ANSWER_S)
        except DialogueError:
            return

    async def _settings(self, link: Link, kind: int) -> dict[int, int]:
        """Ask what a stream may be set to, and choose. Raises DialogueError."""
        if kind == PPI:  # there is nothing to choose
            return {}
        name = _name(kind)
        reply = await self._ask(link, control.get_settings(kind))
        if reply.problem:
            raise DialogueError(f"settings of {name}: {reply.problem}")
        rate_hz = self._rates.get(name, WAVES[name].spec.rate_hz or 1.0)
        try:
            offered = control.parse_settings(reply.params)
            return control.choose(offered, rate_hz=rate_hz, nearest=name not in self._rates)
        except ValueError as problem:
            raise DialogueError(f"settings of {name}: {problem}") from problem

    async def _ask(self, link: Link, question: bytes, *, timeout_s: float = ANSWER_S) -> Reply:
        """Ask the control point and return its whole answer. Raises DialogueError."""
        answer = await self._answers.ask(link, CONTROL_POINT, question, _answer_to(question), timeout_s=timeout_s)
        reply = parse_reply(answer)
        params, more = reply.params, reply.more
        while more:  # each further part begins with whether another follows
            part = await self._answers.next(lambda data: data[0] != control.REPLY, timeout_s=timeout_s)
            params, more = params + part[1:], part[0] != 0
        return Reply(reply.operation, reply.kind, reply.status, more=False, params=params)

    def _is_off(self) -> bool:
        """Look at the heart; whether there was none for so long that the strap is not worn.

        Armbands make up a heart rate in the air: nothing follows from theirs.
        """
        self._off = self._off + 1 if self._beats is False else 0
        return ECG in self._features and self._off >= OFF_LOOKS

    def _on_heart(self, data: bytes) -> None:
        try:
            measured = parse_measurement(data)
        except MalformedFrameError:
            return
        self._beats = measured.heart_rate > 0 and measured.contact is not False

    def _on_data(self, data: bytes) -> None:
        if data:
            self._watch.came(data[0] & TYPE_BITS)


def _answer_to(question: bytes) -> Callable[[bytes], bool]:
    head = bytes((control.REPLY, *question[:2]))
    return lambda data: len(data) >= 4 and data.startswith(head)


def _name(kind: int) -> str:
    return next(name for name, each in KINDS.items() if each == kind)


def _names(driver: str, streams: Sequence[str] | None) -> tuple[str, ...] | None:
    if streams is None:
        return None
    if isinstance(streams, str) or not all(isinstance(each, str) for each in streams):
        raise ValueError(f"driver '{driver}': streams is a list of {', '.join(CHOICES)}")
    for each in streams:
        if each not in CHOICES:
            raise ValueError(f"driver '{driver}' has no stream '{each}': known are {', '.join(CHOICES)}")
    return tuple(dict.fromkeys(streams))


def _rates(driver: str, chosen: Sequence[str], rates: Mapping[str, float] | None) -> dict[str, float]:
    if rates is not None and not isinstance(rates, Mapping):
        raise ValueError(f"driver '{driver}': rates is a table, such as {{ acceleration = 100 }}")
    for name, rate_hz in (rates or {}).items():
        if name not in chosen or name not in WAVES:
            raise ValueError(f"driver '{driver}': '{name}' in rates is none of the streams: {', '.join(chosen)}")
        if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 1 <= rate_hz <= 0xFFFF:
            raise ValueError(f"driver '{driver}': the rate of {name} is a number in Hz, not {rate_hz}")
    return dict(rates or {})
