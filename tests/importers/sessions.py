"""A walk in an exoskeleton, as a laboratory would have written it, and as the device would have sent it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from drivers.packet import Frame
from gateway.intake.frames import STEP_NS
from gateway.intake.intakes import CONNECTED
from gateway.model.measurement import Measurement
from gateway.recordings.recording import Header, RecordingReader, RecordingWriter
from gateway.recordings.replay import Replay
from importers.session import ORIGIN_NS, TAIL_NS
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import ExoMotion, Joint, WornExoskeleton
from simulators.devices.exo_frame import DeviceState, JointSample, encode_device, encode_limb, serial_frame

JOINTS: tuple[Joint, ...] = ("hip", "knee")
RATE_HZ, SECONDS = 100, 60
START = "2026-03-01T10:00:00+00:00"


@cache
def walk() -> ExoMotion:
    worn = WornExoskeleton(WalkingBody(7).figure(), joints=JOINTS, rate_hz=RATE_HZ, seed=7)
    pieces = worn.read_until(SECONDS)
    assert pieces
    return ExoMotion(
        *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ExoMotion.__dataclass_fields__)
    )


def rows(motion: ExoMotion) -> Iterator[dict[str, Any]]:
    """Times from 100 s on, radians, and the hip counted the other way round."""
    for k in range(len(motion)):
        row: dict[str, Any] = {"t [s]": 100.0 + motion.time_s[k] - motion.time_s[0]}
        for side, name in enumerate(("L", "R")):
            for j, joint in enumerate(JOINTS):
                sign = -1 if joint == "hip" else 1
                row[f"{name}_{joint}_q"] = sign * math.radians(motion.angle[k, side, j])
                row[f"{name}_{joint}_qd"] = sign * math.radians(motion.velocity[k, side, j])
                row[f"{name}_{joint}_tau"] = sign * 1000 * motion.torque[k, side, j]
                row[f"{name}_{joint}_ref"] = sign * motion.command[k, side, j]
            row[f"{name}_stance"] = int(motion.stance[k, side])
            row[f"{name}_phase"] = 100 * motion.phase[k, side]
        row["assist"] = 60.0
        yield row


def write_csv(path: Path, *, delimiter: str = ",", decimal: str = ".", encoding: str = "utf-8") -> Path:
    found = list(rows(walk()))
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(found[0])
        for row in found:
            writer.writerow([str(value).replace(".", decimal) for value in row.values()])
    return path


def mapping(path: Path) -> Path:
    lines = [
        "[time]",
        'column = "t [s]"',
        f"start = {START}",
        "[exoskeleton]",
        "serial = 77",
        "[exoskeleton.columns]",
    ]
    for side, name in (("left", "L"), ("right", "R")):
        for joint in JOINTS:
            sign = ", sign = -1" if joint == "hip" else ""
            source = f"{name}_{joint}"
            lines.append(f'{side}_{joint}_angle = {{ column = "{source}_q", unit = "rad"{sign} }}')
            lines.append(f'{side}_{joint}_velocity = {{ column = "{source}_qd", unit = "rad/s"{sign} }}')
            lines.append(f'{side}_{joint}_torque = {{ column = "{source}_tau", unit = "N.mm"{sign} }}')
            lines.append(f'{side}_{joint}_command = {{ column = "{source}_ref"{sign} }}')
        lines.append(f'{side}_stance = "{name}_stance"')
        lines.append(f'{side}_gait_phase = {{ column = "{name}_phase", unit = "%" }}')
    lines.append('assistance = "assist"')
    path.write_text("\n".join(lines), "utf-8")
    return path


def direct(path: Path, header: Header) -> Path:
    """Record what the device would have sent, straight from the simulation."""
    motion = walk()
    state = DeviceState(JOINTS, JOINTS, RATE_HZ, assistance=60.0, serial=77)
    with RecordingWriter(path, header) as writer:
        end_ns, pending, described_s = ORIGIN_NS + STEP_NS, [(0, Frame(ORIGIN_NS, CONNECTED, b""))], -math.inf
        for k in range(len(motion)):
            since_s = float(motion.time_s[k] - motion.time_s[0])
            arrival_ns, time_us = ORIGIN_NS + round(since_s * 1e9), round(since_s * 1e6)
            while arrival_ns >= end_ns:
                writer.step(end_ns, pending)
                end_ns, pending = end_ns + STEP_NS, []
            parts = []
            if since_s >= described_s + 1:
                described_s = since_s
                parts.append(encode_device(state, counter=k, time_us=time_us))
            for side in (0, 1):
                joints = [
                    JointSample(
                        joint, motion.angle[k, side, j], motion.velocity[k, side, j], motion.torque[k, side, j],
                        motion.command[k, side, j],
                    )
                    for j, joint in enumerate(JOINTS)
                ]  # fmt: skip
                parts.append(
                    encode_limb(
                        right=bool(side), last=bool(side), counter=k, time_us=time_us, joints=joints,
                        gait_state=1 if motion.stance[k, side] else 2, gait_phase=float(motion.phase[k, side]),
                    )
                )  # fmt: skip
            pending.append((0, Frame(arrival_ns, "data", b"".join(map(serial_frame, parts)))))
        writer.step(end_ns, pending)
        writer.step(end_ns + TAIL_NS, [])
    return path


def header_of(path: Path) -> Header:
    reader = RecordingReader(path)
    reader.close()
    return reader.header


def frames_of(path: Path) -> list[tuple[int, Frame]]:
    reader = RecordingReader(path)
    found = [frame for _, frames in reader.blocks() for frame in frames]
    assert reader.whole
    reader.close()
    return found


def measured(path: Path) -> list[Measurement]:
    return [measurement for step in Replay(path).steps() for measurement in step]
