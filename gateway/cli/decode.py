"""``rehab-gateway decode``: bytes of a device to a table that a technician can read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.table import Table
from rich.text import Text

from config import plain_file
from config.hand_text import NotTextError, text_of
from config.settings import Settings
from config.wording import suggestion
from drivers.driver import Decoder, Driver
from drivers.packet import Flag, Frame, Packet, StreamSpec
from drivers.registry import driver_names, example_driver, make_driver
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import plain_json, visible
from gateway.model.usage import UsageError

SAMPLES_CHANNEL = {
    "ble": "measurement",
    "serial": "data",
    "udp": "measurement",
}  # what every driver calls the way its samples come
SHOWN_AT_MOST = 200  # rows a stream: more is for --json
MOST_BESIDE = 16  # channels beside each other: an exoskeleton has more, and no terminal is so wide
MOST_ABREAST = 4  # samples beside each other, where each channel has a line

_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2})+)")
_CHANNEL = re.compile(r"([a-z][a-z0-9_]*):(.*)", re.DOTALL)
_BETWEEN = re.compile(r"[\s,:-]+")


@dataclass(frozen=True, slots=True)
class Captured:
    """What a device sent, and nobody has written down in hexadecimal.

    Attributes:
        text: Lines of it, as the device printed them.
        file: That holds the bytes as they came; ``-`` is standard input.
    """

    text: Sequence[str] = ()
    file: Path | None = None

    def frames(self, channel: str) -> list[Frame]:
        """Return it as frames: a line is one, with its end before and behind it; the bytes of a file are one."""
        found = [Frame(0, channel, f"\n{line}\n".encode()) for line in self.text]
        if self.file is not None:
            data = _bytes_of(self.file)
            found.append(Frame(0, channel, data))
        return found


NOTHING_CAPTURED = Captured()


def options_of(config: Settings, name: str, device: str | None) -> Mapping[str, Any]:
    """Return the options of a device of a configuration: the one named, or the only one of a driver.

    Raises:
        UsageError: there is none, or more than one and none is named.
    """
    of_driver = {each.id: each for slot in config.slot for each in slot.device if each.driver == name}
    if device is None and len(of_driver) != 1:
        there = f"there are {', '.join(of_driver)}: choose one with --device" if of_driver else "there is none"
        raise UsageError(f"the configuration does not say which {name}: {there}")
    if device is not None and device not in of_driver:
        raise UsageError(f"the configuration has no {name} '{device}'{suggestion(device, of_driver)}")
    return of_driver[device or next(iter(of_driver))].options


def parse(text: str, channel: str) -> Frame:
    """Return one frame of ``[channel:]hex``; arrival is 0. Raises UsageError."""
    named = _CHANNEL.fullmatch(text.strip())
    if named and not _is_hex(text):
        channel, text = named[1], named[2]
    if not _is_hex(text):
        raise UsageError(f"'{_short(text)}' is not bytes in hexadecimal: write two digits a byte, such as 16 4b 00 04")
    return Frame(0, channel, _bytes(text))


def frames_of(words: Sequence[str], lines: Iterable[str], channel: str) -> list[Frame]:
    """Return the frames of the command line and of a file.

    On the command line words are one frame, and ``channel:`` begins another; in a file each line is one, ``#`` begins a
    comment, and empty lines are left out.
    """
    together: list[str] = []
    for word in words:
        if not together or (_CHANNEL.fullmatch(word) and not _is_hex(word)):
            together.append(word)
        else:
            together[-1] += f" {word}"
    written = [line for raw in lines if (line := raw.partition("#")[0].strip())]
    return [parse(text, channel) for text in (*together, *written)]


def decode(
    name: str,
    words: Sequence[str],
    file: Path | None,
    *,
    as_json: bool,
    options: Mapping[str, Any] | None = None,
    captured: Captured = NOTHING_CAPTURED,
) -> int:
    """Print what a driver makes of the bytes; return 0 if there was any sample. Raises UsageError.

    Args:
        name: Of the driver.
        words: Bytes in hexadecimal.
        file: Of such, one frame a line.
        as_json: Whether to print JSON.
        options: Of the driver; by default those of its example.
        captured: What a device sent, as it came.
    """
    driver = _driver(name, options)
    lines = [] if file is None else _lines(file)
    channel = SAMPLES_CHANNEL[driver.transport]
    frames = frames_of(words, lines, channel) + captured.frames(channel)
    if not frames:
        raise UsageError("no bytes to decode: write them after the driver, or name a file with --file")
    decoder = driver.decoder()
    packets = decoder.decode(frames)
    if as_json:
        for packet in packets:
            for row in rows(packet, decoder.streams[packet.stream]):
                sys.stdout.buffer.write(plain_json(row, orjson.OPT_SERIALIZE_NUMPY))
    else:
        _show(packets, decoder, len(frames))
    for fault, count in sorted(decoder.faults.items()):
        complaint = Text.assemble(("not decoded:", "yellow"), f" {visible(fault)} ({count})")
        Terminal(stderr=True).print(complaint)
    return 0 if packets else 1


def rows(packet: Packet, spec: StreamSpec) -> Iterable[dict[str, Any]]:
    """Yield each sample as plain values; None where the frame had none."""
    for i, sample in enumerate(packet.samples):
        ticks = {"tick": int(packet.ticks[i])} if len(packet.ticks) else {}
        values = (None if np.isnan(value) else float(value) for value in sample)
        channels = dict(zip(spec.channels, values, strict=True))
        yield {"stream": packet.stream, **ticks, **channels, "flags": flags_of(int(packet.flags[i]))}


def flags_of(value: int) -> list[str]:
    """Return a sample's flags as words."""
    return [flag.name.lower().replace("_", " ") for flag in Flag if flag and flag & value and flag.name]


def _show(packets: Sequence[Packet], decoder: Decoder, frames: int) -> None:
    console = Terminal()
    for packet in packets:
        console.print(_table(packet, decoder.streams[packet.stream]))
        most = MOST_ABREAST if packet.samples.shape[1] > MOST_BESIDE else SHOWN_AT_MOST
        if len(packet) > most:
            console.print(f"... and {len(packet) - most} more: --json prints all.", style="dim")
    if not packets:
        console.print(f"No sample in {frames} frame{'s' * (frames != 1)}.")


def _table(packet: Packet, spec: StreamSpec) -> Table:
    """Return a line a sample; a line a channel where there are too many to stand side by side."""
    table = Table(title=f"{packet.stream}: {len(packet)} sample{'s' * (len(packet) != 1)}", title_justify="left")
    return (_channel_by_channel if len(spec.channels) > MOST_BESIDE else _sample_by_sample)(table, packet, spec)


def _channel_by_channel(table: Table, packet: Packet, spec: StreamSpec) -> Table:
    shown = list(rows(packet, spec))[:MOST_ABREAST]
    for heading in ("channel", "unit"):
        table.add_column(heading)
    for row in shown:
        table.add_column(str(row.get("tick", "")), justify="right", overflow="fold")
    for channel, unit in zip(spec.channels, spec.units, strict=True):
        table.add_row(channel, "" if unit == "1" else unit, *(_cell(row[channel]) for row in shown))
    table.add_row("flags", "", *(", ".join(row["flags"]) for row in shown))
    return table


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _sample_by_sample(table: Table, packet: Packet, spec: StreamSpec) -> Table:
    if len(packet.ticks):
        table.add_column("tick", justify="right")
    for channel, unit in zip(spec.channels, spec.units, strict=True):
        heading = Text.assemble(channel, "\n", ("" if unit == "1" else unit, "dim"))
        table.add_column(heading, justify="right", overflow="fold")  # half a number is a wrong one
    table.add_column("flags")
    for row in list(rows(packet, spec))[:SHOWN_AT_MOST]:
        cells = [str(row["tick"])] if "tick" in row else []
        cells += [_cell(row[channel]) for channel in spec.channels]
        table.add_row(*cells, ", ".join(row["flags"]))
    return table


def _driver(name: str, options: Mapping[str, Any] | None) -> Driver:
    names = driver_names()
    if name not in names:
        raise UsageError(f"'{name}' is not a driver{suggestion(name, names)}")
    try:
        return example_driver(name) if options is None else make_driver(name, options)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _bytes_of(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    plain_file.look(file, or_pipe=True)
    return file.read_bytes()


def _lines(file: Path) -> list[str]:
    data = _bytes_of(file)
    try:
        return text_of(data).splitlines()
    except NotTextError as error:
        advice = "write the bytes as hexadecimal digits, one frame a line"
        raise UsageError(f"{file} {error.args[0].partition(':')[0]}: {advice}, as UTF-8 text") from None


def _is_hex(text: str) -> bool:
    parts = _BETWEEN.split(text.strip())
    return all(_HEX.fullmatch(part) for part in parts)


def _bytes(text: str) -> bytes:
    return b"".join(bytes.fromhex(part.removeprefix("0x")) for part in _BETWEEN.split(text.strip()))


def _short(text: str) -> str:
    longest = 40
    return text if len(text) <= longest else f"{text[:longest]}..."
