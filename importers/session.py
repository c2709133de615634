"""A recorded session of a laboratory becomes a recording: frames of devices, at the times of its rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from config.pseudonym import nhs_numbers
from config.settings import Device, Settings, Slot
from config.wording import sentence
from drivers.packet import Frame
from gateway.intake.frames import STEP_NS, Numbered
from gateway.intake.intakes import CONNECTED
from gateway.recordings.recording import Header, RecordingWriter
from importers.csv_table import CsvTable
from importers.errors import ImportProblem
from importers.exoskeleton import ExoskeletonEncoder
from importers.imu import control, measurement
from importers.mapping import EXOSKELETON, IMU, ImuMapping, SessionMapping, Source
from importers.report import Report
from importers.ros_bag import RosBag
from importers.table import Row, Table
from importers.units import Conversion, conversion

NS: Final = 1_000_000_000
ORIGIN_NS: Final = 10 * NS  # on the monotonic clock of a gateway that never was
TAIL_NS: Final = 5 * NS  # steps behind the last row: what is still being decided is decided
RATE_FROM: Final = 1000  # rows
SINCE_1970_S: Final = 1e9  # from here on a time is taken for one of day, not of the session
FASTEST_HZ: Final = 5000.0
SAME_COLUMN: Final = Conversion()

LONGEST_GAP_S: Final = 86_400.0  # no session pauses for a day: a time beyond that is a slip, and hides all that follow
LATE, STILL, NO_TIME = "its time goes back", "its time stands still", "no time"
NOT_SAID = "No column tells {}: the frame cannot say so, and the recording has 0, which nobody has checked."
AHEAD = "its time is more than a day ahead"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the recording says it is from.

    Attributes:
        subject: Pseudonym.
        slot: Bed.
    """

    subject: str
    slot: str


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the file as a channel."""

    name: str
    scale: float
    offset: float

    def value(self, raw: float) -> float:
        return raw * self.scale + self.offset


def import_session(
    path: Path, mapping: SessionMapping, output: Path, wanted: Wanted, progress: Callable[[float], None]
) -> Report:
    """Write a recording of a session; ``progress`` is told how much of the file is read, 0 to 1.

    Raises:
        ImportProblem: nothing of it can be used; no file is left behind.
    """
    _refuse_numbers(wanted)
    report = Report()
    table = _opened(path, mapping, report)
    groups = [_columns(table, mapping.columns, EXOSKELETON)]
    groups += [_columns(table, imu.columns, IMU) for imu in mapping.imus]
    flat = [column for group in groups for column in group]
    rows = _in_order(_converted(table, mapping, flat, report), report)
    first = list(islice(rows, RATE_FROM))
    if len(first) < 2:
        raise ImportProblem("; ".join([f"{path}: not two rows with a time that can be used", *report.sentences()]))
    rate_hz = mapping.rate_hz or _rate_hz(first)
    if unsaid := [channel for channel in ("fault", "emergency_stop") if channel not in mapping.columns]:
        report.remarks.append(NOT_SAID.format(" and ".join(unsaid)))
    session = _Session(mapping, [len(group) for group in groups], rate_hz, report)
    begin_s = first[0].time_s or 0.0
    header = _header(mapping, wanted, _utc_us(path, mapping, begin_s, report))
    if output.exists():
        raise ImportProblem(f"{output} is there already")
    try:
        with RecordingWriter(output, header) as writer:
            session.write(writer, _both(first, rows), begin_s, lambda: progress(table.share_read))
    except BaseException:
        with suppress(OSError):
            output.unlink()
        raise
    report.remarks.append(f"{report.samples:,} samples at {rate_hz} Hz")
    return report


def _both(first: Sequence[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest


def _opened(path: Path, mapping: SessionMapping, report: Report) -> Table:
    if path.is_dir():
        bags = sorted(path.glob("*.db3"))
        if len(bags) != 1:
            raise ImportProblem(f"{path} holds {len(bags)} bags in SQLite (.db3): name one")
        path = bags[0]
    if path.suffix == ".db3":
        return RosBag(path, mapping.topic, report)
    if path.suffix in {".mcap", ".bag"}:
        raise ImportProblem(f"{path}: turn it into a ROS 2 bag in SQLite first, with 'ros2 bag convert'")
    return CsvTable(path, mapping.csv, mapping.time_unit, report)


def _columns(table: Table, sources: Mapping[str, Source], kept: Mapping[str, str]) -> list[_Column]:
    """Return where each channel stands in the file; raises ImportProblem."""
    found = []
    for channel, source in sources.items():
        table.place_of(source.column)
        usual = table.usual_unit(source.column)
        own = conversion(usual, kept[channel], channel) if usual else SAME_COLUMN
        converted = source.conversion or own
        found.append(_Column(source.column, source.sign * converted.scale, source.sign * converted.offset))
    return found


def _converted(table: Table, mapping: SessionMapping, columns: Sequence[_Column], report: Report) -> Iterator[Row]:
    for row in table.rows(mapping.time_column, [column.name for column in columns]):
        values = [column.value(raw) for column, raw in zip(columns, row.values, strict=True)]
        for at, value in enumerate(values):
            if math.isinf(value):
                report.miss(f"'{columns[at].name}' is too large in its unit", row.place)
                values[at] = math.nan
        yield Row(row.place, row.time_s, values)


def _in_order(rows: Iterator[Row], report: Report) -> Iterator[Row]:
    """Leave out rows without a time, and those whose time does not go on, or runs away."""
    newest_s = -math.inf
    for row in rows:
        if row.time_s is None:
            report.leave_out(NO_TIME, row.place)
        elif row.time_s <= newest_s:
            report.leave_out(STILL if row.time_s == newest_s else LATE, row.place)
        elif row.time_s - newest_s > LONGEST_GAP_S and math.isfinite(newest_s):
            report.leave_out(AHEAD, row.place)
        else:
            newest_s = row.time_s
            yield row


def _rate_hz(rows: Sequence[Row]) -> int:
    """Return the nominal rate, from the usual distance of rows; raises ImportProblem."""
    times = [row.time_s for row in rows if row.time_s is not None]
    rate_hz = 1 / statistics.median(after - before for before, after in pairwise(times))
    if not 0.5 <= rate_hz <= FASTEST_HZ:
        raise ImportProblem(f"its rows come at {rate_hz:g} Hz by the time column: is its unit right?")
    return round(rate_hz)


def _utc_us(path: Path, mapping: SessionMapping, begin_s: float, report: Report) -> int:
    """Return the UTC of the first row: as the mapping or the time column says, else that of the file, with a remark."""
    if mapping.start is not None:
        if mapping.start.tzinfo is None:
            report.remarks.append(
                "[time] start has no zone, and was read as UTC: write it as 2026-03-01T10:00:00+01:00."
            )
        start = mapping.start if mapping.start.tzinfo else mapping.start.replace(tzinfo=UTC)
        return round(start.timestamp() * 1e6)
    if begin_s >= SINCE_1970_S:
        return round(begin_s * 1e6)
    changed_s = path.stat().st_mtime
    moment = datetime.fromtimestamp(changed_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    report.remarks.append(
        f"Nothing says when it was: it begins when the file was changed, {moment} UTC ([time] start)."
    )
    return round(changed_s * 1e6)


def _refuse_numbers(wanted: Wanted) -> None:
    for option, value in (("--subject", wanted.subject), ("--slot", wanted.slot)):
        if nhs_numbers(value):
            raise ImportProblem(f"{option} has the form of an NHS number: use a pseudonym and keep the link elsewhere")


def _sentence(problem: ValidationError) -> str:
    first = problem.errors()[0]
    if problem.title == Device.__name__:
        return f"[[imu]] {sentence(first, Device)}"
    option = "--slot" if first["loc"] == ("id",) else "--subject"
    return sentence({**first, "loc": (option,)}, Slot)


def _header(mapping: SessionMapping, wanted: Wanted, utc_us: int) -> Header:
    try:
        devices = [Device(id="exoskeleton", driver="exo_frame", placement="exoskeleton", port=Path("/dev/imported"))]
        devices += [_imu_device(number, imu) for number, imu in enumerate(mapping.imus)]
        slot = Slot(id=wanted.slot, subject=wanted.subject, protocol="exoskeleton", device=devices)
        settings = Settings(slot=[slot])
    except ValidationError as problem:
        raise ImportProblem(_sentence(problem)) from None
    try:
        moment = datetime.fromtimestamp(utc_us / 1e6, UTC).strftime("%Y%m%dt%H%M%Sz")
    except (ValueError, OverflowError, OSError):
        raise ImportProblem(
            f"it began {utc_us / 1e6:g} s after 1970 by its times: is [time] unit right, or [time] start?"
        ) from None
    return Header(
        settings.model_dump(mode="json"), {wanted.slot: f"{wanted.slot}-{moment}"}, ORIGIN_NS, utc_us,
        version("rehab-gateway"),
    )  # fmt: skip


def _imu_device(number: int, imu: ImuMapping) -> Device:
    address = f"00:00:00:00:00:{number + 1:02X}"
    options = {"mode": "rate"}
    return Device.model_validate(
        {"id": imu.id, "driver": "movella_dot", "placement": imu.placement, "address": address, "options": options}
    )


class _Session:
    """The frames of all devices of a file."""

    def __init__(self, mapping: SessionMapping, widths: Sequence[int], rate_hz: int, report: Report) -> None:
        self._encoder = ExoskeletonEncoder(list(mapping.columns), rate_hz, mapping.serial, report)
        order = [list(imu.columns) for imu in mapping.imus]
        self._orders = [[own.index(channel) for channel in IMU] for own in order]
        self._ids = [imu.id for imu in mapping.imus]
        self._widths, self._rate_hz, self._report = widths, rate_hz, report

    def write(self, writer: RecordingWriter, rows: Iterator[Row], begin_s: float, progress: Callable[[], None]) -> None:
        """Write the frames step by step, as they would have arrived."""
        step_end_ns = ORIGIN_NS + STEP_NS
        pending = self._hello()
        for row in rows:
            since_s = (row.time_s or 0.0) - begin_s
            arrival_ns = ORIGIN_NS + round(since_s * NS)
            if arrival_ns >= step_end_ns:
                writer.step(step_end_ns, pending)
                pending = []
                step_end_ns += (arrival_ns - step_end_ns) // STEP_NS * STEP_NS + STEP_NS
                progress()
            pending += self._frames(row, since_s, arrival_ns)
            self._report.samples += 1
        writer.step(step_end_ns, pending)
        writer.step(step_end_ns + TAIL_NS, [])

    def _hello(self) -> list[Numbered]:
        frames: list[Numbered] = [(0, Frame(ORIGIN_NS, CONNECTED, b""))]
        for number in range(1, len(self._widths)):
            frames.append((number, Frame(ORIGIN_NS, CONNECTED, b"")))
            frames.append((number, Frame(ORIGIN_NS, "control", control(self._rate_hz))))
        return frames

    def _frames(self, row: Row, since_s: float, arrival_ns: int) -> list[Numbered]:
        begin = self._widths[0]
        data = self._encoder.encode(since_s, row.values[:begin], row.place)
        frames: list[Numbered] = [(0, Frame(arrival_ns, "data", data))]
        for number, (width, order) in enumerate(zip(self._widths[1:], self._orders, strict=True), 1):
            own = row.values[begin : begin + width]
            begin += width
            payload = measurement(since_s, [own[at] for at in order])
            if payload is None:
                self._report.miss(f"a measurement of {self._ids[number - 1]} that is not whole", row.place)
            else:
                frames.append((number, Frame(arrival_ns, "measurement", payload)))
        return frames
