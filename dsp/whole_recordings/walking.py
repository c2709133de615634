"""Contacts, strides, steps, walks and turns of a whole recording."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.contact.detector import ContactDetector
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, INITIAL_CONTACT
from dsp.foot.contacts import FootContacts
from dsp.lower_back.lower_back import BOUT, TURN, LowerBack
from dsp.lower_back.lower_back import INITIAL_CONTACT as LOWER_BACK_CONTACT
from dsp.shank.contacts import ShankContacts
from dsp.walk_tests.course import CourseWalks, Walk
from dsp.whole_recordings.arrays_in import Table, batch_of

CONTACT: Final = np.dtype([("time_s", "f8"), ("kind", "U15"), ("confidence", "f8")])
STRIDE: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("stride_time_s", "f8"), ("stride_length_m", "f8"),
        ("foot_clearance_m", "f8"), ("foot_strike_angle_deg", "f8"), ("toe_off_angle_deg", "f8"), ("turn_deg", "f8"),
    ]
)  # fmt: skip
STEP: Final = np.dtype([("time_s", "f8"), ("side", "U5"), ("step_length_m", "f8"), ("confidence", "f8")])
WALKING_BOUT: Final = np.dtype(
    [("start_s", "f8"), ("end_s", "f8"), ("n_steps", "i8"), ("cadence_spm", "f8"), ("walking_speed_mps", "f8")]
)
TURNED: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("angle_deg", "f8")])
WALK: Final = np.dtype(
    [
        ("kind", "U6"), ("start_s", "f8"), ("end_s", "f8"), ("steps", "i8"), ("cadence_spm", "f8"), ("angle_deg", "f8"),
        ("peak_deg_s", "f8"), ("reason", "U80"),
    ]
)  # fmt: skip
KINDS: Final = {INITIAL_CONTACT: "initial_contact", FINAL_CONTACT: "final_contact", FOOT_FLAT: "foot_flat"}
SIDES: Final = {1: "left", -1: "right"}


def find_foot_contacts(acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the contacts of a foot: when it meets the floor, lies flat on it and leaves it.

    Args:
        acc: (n, 3) specific force, m/s²: x to the toe, y left, z up; a sensor that is strapped on askew is found out.
        gyr: (n, 3) angular velocity, rad/s, same axes.
        rate_hz: Samples a second, 20 to 350.
        index: (n,) whole numbers of the samples, ascending, where some were lost.

    Returns:
        ``time_s``, ``kind`` (``initial_contact``, ``foot_flat``, ``final_contact``) and ``confidence``, in time.

    Raises:
        ValueError: the arrays do not fit together, are in other units, or the rate cannot do.
    """
    return _contacts(FootContacts(), acc, gyr, rate_hz, index)


def find_shank_contacts(acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the contacts of the foot below a shank; arguments, columns and errors as `find_foot_contacts`."""
    return _contacts(ShankContacts(), acc, gyr, rate_hz, index)


def find_foot_strides(acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the strides of a foot, from foot-flat to foot-flat; arguments and errors as `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, ``stride_time_s`` (NaN where its contacts were not seen), ``stride_length_m``,
        ``foot_clearance_m``, ``foot_strike_angle_deg``, ``toe_off_angle_deg``, ``turn_deg`` (to the left positive).
    """
    feet = FootContacts()
    feet.process(batch_of(acc, gyr, index, feet.attach(rate_hz)))
    made = feet.strides
    table = np.zeros(len(made), STRIDE)
    table["start_s"], table["end_s"] = made["start"] / rate_hz, made["end"] / rate_hz
    table["stride_time_s"], table["stride_length_m"] = made["time_s"], made["length"]
    table["foot_clearance_m"] = made["clearance"]
    for column, angle in (
        ("foot_strike_angle_deg", "strike_angle"),
        ("toe_off_angle_deg", "toe_off_angle"),
        ("turn_deg", "turn"),
    ):
        table[column] = np.degrees(made[angle])
    return table


def find_steps(
    acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, height_m: float = math.nan, index: ArrayLike | None = None
) -> Table:
    """Return the steps of somebody who wears a sensor on the lower back, at any angle.

    Args:
        acc: (n, 3) specific force, m/s².
        gyr: (n, 3) angular velocity, rad/s.
        rate_hz: Samples a second.
        height_m: Of the person; without it there are no lengths and speeds.
        index: As of `find_foot_contacts`.

    Returns:
        ``time_s`` of the initial contact, ``side`` (``left``, ``right`` or empty), ``step_length_m``, ``confidence``.

    Raises:
        ValueError: as `find_foot_contacts`, and for a height that is no person's in metres.
    """
    events = _lower_back(acc, gyr, rate_hz, height_m, index)
    found = events[events["kind"] == LOWER_BACK_CONTACT]
    table = np.zeros(len(found), STEP)
    table["time_s"], table["confidence"] = found["index"] / rate_hz, found["confidence"]
    table["side"] = [SIDES.get(side, "") for side in found["side"].tolist()]
    table["step_length_m"] = found["step_length_m"]
    return table


def find_walking_bouts(
    acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, height_m: float = math.nan, index: ArrayLike | None = None
) -> Table:
    """Return when somebody walked, from the lower back; arguments and errors as `find_steps`.

    Returns:
        ``start_s``, ``end_s``, ``n_steps``, ``cadence_spm`` (steps a minute), ``walking_speed_mps``.
    """
    events = _lower_back(acc, gyr, rate_hz, height_m, index)
    found = events[events["kind"] == BOUT]
    table = np.zeros(len(found), WALKING_BOUT)
    table["start_s"], table["end_s"] = found["start"] / rate_hz, found["index"] / rate_hz
    table["n_steps"], table["cadence_spm"] = found["steps"], found["cadence_spm"]
    table["walking_speed_mps"] = found["speed_mps"]
    return table


def find_turns(acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return how somebody turned, from the lower back; arguments and errors as `find_steps`.

    Returns:
        ``start_s``, ``end_s``, ``angle_deg`` (to the left positive).
    """
    events = _lower_back(acc, gyr, rate_hz, math.nan, index)
    found = events[events["kind"] == TURN]
    table = np.zeros(len(found), TURNED)
    table["start_s"], table["end_s"] = found["start"] / rate_hz, found["index"] / rate_hz
    table["angle_deg"] = np.degrees(found["angle_rad"]) * np.where(found["side"] < 0, -1.0, 1.0)
    return table


def find_walks(
    acc: ArrayLike, gyr: ArrayLike, rate_hz: float, *, course: bool = False, index: ArrayLike | None = None
) -> Table:
    """Return walks and the U-turns between them, from one sensor in a hand, on the trunk or lower back, at any angle.

    Args:
        acc: (n, 3) specific force, m/s².
        gyr: (n, 3) angular velocity, rad/s, same axes.
        rate_hz: Samples a second, at least 20.
        course: There is one walk between two U-turns, as in a walk test: what moves besides is left out.
        index: As of `find_foot_contacts`.

    Returns:
        ``kind`` (``walk`` or ``u_turn``), ``start_s``, ``end_s``, ``steps``, ``cadence_spm`` of a walk, ``angle_deg``
        (to the left positive) and ``peak_deg_s`` of a U-turn, ``reason`` (why it is in doubt; empty if not), in time.

    Raises:
        ValueError: the arrays do not fit together, are in other units, or the rate is too low.
    """
    batch, walks = batch_of(acc, gyr, index, 0), CourseWalks(rate_hz, course=course)
    found = [*walks.process(batch.index, batch.acc, batch.gyr), *walks.flush()]
    table = np.zeros(len(found), WALK)
    for row, one in zip(table, found, strict=True):
        row["start_s"], row["end_s"] = one.start / rate_hz, one.end / rate_hz
        row["steps"], row["reason"] = one.steps, one.reason
        row["kind"] = "walk" if isinstance(one, Walk) else "u_turn"
        row["cadence_spm"] = one.cadence_spm if isinstance(one, Walk) else math.nan
        row["angle_deg"] = math.nan if isinstance(one, Walk) else one.angle_deg
        row["peak_deg_s"] = math.nan if isinstance(one, Walk) else one.peak_deg_s
    return table


def _contacts(
    detector: ContactDetector, acc: ArrayLike, gyr: ArrayLike, rate_hz: float, index: ArrayLike | None
) -> Table:
    events = detector.process(batch_of(acc, gyr, index, detector.attach(rate_hz)))
    found = events[np.isin(events["kind"], list(KINDS))]
    found = found[np.argsort(found["index"], kind="stable")]
    table = np.zeros(len(found), CONTACT)
    table["time_s"], table["confidence"] = found["index"] / rate_hz, found["confidence"]
    table["kind"] = [KINDS[kind] for kind in found["kind"].tolist()]
    return table


def _lower_back(
    acc: ArrayLike, gyr: ArrayLike, rate_hz: float, height_m: float, index: ArrayLike | None
) -> NDArray[np.void]:
    back = LowerBack()
    sensor = back.attach(rate_hz, height_m)
    seen = back.process(batch_of(acc, gyr, index, sensor))
    return np.concatenate([seen, back.flush(sensor)])
