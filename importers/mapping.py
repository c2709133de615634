"""Which column of a file is which channel, in which unit and sign: a TOML file that a laboratory writes once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from config import plain_file
from drivers.exoskeleton import JOINTS, OF_JOINT, SIDES
from importers.errors import ImportProblem
from importers.units import Conversion, conversion

TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
PER_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}

OF_A_LEG: Final = {"gait_state": "1", "gait_phase": "1", "stance": "1"}
OF_THE_DEVICE: Final = {
    "assistance": "%", "body_weight_support": "%", "mode": "1", "battery": "%", "battery_voltage": "V", "fault": "1",
    "emergency_stop": "1",
}  # fmt: skip
EXOSKELETON: Final[Mapping[str, str]] = {
    **{f"{side}_{joint}_{what}": unit for side in SIDES for joint in JOINTS for what, unit in OF_JOINT.items()},
    **{f"{side}_{what}": unit for side in SIDES for what, unit in OF_A_LEG.items()},
    **OF_THE_DEVICE,
}
"""Channels that the open exoskeleton frame carries, and the unit of each."""
IMU: Final[Mapping[str, str]] = {
    **dict.fromkeys(("acc_x", "acc_y", "acc_z"), "m/s2"),
    **dict.fromkeys(("gyr_x", "gyr_y", "gyr_z"), "rad/s"),
}
_PLAIN_NUMBERS = ("gait_state", "stance", "mode", "fault", "emergency_stop")  # which know no per cent


@dataclass(frozen=True, slots=True)
class Source:
    """Where a channel comes from.

    Attributes:
        column: Name of the column, or its number from 1.
        conversion: From the file's unit and sign to the channel's; None for the unit that the column itself tells.
        sign: 1 or -1.
    """

    column: str
    conversion: Conversion | None
    sign: float = 1.0


@dataclass(frozen=True, slots=True)
class ImuMapping:
    """An inertial sensor in the same file."""

    id: str
    placement: str
    columns: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class SessionMapping:
    """All that is said of a file.

    Attributes:
        time_column: Name or number of the column with the time.
        time_unit: Its unit.
        start: When the first row was; None where the file tells.
        rate_hz: Nominal; None for what the rows show.
        serial: Number of the exoskeleton; 0 for none.
        columns: Channels of the exoskeleton.
        imus: Inertial sensors in the same rows.
        csv: How the text is written, as far as it is said.
        topic: Of a ROS bag.
    """

    time_column: str
    time_unit: TimeUnit
    start: datetime | None
    rate_hz: int | None
    serial: int
    columns: Mapping[str, Source]
    imus: tuple[ImuMapping, ...] = ()
    csv: Mapping[str, Any] = field(default_factory=dict)
    topic: str = ""


def load_mapping(path: Path) -> SessionMapping:
    """Read a mapping file; raises ImportProblem."""
    try:
        plain_file.look(path, or_pipe=True)
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ImportProblem(f"{path} cannot be read ({(problem.strerror or str(problem)).lower()})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ImportProblem(f"{path} is not TOML: {problem}") from None
    try:
        return _mapping(tables)
    except ImportProblem as problem:
        raise ImportProblem(f"{path}: {problem}") from None


def _mapping(tables: Mapping[str, Any]) -> SessionMapping:
    _only(tables, {"time", "csv", "ros", "exoskeleton", "imu"}, "the file")
    time, exo = _table(tables, "time"), _table(tables, "exoskeleton")
    _only(time, {"column", "unit", "start"}, "[time]")
    _only(exo, {"rate_hz", "serial", "columns"}, "[exoskeleton]")
    unit, start = time.get("unit", "s"), time.get("start")
    if unit not in get_args(TimeUnit):
        raise ImportProblem(f"[time] unit is one of {', '.join(get_args(TimeUnit))}, not {unit!r}")
    if start is not None and not isinstance(start, datetime):
        raise ImportProblem("[time] start is a date and time, such as 2026-03-01T10:00:00+01:00")
    columns = _columns(_table(exo, "columns"), EXOSKELETON, "[exoskeleton.columns]")
    if not any(channel.split("_")[0] in SIDES for channel in columns):
        raise ImportProblem("[exoskeleton.columns] names no channel of a joint or a leg")
    return SessionMapping(
        str(time.get("column", "time")), unit, start, _whole(exo, "rate_hz", 1, 0xFFFF),
        _whole(exo, "serial", 0, 2**63 - 1) or 0, columns, _imus(tables.get("imu", [])),
        _table(tables, "csv"), str(_table(tables, "ros").get("topic", "")),
    )  # fmt: skip


def _imus(tables: object) -> tuple[ImuMapping, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise ImportProblem("[[imu]] is a table for each sensor")
    return tuple(map(_imu, tables))


def _imu(table: Mapping[str, Any]) -> ImuMapping:
    _only(table, {"id", "placement", "columns"}, "[[imu]]")
    for key in ("id", "placement"):
        if not isinstance(table.get(key), str):
            raise ImportProblem(f"[[imu]] needs its {key}")
    columns = _columns(_table(table, "columns"), IMU, "[imu.columns]")
    if missing := [channel for channel in IMU if channel not in columns]:
        raise ImportProblem(f"[imu.columns] of '{table['id']}' lacks {', '.join(missing)}")
    return ImuMapping(table["id"], table["placement"], columns)


def _columns(table: Mapping[str, Any], channels: Mapping[str, str], where: str) -> dict[str, Source]:
    found = {}
    for channel, said in table.items():
        if channel not in channels:
            raise ImportProblem(f"{where} has no channel '{channel}': {_alike(channel, channels)}")
        source = said if isinstance(said, Mapping) else {"column": said}
        _only(source, {"column", "unit", "sign"}, f"{where} {channel}")
        if not isinstance(source.get("column"), str | int):
            raise ImportProblem(f"{where} {channel}: which column?")
        if source.get("sign", 1) not in (1, -1):
            raise ImportProblem(f"{where} {channel}: sign is 1 or -1")
        kept, unit = channels[channel], source.get("unit")
        if unit is not None and unit != "1" and channel.endswith(_PLAIN_NUMBERS):
            raise ImportProblem(f"{channel} is a plain number, and has no unit")
        converted = None if unit is None else conversion(str(unit), kept, channel)
        found[channel] = Source(str(source["column"]), converted, float(source.get("sign", 1)))
    return found


def _alike(channel: str, channels: Mapping[str, str]) -> str:
    last = channel.rpartition("_")[2]
    near = [known for known in channels if known.endswith(last)] or list(channels)
    return f"known are {', '.join(near[:12])}{', …' if len(near) > 12 else ''}"


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tables.get(name, {})
    if not isinstance(found, Mapping):
        raise ImportProblem(f"[{name}] is a table")
    return found


def _whole(table: Mapping[str, Any], key: str, least: int, most: int) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise ImportProblem(f"{key} is a whole number from {least} to {most}")
    return value


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise ImportProblem(f"{where} has no '{unknown}': known are {', '.join(sorted(known))}")
