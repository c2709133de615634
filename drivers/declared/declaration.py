"""What a configuration declares of a device: the options of the declared drivers, checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal

import numpy as np

from drivers.declared.checksums import CHECKSUMS
from drivers.declared.layout import layout_of, values_in
from drivers.declared.pattern import Pattern, compiled
from drivers.declared.values import COUNT, SKIPPED, TICKS, TIME, Value, parse_value
from drivers.packet import StreamSpec

Framing = Literal["lines", "notification", "start", "cobs"]

MOST_VALUES: Final = 64
MOST_RATE_HZ: Final = 5000.0
CLOCK_BITS: Final = 32  # millis() and micros() of a microcontroller
SECONDS_BITS: Final = 53  # a time with decimals begins again when the device does
MOST_BITS: Final = 53  # what a number with decimals holds exactly
LONGEST_START: Final = 8  # bytes
LEAST_UNCHECKED_START: Final = 2  # bytes: one byte alone stands in the values too often


@dataclass(frozen=True, slots=True)
class Text:
    """Values as numbers in a line.

    Attributes:
        separator: What stands between them; a blank for any number of blanks.
        pattern: What the whole line looks like, instead.
    """

    separator: bytes
    pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class Binary:
    """Values as a struct.

    Attributes:
        layout: Of its bytes.
        mark: What a frame begins with.
        checksum: A name of `CHECKSUMS`; empty for none.
        checked_from: Byte of the frame that the check sum begins with.
    """

    layout: Struct
    mark: bytes
    checksum: str
    checked_from: int

    @property
    def big_endian(self) -> bool:
        """Whether numbers begin with their highest byte."""
        return self.layout.format.startswith(">")


@dataclass(frozen=True, slots=True)
class Clock:
    """Which values are the device's time and counter.

    Attributes:
        time_at: Number of the value that is the time; None if there is none.
        ticks: Ticks for each unit of that value, which has decimals where that is more than one.
        hz: Ticks a second of the samples' clock; None if there is neither time nor counter.
        bits: Of that clock.
        count_at: Number of the value that is the counter; None if there is none.
        count_bits: Of the counter.
    """

    time_at: int | None
    ticks: float
    hz: float | None
    bits: int
    count_at: int | None
    count_bits: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """A device as the configuration declares it.

    Attributes:
        values: In the order in which they stand in a line or a struct.
        framing: How lines or structs are told apart.
        form: What they look like.
        clock: The device's time and counter.
        streams: What comes of it, by name.
        missing: A number that stands for none; None if there is no such.
    """

    values: tuple[Value, ...]
    framing: Framing
    form: Text | Binary
    clock: Clock
    streams: Mapping[str, StreamSpec]
    missing: float | None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a declared device, as docs/declared-devices.md explains them; None for what is not said."""

    values: Sequence[object]
    stream: str = ""
    rate_hz: float | None = None
    separator: str | None = None
    pattern: str | None = None
    struct: str | None = None
    framing: str | None = None
    start: str | None = None
    checksum: str | None = None
    checksum_from: int | None = None
    clock_hz: float | None = None
    clock_bits: int | None = None
    count_bits: int | None = None
    missing: float | None = None


def declared(options: Options, transport: Literal["ble", "serial"]) -> Declaration:
    """Return what the options of a device declare; raises ValueError with a sentence."""
    _texts(options)
    if not isinstance(options.values, list | tuple) or not 0 < len(options.values) <= MOST_VALUES:
        raise ValueError(f'values is a list of 1 to {MOST_VALUES} entries, such as ["time ms", "imu.acc_x m/s2"]')
    values = tuple(parse_value(entry, options.stream) for entry in options.values)
    twice = [role for role, n in Counter(v.role for v in values if v.role != SKIPPED).items() if n > 1]
    if twice:
        raise ValueError(f"values: '{twice[0]}' stands there twice")
    if not any(value.stream for value in values):
        raise ValueError("values: none of them is a channel of a stream, such as imu.acc_x")
    missing = None if options.missing is None else _number("missing", options.missing)
    form = _text(options) if options.struct is None else _binary(options, options.struct)
    if isinstance(form, Text):
        values = _in_order(values, form)
    elif (count := values_in(form.layout)) != len(values):
        raise ValueError(f"struct has {count} values, and {len(values)} are declared in values")
    rate_hz = None if options.rate_hz is None else _number("rate_hz", options.rate_hz)
    if rate_hz is not None and not 0 < rate_hz <= MOST_RATE_HZ:
        raise ValueError(f"rate_hz is above 0 and at most {MOST_RATE_HZ:g} samples a second")
    if rate_hz is None and any(value.stream == "imu" for value in values):
        raise ValueError("an imu needs rate_hz: how many samples a second the device sends")
    clock = _clock(options, values, rate_hz)
    return Declaration(
        values, _framing(options, form, transport), form, clock, _streams(values, rate_hz, clock), missing
    )


def _texts(options: Options) -> None:
    for name in ("stream", "separator", "pattern", "struct", "framing", "start", "checksum"):
        value = getattr(options, name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is text in quotes")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"{name} is a number")
    return float(value)


def _bits(name: str, value: object, usual: int) -> int:
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_BITS:
        raise ValueError(f"{name} is a whole number of 1 to {MOST_BITS}: a wider one never begins again")
    return value


def _text(options: Options) -> Text:
    binary = [name for name in ("start", "checksum", "checksum_from") if getattr(options, name) is not None]
    if binary:
        raise ValueError(f"{binary[0]} is for a struct: lines of text have none")
    if options.pattern is not None:
        if options.separator is not None:
            raise ValueError("separator and pattern exclude each other: a pattern says what stands between the values")
        return Text(b"", compiled(options.pattern))
    separator = "," if options.separator is None else options.separator
    if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in "+-._\r\n\0":
        raise ValueError("separator is one letter that stands in no number, such as , or ; or a blank or a tab")
    return Text(separator.encode(), None)


def _in_order(values: tuple[Value, ...], form: Text) -> tuple[Value, ...]:
    """Return the values in the order in which the pattern has them."""
    if form.pattern is None:
        return values
    names = form.pattern.names
    if not any(names):
        if len(names) != len(values):
            raise ValueError(f"the pattern has {len(names)} groups, and {len(values)} are declared in values")
        return values
    found = [_named(name, values) for name in names]
    lacking = [value for value in values if value not in found]
    if lacking:
        role = lacking[0].role
        raise ValueError(
            f"values: '{role}' stands nowhere in the pattern"
            + (": what it does not name is left out" if role == SKIPPED else f": write {{{role}}} where it is")
        )
    if len(found) != len(set(found)):
        raise ValueError("the pattern has one of its values twice")
    return tuple(found)


def _named(name: str, values: Sequence[Value]) -> Value:
    found = [value for value in values if name in {value.role, value.channel}]
    if len(found) != 1:
        why = "is not declared in values" if not found else "may be several: write the stream before it, and a dot"
        raise ValueError(f"the pattern: '{name}' {why}")
    return found[0]


def _binary(options: Options, text: str) -> Binary:
    if options.separator is not None or options.pattern is not None:
        raise ValueError("a struct has neither separator nor pattern")
    layout = layout_of(text)
    try:
        mark = bytes.fromhex(options.start or "")
    except ValueError:
        raise ValueError(f"start = '{options.start}' is not bytes in hexadecimal, such as \"aa55\"") from None
    if len(mark) > LONGEST_START:
        raise ValueError(f"start has at most {LONGEST_START} bytes")
    checksum = options.checksum or ""
    if checksum and checksum not in CHECKSUMS:
        raise ValueError(f"checksum = '{checksum}' is not known: there are {', '.join(CHECKSUMS)}")
    begin = len(mark) if options.checksum_from is None else options.checksum_from
    if isinstance(begin, bool) or not isinstance(begin, int) or not 0 <= begin <= len(mark):
        raise ValueError(
            "checksum_from is the first byte that the check sum is of: 0 for all of start, by default behind it"
        )
    return Binary(layout, mark, checksum, begin)


def _framing(options: Options, form: Text | Binary, transport: Literal["ble", "serial"]) -> Framing:
    framing = options.framing
    if framing not in {None, "lines", "notification", "start", "cobs"}:
        raise ValueError(f"framing = '{framing}' is not known: there are lines, notification, start and cobs")
    if framing == "notification" and transport == "serial":
        raise ValueError("framing = 'notification' is for Bluetooth: a serial port sends bytes, and no notifications")
    if isinstance(form, Text):
        if framing in {"start", "cobs"}:
            raise ValueError(f"framing = '{framing}' is for a struct")
        return "notification" if framing == "notification" else "lines"
    return _framing_of_structs(framing, form, transport)


def _framing_of_structs(framing: str | None, form: Binary, transport: Literal["ble", "serial"]) -> Framing:
    if framing == "lines":
        raise ValueError("framing = 'lines' is for text, and struct is not")
    if framing == "cobs":
        if form.mark:
            raise ValueError("framing = 'cobs' needs no start: a zero byte ends each frame")
        return "cobs"
    if framing == "notification" or (framing is None and transport == "ble" and not form.mark):
        return "notification"
    if not form.mark:
        raise ValueError('nothing says where a struct begins: set start, such as "aa55", or framing = "cobs"')
    if not form.checksum and len(form.mark) < LEAST_UNCHECKED_START:
        raise ValueError("a start of one byte stands among the values too: take two bytes, or a checksum")
    return "start"


def _clock(options: Options, values: Sequence[Value], rate_hz: float | None) -> Clock:
    at = {value.role: number for number, value in enumerate(values)}
    time_at, count_at = at.get(TIME), at.get(COUNT)
    count_bits = _bits("count_bits", options.count_bits, CLOCK_BITS)
    if count_at is None and options.count_bits is not None:
        raise ValueError('count_bits needs a "count" in values')
    if time_at is None:
        if options.clock_hz is not None or options.clock_bits is not None:
            raise ValueError('clock_hz and clock_bits need a "time" in values')
        if count_at is None:
            return Clock(None, 1.0, None, CLOCK_BITS, None, count_bits)
        if rate_hz is None:
            raise ValueError('a "count" without a "time" needs rate_hz: how many samples a second it counts')
        return Clock(None, 1.0, rate_hz, count_bits, count_at, count_bits)
    unit = values[time_at].unit
    if (unit == "ticks") != (options.clock_hz is not None):
        raise ValueError('a "time ticks" needs clock_hz, ticks a second, and a time in s, ms, us or ns has none')
    hz = TICKS[unit] if options.clock_hz is None else _number("clock_hz", options.clock_hz)
    if not 1 <= hz <= 1e9:
        raise ValueError("clock_hz is 1 to 1e9 ticks a second")
    bits = _bits("clock_bits", options.clock_bits, SECONDS_BITS if unit == "s" else CLOCK_BITS)
    return Clock(time_at, hz if unit == "s" else 1.0, hz, bits, count_at, count_bits)


def _streams(values: Sequence[Value], rate_hz: float | None, clock: Clock) -> Mapping[str, StreamSpec]:
    found: dict[str, StreamSpec] = {}
    for name in dict.fromkeys(value.stream for value in values if value.stream):
        own = [value for value in values if value.stream == name]
        channels, units = tuple(value.channel for value in own), tuple(value.unit for value in own)
        found[name] = StreamSpec(name, channels, units, rate_hz, tick_hz=clock.hz, tick_bits=clock.bits)
    return found
