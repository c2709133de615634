"""ROS 2 bags in SQLite (``.db3``): the joint states of one topic as a table.

A message of ``sensor_msgs/msg/JointState`` is read from its CDR bytes: stamp, frame, names, positions (rad), velocities
(rad/s), efforts (N.m). Its columns are ``<joint>.position``, ``.velocity`` and ``.effort``. Bags in MCAP are for
``ros2 bag convert`` first.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from importers.errors import ImportProblem
from importers.report import Report
from importers.table import Row, Table

TYPE: Final = "sensor_msgs/msg/JointState"
KINDS: Final = {"position": "rad", "velocity": "rad/s", "effort": "N.m"}
STAMP: Final = "header.stamp"
RECEIVED: Final = "received"  # when the bag got the message, for publishers that do not stamp
MOST_NAMES: Final = 1000


@dataclass(frozen=True, slots=True)
class JointState:
    """One message."""

    stamp_s: float
    names: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]


class _Cdr:
    """Reads the plain encoding of DDS; positions are counted behind the four bytes that say which it is."""

    def __init__(self, data: bytes) -> None:
        if data[:1] != b"\0" or data[1:2] not in {b"\0", b"\1"}:
            raise ValueError("not plain CDR")
        self._order = "<" if data[1] else ">"
        self._data, self._at = data[4:], 0

    def take(self, form: str, count: int = 1) -> tuple[int | float, ...]:
        size = struct.calcsize(self._order + form)
        self._at += -self._at % size
        found = struct.unpack_from(f"{self._order}{count}{form}", self._data, self._at)
        self._at += size * count
        return found

    def text(self) -> str:
        size = int(self.take("I")[0])
        text = self._data[self._at : self._at + size]
        if len(text) < size:
            raise ValueError("cut")
        self._at += size
        return text.rstrip(b"\0").decode("utf-8", "replace")

    def numbers(self) -> tuple[float, ...]:
        count = int(self.take("I")[0])
        return tuple(float(value) for value in self.take("d", count)) if count else ()


def parse_joint_state(data: bytes) -> JointState:
    """Read a message; raises ValueError for anything else."""
    try:
        cdr = _Cdr(data)
        seconds, nanoseconds = cdr.take("i")[0], cdr.take("I")[0]
        cdr.text()
        count = int(cdr.take("I")[0])
        if count > MOST_NAMES:
            raise ValueError("too many joints")
        names = tuple(cdr.text() for _ in range(count))
        return JointState(seconds + nanoseconds * 1e-9, names, {kind: cdr.numbers() for kind in KINDS})
    except struct.error as problem:
        raise ValueError("cut") from problem


class RosBag(Table):
    """The joint states of a bag.

    Args:
        path: The ``.db3`` file.
        topic: Which topic; empty where there is one of that type only.
        report: Takes what cannot be read.

    Raises:
        ImportProblem: it is no such bag, or has no such topic.
    """

    def __init__(self, path: Path, topic: str, report: Report) -> None:
        self._path, self._report = path, report
        self._done, self._count = 0, 1
        try:
            with closing(self._opened()) as bag:
                topics = dict(bag.execute("SELECT name, id FROM topics WHERE type = ?", (TYPE,)).fetchall())
                self._topic = self._chosen(topics, topic)
                (self._count,) = bag.execute(
                    "SELECT count(*) FROM messages WHERE topic_id = ?", (self._topic,)
                ).fetchone()
                first = bag.execute("SELECT data FROM messages WHERE topic_id = ? LIMIT 1", (self._topic,)).fetchone()
        except sqlite3.Error as problem:
            raise ImportProblem(f"{path} is not a ROS 2 bag in SQLite ({problem})") from None
        if first is None:
            raise ImportProblem(f"{path} has no message in that topic")
        try:
            self._names = parse_joint_state(_bytes(first[0])).names
        except ValueError as problem:
            raise ImportProblem(f"{path}: its first message cannot be read ({problem})") from None
        joints = [f"{name}.{kind}" for name in self._names for kind in KINDS]
        self._columns = [STAMP, RECEIVED, *joints]

    @property
    def columns(self) -> Sequence[str]:
        """Both times, and of each joint position, velocity and effort."""
        return self._columns

    @property
    def share_read(self) -> float:
        """By messages."""
        return self._done / max(1, self._count)

    def usual_unit(self, column: str) -> str | None:
        """ROS has its units: radians and newton metres."""
        return KINDS.get(column.rpartition(".")[2])

    def rows(self, time_column: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield messages in the order of the bag; joints are found by their names in each."""
        stamped = self._columns[self.place_of(STAMP if time_column == "time" else time_column)] != RECEIVED
        wanted = [self._columns[self.place_of(column)].rpartition(".") for column in columns]
        for number, (received_ns, data) in enumerate(self._messages(), 1):
            self._done, place = number, f"message {number}"
            try:
                state = parse_joint_state(_bytes(data))
            except ValueError as problem:
                self._report.leave_out(f"no joint state: {problem}", place)
                continue
            at = {name: number for number, name in enumerate(state.names)}
            for gone in {joint for joint, _, _ in wanted if joint not in at}:
                self._report.miss(f"'{gone}' is not in the message", place)
            values = [_value(state.values[kind], at.get(joint)) for joint, _, kind in wanted]
            received_s = received_ns * 1e-9 if isinstance(received_ns, int) else None
            yield Row(place, state.stamp_s if stamped else received_s, values)

    def _messages(self) -> Iterator[tuple[object, object]]:
        """Yield when each message was received, and its bytes; raises ImportProblem."""
        query = "SELECT timestamp, data FROM messages WHERE topic_id = ? ORDER BY timestamp, id"
        try:
            with closing(self._opened()) as bag:
                yield from bag.execute(query, (self._topic,))
        except sqlite3.Error as problem:
            raise ImportProblem(f"{self._path} cannot be read to its end ({problem})") from None

    def _opened(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise ImportProblem(f"there is no {self._path}")
        return sqlite3.connect(f"file:{self._path.resolve()}?mode=ro", uri=True)

    def _chosen(self, topics: Mapping[str, int], topic: str) -> int:
        if not topics:
            raise ImportProblem(f"{self._path} has no topic of {TYPE}")
        if topic and topic not in topics:
            raise ImportProblem(f"{self._path} has no topic '{topic}' of joint states: it has {', '.join(topics)}")
        if not topic and len(topics) > 1:
            raise ImportProblem(f"{self._path} has several: say [ros] topic = one of {', '.join(topics)}")
        return topics[topic] if topic else next(iter(topics.values()))


def _bytes(found: object) -> bytes:
    """Return what a column of SQLite holds, which may be anything; what is no bytes is no message."""
    return found if isinstance(found, bytes) else b""


def _value(values: Sequence[float], at: int | None) -> float:
    """Return a joint's value; a message may leave a kind out."""
    return values[at] if at is not None and at < len(values) and math.isfinite(values[at]) else math.nan
