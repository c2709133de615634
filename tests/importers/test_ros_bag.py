"""ROS 2 bags in SQLite, as rosbag2 writes them: joint states become a recording."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.registry import make_driver
from importers.errors import ImportProblem
from importers.mapping import load_mapping
from importers.ros_bag import parse_joint_state
from importers.session import Wanted, import_session
from tests.importers.sessions import frames_of, header_of
from tests.importers.test_session import exoskeleton

JOINTS = ("left_knee_joint", "right_knee_joint")
BEGIN_S = 1_772_355_600
COLUMNS = """
[exoskeleton.columns]
left_knee_angle = "left_knee_joint.position"
right_knee_angle = { column = "right_knee_joint.position", sign = -1 }
left_knee_velocity = "left_knee_joint.velocity"
left_knee_torque = "left_knee_joint.effort"
"""


def text(value: str, at: int) -> bytes:
    """A string behind ``at`` bytes: aligned count, the characters and a zero."""
    data = value.encode() + b"\0"
    return bytes(-at % 4) + struct.pack("<I", len(data)) + data


def joint_state(stamp_s: float, names: Sequence[str], *values: Sequence[float]) -> bytes:
    seconds = int(stamp_s)
    body = struct.pack("<iI", seconds, round((stamp_s - seconds) * 1e9))
    body += text("base", len(body))
    body += bytes(-len(body) % 4) + struct.pack("<I", len(names))
    for name in names:
        body += text(name, len(body))
    for each in values:
        body += bytes(-len(body) % 4) + struct.pack("<I", len(each))
        if each:
            body += bytes(-len(body) % 8) + struct.pack(f"<{len(each)}d", *each)
    return b"\0\1\0\0" + body


def bag(path: Path, messages: Sequence[bytes], topics: Sequence[str] = ("/joint_states",)) -> Path:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
        db.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
        for number, topic in enumerate(topics, 1):
            db.execute("INSERT INTO topics VALUES (?, ?, 'sensor_msgs/msg/JointState', 'cdr')", (number, topic))
        db.execute("INSERT INTO topics VALUES (99, '/tf', 'tf2_msgs/msg/TFMessage', 'cdr')")
        for number, message in enumerate(messages):
            received_ns = (BEGIN_S + 1) * 1_000_000_000 + number * 10_000_000
            db.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES (1, ?, ?)", (received_ns, message))
            db.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES (99, ?, ?)", (received_ns, b"\0\1\0\0"))
    db.close()
    return path


def states(count: int = 100) -> list[bytes]:
    """The joints change places now and then, as nothing in ROS forbids."""
    found = []
    for k in range(count):
        names, angles = JOINTS, (math.sin(k / 10), math.cos(k / 10))
        order = (0, 1) if k % 3 else (1, 0)
        found.append(
            joint_state(
                BEGIN_S + k / 100, [names[i] for i in order], [angles[i] for i in order], [k / 100, 0.0],
                [] if k == 50 else [float(i == 0) for i in order],
            )
        )  # fmt: skip
    return found


def imported(path: Path, tmp_path: Path, columns: str = COLUMNS) -> Path:
    toml, output = tmp_path / "c.toml", tmp_path / "out.rec"
    toml.write_text(columns, "utf-8")
    report = import_session(path, load_mapping(toml), output, Wanted("p-1", "lab"), lambda _: None)
    assert report.spotless, list(report.sentences())
    return output


def test_joint_states_are_read_in_the_units_of_ros(tmp_path: Path) -> None:
    output = imported(bag(tmp_path / "walk.db3", states()), tmp_path)
    got = exoskeleton(output)["exoskeleton"]
    k = np.arange(100)
    assert header_of(output).origin_us == BEGIN_S * 1_000_000
    columns = _columns(output)
    assert np.abs(got.samples[:, columns["left_knee_angle"]] - np.degrees(np.sin(k / 10))).max() <= 0.0051
    assert np.abs(got.samples[:, columns["right_knee_angle"]] + np.degrees(np.cos(k / 10))).max() <= 0.0051
    torque = got.samples[:, columns["left_knee_torque"]]
    assert np.isnan(torque[50])
    assert (np.delete(torque, 50) == 1).all()
    assert len(got) == 100
    assert np.abs(np.diff(got.ticks) - 10_000).max() <= 1


def _columns(recording: Path) -> dict[str, int]:
    decoder = make_driver("exo_frame").decoder()
    decoder.decode([frame for number, frame in frames_of(recording)[:3] if number == 0])
    return {name: at for at, name in enumerate(decoder.streams["exoskeleton"].channels)}


def test_the_time_of_reception_can_be_the_clock(tmp_path: Path) -> None:
    columns = '[time]\ncolumn = "received"\n' + COLUMNS
    output = imported(bag(tmp_path / "walk.db3", states()), tmp_path, columns)
    assert header_of(output).origin_us == (BEGIN_S + 1) * 1_000_000


def test_the_folder_of_a_bag_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    bag(folder / "walk_0.db3", states())
    assert imported(folder, tmp_path).is_file()


@pytest.mark.parametrize(
    ("messages", "topics", "columns", "words"),
    [
        ([], ("/a",), COLUMNS, "no message"),
        (states(), ("/a", "/b"), COLUMNS, "say [ros] topic = one of /a, /b"),
        (states(), ("/a",), "[ros]\ntopic = '/c'\n" + COLUMNS, "no topic '/c' of joint states: it has /a"),
        ([b"\0\1\0\0junk"], ("/a",), COLUMNS, "its first message cannot be read"),
        (states(), (), COLUMNS, "no topic of sensor_msgs/msg/JointState"),
        (states(), ("/a",), COLUMNS.replace("left_knee_joint.pos", "knee.pos"), "no column 'knee.position'"),
    ],
)
def test_a_bag_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, messages: list[bytes], topics: tuple[str, ...], columns: str, words: str
) -> None:
    with pytest.raises(ImportProblem) as refused:
        imported(bag(tmp_path / "walk.db3", messages, topics), tmp_path, columns)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"), [("walk.db3", "not a ROS 2 bag"), ("walk.mcap", "ros2 bag convert"), ("walk.bag", "convert")]
)
def test_other_files_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"something else entirely")
    with pytest.raises(ImportProblem, match=words):
        imported(tmp_path / name, tmp_path)


def test_a_spoilt_message_is_left_out_and_named(tmp_path: Path) -> None:
    messages = states()
    messages[7] = messages[7][:40]
    toml, output = tmp_path / "c.toml", tmp_path / "out.rec"
    toml.write_text(COLUMNS, "utf-8")
    path = bag(tmp_path / "walk.db3", messages)
    report = import_session(path, load_mapping(toml), output, Wanted("p-1", "lab"), lambda _: None)
    assert report.samples == 99
    assert any("no joint state: cut (message 8)" in sentence for sentence in report.sentences())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        parse_joint_state(data)
    except ValueError as problem:
        assert str(problem)  # noqa: PT017 - refusing is one of two right answers


@given(st.integers(0, 300))
def test_a_message_cut_anywhere_is_refused(cut: int) -> None:
    whole = states(1)[0]
    if cut < len(whole):
        with pytest.raises(ValueError, match=r"cut|CDR"):
            parse_joint_state(whole[:cut])


def test_what_is_no_message_at_all_is_left_out_and_a_joint_that_is_gone_is_said(tmp_path: Path) -> None:
    """SQLite keeps anything in a column; a publisher may be started again with other names."""
    toml, output = tmp_path / "c.toml", tmp_path / "out.rec"
    toml.write_text(COLUMNS, "utf-8")
    others = [joint_state(BEGIN_S + 2 + k / 100, ["somebody"], [1.0], [1.0], [1.0]) for k in range(3)]
    found = bag(tmp_path / "b.db3", [*states(10), *others])
    with closing(sqlite3.connect(found)) as db, db:
        for value in (None, 5, "text"):
            db.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES (1, ?, ?)", (2**62, value))
    report = import_session(found, load_mapping(toml), output, Wanted("p-1", "lab"), lambda _: None)
    assert report.rows == {"no joint state: not plain CDR": 3}
    assert set(report.values) == {f"'{joint}' is not in the message" for joint in JOINTS}
    assert set(report.values.values()) == {len(others)}
