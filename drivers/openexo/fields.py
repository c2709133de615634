"""Which field of a real-time message is which channel: by the names that the device tells, or by the joints it has.

The order of the fields hangs on how the exoskeleton was built: ankles come left first, all others right first, so that
the wrong order swaps the legs. Nothing is guessed: a name that does not say side, joint and quantity becomes a channel
of its own, which is recorded and not measured by.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.exoskeleton import DESIRED_ANGLE, JOINTS, SIDES, UNITS, stream
from drivers.packet import StreamSpec

MOST_FIELDS: Final = 64  # a message counts up to 999, and a notification holds no more
LONGEST_CHANNEL: Final = 40  # characters of a name that becomes a channel

_WORD = re.compile(r"[a-z]+|\d+")
_COMMANDED = {"desired", "commanded", "command", "setpoint", "prescribed"}
_DEGREES = {"deg", "degrees"}
_SHORT = {"l": "left", "r": "right"}


def _pairs(joint: str) -> tuple[str, ...]:
    """Return measured and commanded torque of both sides, right first."""
    return tuple(f"{side}_{joint}_{what}" for side in ("right", "left") for what in ("torque", "command"))


_BENDING = ("right_elbow_flexion_sensor", "right_elbow_extension_sensor", "left_elbow_flexion_sensor",
            "left_elbow_extension_sensor")  # fmt: skip
_HIPS_BESIDE = ("right_hip_command", "right_gait_phase", "left_hip_command", "left_gait_phase")
_CONSTANT = "constant"  # a field that is always 8

LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "ankle": (
        "left_ankle_command", "left_ankle_torque", "right_ankle_command", "right_ankle_torque",
        "left_toe_fsr", "left_stance", "right_toe_fsr", "right_stance", _CONSTANT, "uptime", "battery_voltage",
    ),
    "hip": (
        *_pairs("hip"), "right_gait_phase", "right_toe_fsr", "left_gait_phase", "left_toe_fsr", "right_heel_fsr",
        "left_heel_fsr", "battery_voltage",
    ),
    "elbow": (*_pairs("elbow"), *_BENDING, _CONSTANT, "uptime", "battery_voltage"),
    "hip_ankle": (*_pairs("ankle"), *_HIPS_BESIDE, "right_toe_fsr", "left_toe_fsr", "battery_voltage"),
    "hip_elbow": (*_pairs("elbow"), *_HIPS_BESIDE, _BENDING[0], _BENDING[2], "battery_voltage"),
    "ankle_elbow": (*_pairs("ankle"), *_pairs("elbow"), "right_toe_fsr", "left_toe_fsr", "battery_voltage"),
}  # fmt: skip
"""Channels in the order of the fields, by the joints of a bilateral exoskeleton (firmware main of May 2026)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What the fields of a real-time message are.

    Attributes:
        count: How many fields a message has.
        columns: Which of them become channels; those that the device calls unused do not.
        spec: The stream.
    """

    count: int
    columns: tuple[int, ...]
    spec: StreamSpec

    def contradict(self, other: Fields) -> bool:
        """Whether these and the others give another meaning to one field; a name without a meaning here has none."""
        if self.count != other.count:
            return True
        here, there = (dict(zip(each.columns, each.spec.channels, strict=True)) for each in (self, other))
        return any(
            here[at] != there[at] and here[at] in UNITS and there[at] in UNITS for at in here.keys() & there.keys()
        )


def fields_of_joints(joints: str) -> Fields:
    """Return the fields of an exoskeleton with these joints, a key of `LAYOUTS`."""
    channels = LAYOUTS[joints]
    kept = tuple(at for at, channel in enumerate(channels) if channel != _CONSTANT)
    named = [channels[at] for at in kept]
    return Fields(len(channels), kept, stream(named, [UNITS.get(channel, "1") for channel in named]))


def fields_of_names(names: Sequence[str], joints: Collection[str]) -> Fields:
    """Return the fields by the names that the device tells.

    Args:
        names: In the order of the fields.
        joints: The kinds of joint that it has: one that is the only one need not stand in a name.
    """
    found: dict[str, str] = {}
    columns: list[int] = []
    for at, name in enumerate(names[:MOST_FIELDS]):
        words = [_SHORT.get(word, word) for word in _WORD.findall(name.lower())]
        if "unused" in words:
            continue
        channel, unit = _channel(words, joints)
        if not channel or channel in found:
            channel, unit = f"field_{at}", "1"
        found[channel] = unit
        columns.append(at)
    return Fields(len(names), tuple(columns), stream(list(found), found.values()))


def _channel(words: Sequence[str], joints: Collection[str]) -> tuple[str, str]:
    """Return the channel that these words of a name mean, and its unit."""
    own = "_".join(words)[:LONGEST_CHANNEL]
    channel = _of_joint(words, joints) or _of_leg(words) or _of_device(words)
    if channel in UNITS:
        return channel, UNITS[channel]
    return (f"named_{own}" if own in UNITS else own), "1"


def _only(words: Collection[str], known: Collection[str]) -> str:
    """Return the one known word among these; empty if there is none, or more than one."""
    found = set(words) & set(known)
    return found.pop() if len(found) == 1 else ""


def _of_joint(words: Sequence[str], joints: Collection[str]) -> str:
    joint = _only(words, JOINTS) or ("" if set(words) & set(JOINTS) else _only(joints, joints))
    side = _only(words, SIDES)
    if "torque" in words:
        quantity = "command" if _COMMANDED & set(words) else "torque"
    elif "angle" in words and _DEGREES & set(words):  # of an angle without its unit nothing is known
        quantity = DESIRED_ANGLE if _COMMANDED & set(words) else "angle"
    else:
        return ""
    return f"{side}_{joint}_{quantity}" if side and joint else ""


def _of_leg(words: Sequence[str]) -> str:
    side = _only(words, SIDES)
    if not side:
        return ""
    for place in ("toe", "heel"):
        if place in words and "fsr" in words:
            return f"{side}_{place}_fsr"
    if "gait" in words and "100" in words:
        return f"{side}_gait_phase"
    return f"{side}_stance" if "stance" in words else ""


def _of_device(words: Sequence[str]) -> str:
    if "battery" in words and {"volts", "volt", "v"} & set(words):
        return "battery_voltage"
    return "uptime" if "time" in words and {"seconds", "s"} & set(words) else ""
