"""Whole recordings in, tables out: one function for each operator, for who has arrays and no gateway.

Each lets the operator that the gateway runs go over the recording, so that its numbers are those of the ward, bit for
bit. Arrays are (n, 3), specific force in m/s² and angular velocity in rad/s, as many samples a second as ``rate_hz``
says; where samples were lost, ``index`` numbers those that are there. A table is an array with named columns
(``table["time_s"]``), for pandas as it is. Times count from sample number 0.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.batch import Batch
from dsp.contact.detector import ContactDetector
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, INITIAL_CONTACT
from dsp.foot.contacts import FootContacts
from dsp.freezing.freeze_index import WINDOW_S, FreezeIndex
from dsp.heart.beats import EARLY_BEAT, MISSED_BEAT, REGULAR, BeatJudge
from dsp.heart.heart import is_interval
from dsp.lower_back.lower_back import BOUT, TURN, LowerBack
from dsp.lower_back.lower_back import INITIAL_CONTACT as LOWER_BACK_CONTACT
from dsp.orientation.orientation import orient
from dsp.shank.contacts import ShankContacts
from dsp.sway.sway import measure_sway
from dsp.units import require_units

__all__ = [
    "find_foot_contacts", "find_foot_strides", "find_freeze_index", "find_shank_contacts", "find_steps", "find_turns",
    "find_walking_bouts", "judge_beats", "measure_sway", "orient",
]  # fmt: skip

Table = NDArray[np.void]

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
FREEZING: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("freeze_index", "f8"), ("power", "f8")])
BEAT: Final = np.dtype([("rr_s", "f8"), ("verdict", "U11")])

KINDS: Final = {INITIAL_CONTACT: "initial_contact", FINAL_CONTACT: "final_contact", FOOT_FLAT: "foot_flat"}
SIDES: Final = {1: "left", -1: "right"}
VERDICTS: Final = {REGULAR: "regular", EARLY_BEAT: "early_beat", MISSED_BEAT: "missed_beat"}


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
    feet.process(_batch(acc, gyr, index, feet.attach(rate_hz)))
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


def find_freeze_index(acc: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the freeze index of a shank or foot, twice a second.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        rate_hz: Samples a second, at least 20.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s`` and ``end_s`` of the window, ``freeze_index`` (multitaper; above 0 it trembles more than it walks)
        and ``power``, (m/s²)².

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(acc, float)
    found = list(FreezeIndex(rate_hz).process(_numbers(samples, index), samples))
    table = np.zeros(len(found), FREEZING)
    table["end_s"] = [each.last / rate_hz for each in found]
    table["start_s"] = table["end_s"] - WINDOW_S
    table["freeze_index"], table["power"] = [each.value for each in found], [each.power for each in found]
    return table


def judge_beats(rr_s: ArrayLike) -> Table:
    """Return of each interval between heart beats whether it is of a regular heart.

    Args:
        rr_s: (n,) intervals in seconds, one behind the other; what cannot be one, such as NaN, ends the chain.

    Returns:
        ``rr_s`` and ``verdict``: ``regular``, ``early_beat``, ``missed_beat``, or ``no_interval``.
    """
    judge, verdicts = BeatJudge(), list[str]()
    intervals = np.asarray(rr_s, float).ravel().tolist()
    for interval in intervals:
        if is_interval(interval):
            verdicts += [VERDICTS[verdict] for verdict in judge.add(interval)]
        else:
            verdicts += [*(VERDICTS[verdict] for verdict in judge.end()), "no_interval"]
    verdicts += [VERDICTS[verdict] for verdict in judge.end()]
    table = np.zeros(len(intervals), BEAT)
    table["rr_s"], table["verdict"] = intervals, verdicts
    return table


def _contacts(
    detector: ContactDetector, acc: ArrayLike, gyr: ArrayLike, rate_hz: float, index: ArrayLike | None
) -> Table:
    events = detector.process(_batch(acc, gyr, index, detector.attach(rate_hz)))
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
    seen = back.process(_batch(acc, gyr, index, sensor))
    return np.concatenate([seen, back.flush(sensor)])


def _batch(acc: ArrayLike, gyr: ArrayLike, index: ArrayLike | None, sensor: int) -> Batch:
    force, rate = np.ascontiguousarray(acc, float), np.ascontiguousarray(gyr, float)
    batch = Batch.single(_numbers(force, index), force, rate, sensor)
    require_units(batch.acc, batch.gyr)
    return batch


def _numbers(samples: NDArray[np.float64], index: ArrayLike | None) -> NDArray[np.int64]:
    numbers = np.arange(len(samples)) if index is None else np.asarray(index)
    if not np.issubdtype(numbers.dtype, np.integer) or (np.diff(numbers) <= 0).any():
        raise ValueError("index must be whole numbers that ascend")
    return numbers.astype(np.int64)
