"""Movesense HR+, HR2, MD and Flash with firmware that speaks the open GATT SensorData Protocol.

The firmware that sensors are shipped with speaks a closed protocol (Whiteboard) instead: such a sensor is refused with
a sentence. One connection at a time; each stream is subscribed to by the path of its resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from drivers.driver import Driver, Link
from drivers.errors import DialogueError
from drivers.gatt.answers import ANSWER_S, Answers
from drivers.gatt.battery import BATTERY_CHANNEL, BATTERY_EVERY_S, BatteryWatch
from drivers.gatt.information import read_information
from drivers.gatt.looks import LOOK_S, Looks
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.identity import Identity
from drivers.movesense.decoder import MovesenseDecoder
from drivers.movesense.messages import (
    ANSWER,
    DONE,
    GET,
    HELLO,
    STATUS,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Message,
    parse_message,
)
from drivers.movesense.streams import BY_DEFAULT, SOURCES

COMMANDS: Final = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFICATIONS: Final = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO_REFERENCE, BATTERY_REFERENCE = 100, 101
GREETING: Final = bytes((HELLO, HELLO_REFERENCE))
ASK_BATTERY: Final = bytes((GET, BATTERY_REFERENCE)) + b"/System/Energy/Level"
BATTERY_LOOKS: Final = round(BATTERY_EVERY_S / LOOK_S)
SILENT_LOOKS: Final = 3  # of a stream that brings nothing: it has died beside the others, and is started again
STOP_ANSWER_S: Final = 0.8
SILENCE_HEART_S: Final = 86_400.0  # of a sensor that is asked for a heart alone: it sends nothing where none beats

CLOSED_ADVICE = (
    "It needs firmware with the GATT SensorData Protocol (Movesense's sample 'gatt_sensordata_app', or 'datalogger'):"
    " update it with the maker's Showcase app."
)


class Movesense(Driver):
    """Subscribes to the chosen streams and unsubscribes before it lets go.

    Options: ``streams``, a list of the names in `SOURCES` (by default ``imu`` and ``heart_rate``); ``rates``, a table
    of rates in Hz by those names (by default 104 Hz of motion, 200 Hz of the electrocardiogram).
    """

    name: ClassVar[str] = "movesense"
    title: ClassVar[str] = "Movesense (GATT SensorData Protocol)"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    names: ClassVar[tuple[str, ...]] = ("Movesense",)
    refresh_s: ClassVar[float | None] = LOOK_S

    def __init__(
        self, *, streams: Sequence[str] | None = None, rates: Mapping[str, int] | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        names = _names(self.name, BY_DEFAULT if streams is None else streams)
        self._rates = _rates(self.name, names, rates)
        self._subscribe = {
            SOURCES[name].reference: _subscription(name, rate_hz) for name, rate_hz in self._rates.items()
        }
        self._sampled = {SOURCES[name].reference for name in names if SOURCES[name].rates}
        if not self._sampled:
            self.silence_s = SILENCE_HEART_S  # type: ignore[misc]  # of this device, not of the kind
        self._battery = BatteryWatch()
        self._asks_battery = True
        self._answers = Answers(MEASUREMENT_CHANNEL, lambda data: data[:1] == bytes((ANSWER,)))
        self._watch = Looks()
        self._running: set[int] = set()
        self._looks = 0

    def allows(self, characteristic: str, data: bytes) -> bool:
        """A greeting, the question for the battery, and the subscriptions of this configuration and their ends.

        Nothing that records, clears, sets a mode or the time.
        """
        ends = [_end(reference) for reference in self._subscribe]
        return characteristic == COMMANDS and data in (GREETING, ASK_BATTERY, *self._subscribe.values(), *ends)

    def decoder(self) -> MovesenseDecoder:
        """Return a decoder for the chosen streams."""
        return MovesenseDecoder(self._rates)

    async def identify(self, link: Link) -> Identity:
        """Read what the sensor tells of itself; the serial number is what its advertised name ends with."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Greet, end what may still run, subscribe to what is chosen."""
        self._running.clear()
        self._watch, self._looks = Looks(), 0
        try:
            await link.subscribe(MEASUREMENT_CHANNEL, NOTIFICATIONS)
        except DialogueError as problem:
            raise DialogueError(str(problem), advice=CLOSED_ADVICE) from problem
        self._answers.listen(link)
        link.listen(MEASUREMENT_CHANNEL, self._heard)
        await self._ask(link, GREETING)
        await self._follow_battery(link)
        for reference in self._subscribe:
            await self._ask(link, _end(reference))  # of a connection that was lost: whatever it says to that
        for reference in self._subscribe:
            await self._begin(link, reference)

    async def refresh(self, link: Link) -> None:
        """Look after each stream, and after the battery."""
        self._looks += 1
        if self._looks % BATTERY_LOOKS == 0:
            await self._read_battery(link)
        for reference in self._watch.silent(dict.fromkeys(self._running & self._sampled, SILENT_LOOKS)):
            await self._finish(link, reference)
        for reference in self._subscribe:
            if reference not in self._running:
                await self._begin(link, reference)

    async def stop(self, link: Link) -> None:
        """End each subscription: a sensor that is not subscribed to falls asleep."""
        for reference in sorted(self._running):
            await self._finish(link, reference)

    async def _begin(self, link: Link, reference: int) -> None:
        command = self._subscribe[reference]
        answer = await self._ask(link, command)
        if answer.status not in DONE:
            why = STATUS.get(answer.status, f"status {answer.status}")
            raise DialogueError(f"{command[2:].decode('ascii')} could not be subscribed to: {why}")
        self._running.add(reference)

    async def _finish(self, link: Link, reference: int) -> None:
        """End a subscription, as far as the sensor answers."""
        self._running.discard(reference)
        try:
            await self._ask(link, _end(reference), timeout_s=STOP_ANSWER_S)
        except DialogueError:
            return

    async def _follow_battery(self, link: Link) -> None:
        """Ask for the battery; follow the Bluetooth battery service where the firmware does not know the question."""
        self._asks_battery = True
        await self._read_battery(link)
        if not self._asks_battery:
            await self._battery.follow(link)

    async def _read_battery(self, link: Link) -> None:
        if not self._asks_battery:
            await self._battery.refresh(link)
            return
        try:
            answer = await self._ask(link, ASK_BATTERY)
        except DialogueError:
            return
        self._asks_battery = answer.status in DONE and len(answer.payload) > 2
        if self._asks_battery:
            link.announce(BATTERY_CHANNEL, answer.payload[2:3])

    async def _ask(self, link: Link, question: bytes, *, timeout_s: float = ANSWER_S) -> Message:
        """Send a command and return its answer. Raises DialogueError."""
        return parse_message(
            await self._answers.ask(link, COMMANDS, question, _answer_to(question), timeout_s=timeout_s)
        )

    def _heard(self, data: bytes) -> None:
        self._answers.heard(data)
        if len(data) > 1 and data[0] != ANSWER:
            self._watch.came(data[1])


def _answer_to(question: bytes) -> Callable[[bytes], bool]:
    head = bytes((ANSWER, question[1]))
    return lambda data: data.startswith(head)


def _subscription(name: str, rate_hz: int) -> bytes:
    source = SOURCES[name]
    return bytes((SUBSCRIBE, source.reference)) + source.path.format(rate=rate_hz).encode("ascii")


def _end(reference: int) -> bytes:
    return bytes((UNSUBSCRIBE, reference))


def _names(driver: str, streams: Sequence[str]) -> tuple[str, ...]:
    if isinstance(streams, str) or not streams or not all(isinstance(each, str) for each in streams):
        raise ValueError(f"driver '{driver}': streams is a list of {', '.join(SOURCES)}")
    seen: dict[str, str] = {}
    for each in streams:
        if each not in SOURCES:
            raise ValueError(f"driver '{driver}' has no stream '{each}': known are {', '.join(SOURCES)}")
        if (other := seen.setdefault(SOURCES[each].stream, each)) != each:
            raise ValueError(f"driver '{driver}': {other} and {each} are the same stream: choose one")
    return tuple(seen.values())


def _rates(driver: str, names: Sequence[str], rates: Mapping[str, int] | None) -> dict[str, int]:
    if rates is not None and not isinstance(rates, Mapping):
        raise ValueError(f"driver '{driver}': rates is a table, such as {{ imu = 52 }}")
    for name, rate_hz in (rates or {}).items():
        if name not in names or not SOURCES[name].rates:
            raise ValueError(f"driver '{driver}': '{name}' in rates is none of the streams: {', '.join(names)}")
        if rate_hz not in SOURCES[name].rates:
            known = ", ".join(map(str, SOURCES[name].rates))
            raise ValueError(f"driver '{driver}': {name} has no rate of {rate_hz} Hz: there are {known}")
    return {name: (rates or {}).get(name, SOURCES[name].rate_hz) for name in names}
