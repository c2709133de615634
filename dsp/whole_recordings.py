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

from dsp.activity.day import spells
from dsp.arms.use import measure_arm_use
from dsp.batch import Batch
from dsp.contact.detector import ContactDetector
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, INITIAL_CONTACT
from dsp.falls.fall import FallDetector
from dsp.foot.contacts import FootContacts
from dsp.freezing.episodes import THRESHOLD, FreezingEpisode, FreezingEpisodes
from dsp.freezing.freeze_index import WINDOW_S, FreezeIndex
from dsp.heart.beats import EARLY_BEAT, MISSED_BEAT, REGULAR, BeatJudge
from dsp.heart.heart import is_interval
from dsp.lower_back.lower_back import BOUT, TURN, LowerBack
from dsp.lower_back.lower_back import INITIAL_CONTACT as LOWER_BACK_CONTACT
from dsp.orientation.orientation import orient
from dsp.posture.posture import PostureDetector
from dsp.repetitions.repetitions import LEAST_ROM_DEG, Repetition, Repetitions
from dsp.shank.contacts import ShankContacts
from dsp.sway.sway import measure_sway
from dsp.transfers.chair_stands import ChairStands, summarise_chair_stands
from dsp.transfers.found import Found, Transfer, Tug, Turn
from dsp.transfers.transfers import Placement, Transfers
from dsp.tremor.tremor import WINDOW_S as TREMOR_WINDOW_S
from dsp.tremor.tremor import Tremor
from dsp.units import require_units

__all__ = [
    "count_chair_stands", "count_repetitions", "find_falls", "find_foot_contacts", "find_foot_strides",
    "find_freeze_index", "find_freezing_episodes", "find_postures", "find_shank_contacts", "find_steps",
    "find_timed_up_and_go", "find_transfers", "find_tremor", "find_turns", "find_walking_bouts", "judge_beats",
    "measure_arm_use", "measure_sway", "orient",
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
FREEZING_EPISODE: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("greatest_index", "f8")])
TREMOR: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("present", "?"), ("state", "U7"), ("frequency_hz", "f8"),
        ("amplitude_mps2", "f8"), ("rotation_dps", "f8"), ("power_35_7", "f8"), ("power_4_6", "f8"),
        ("rotation_power_35_7", "f8"), ("rotation_power_4_6", "f8"), ("movement_mps2", "f8"), ("reason", "U18"),
    ]
)  # fmt: skip
REPETITION: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("duration_s", "f8"), ("rom_deg", "f8"), ("peak_velocity_dps", "f8"),
        ("sparc", "f8"), ("ldlj", "f8"),
    ]
)  # fmt: skip
FALL: Final = np.dtype(
    [("time_s", "f8"), ("kind", "U9"), ("confidence", "f8"), ("impact_g", "f8"), ("turned_deg", "f8")]
)
POSTURE: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("posture", "U8")])
TRANSFER: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("kind", "U12"), ("duration_s", "f8"), ("angle_deg", "f8"),
        ("peak_velocity_mps", "f8"), ("peak_power_w", "f8"), ("lean_deg", "f8"), ("smoothness", "f8"),
        ("reason", "U64"),
    ]
)  # fmt: skip
TIMED_UP_AND_GO: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("total_s", "f8"), ("sit_to_stand_s", "f8"), ("walk_out_s", "f8"),
        ("turn_180_s", "f8"), ("walk_back_s", "f8"), ("turn_to_sit_s", "f8"), ("quality", "U8"), ("reason", "U64"),
    ]
)  # fmt: skip
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


def find_freezing_episodes(
    acc: ArrayLike, rate_hz: float, *, threshold: float = THRESHOLD, index: ArrayLike | None = None
) -> Table:
    """Return the episodes of freezing of a shank or foot.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        rate_hz: Samples a second, at least 20.
        threshold: Of the freeze index; a person's own is better where a recording of theirs is rated.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s`` and ``greatest_index``.
    """
    samples = np.asarray(acc, float)
    finding, found = FreezingEpisodes(rate_hz, threshold=threshold), list[FreezingEpisode]()
    for value in FreezeIndex(rate_hz).process(_numbers(samples, index), samples):
        found += finding.add(value)
    found += finding.flush()
    table = np.zeros(len(found), FREEZING_EPISODE)
    table["start_s"], table["end_s"] = [e.start / rate_hz for e in found], [e.end / rate_hz for e in found]
    table["greatest_index"] = [e.greatest for e in found]
    return table


def find_tremor(acc: ArrayLike, gyr: ArrayLike | None, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the tremor of a hand, wrist or leg, once a second.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        gyr: (n, 3) angular velocity, rad/s; None without a gyroscope.
        rate_hz: Samples a second, at least 24.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s`` and ``end_s`` of the window, and what `dsp.tremor.tremor.TremorValue` says.

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(acc, float)
    found = list(Tremor(rate_hz).process(_numbers(samples, index), samples, gyr))
    ends_s = [value.last / rate_hz for value in found]
    rows = [(end_s - TREMOR_WINDOW_S, end_s, *value[1:]) for end_s, value in zip(ends_s, found, strict=True)]
    return np.array(rows, TREMOR)


def count_repetitions(
    gyr: ArrayLike, rate_hz: float, *, least_rom_deg: float = LEAST_ROM_DEG, index: ArrayLike | None = None
) -> Table:
    """Return the repetitions of an exercise.

    Args:
        gyr: (n, 3) angular velocity of the limb that moves, rad/s, any axes.
        rate_hz: Samples a second, at least 20.
        least_rom_deg: Smallest movement of the exercise that counts.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, and what `dsp.repetitions.repetitions.Repetition` says.

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(gyr, float)
    counting = Repetitions(rate_hz, least_rom_deg=least_rom_deg)
    found: list[Repetition] = [*counting.process(_numbers(samples, index), samples), *counting.flush()]
    rows = [(rep.start / rate_hz, rep.end / rate_hz, *rep[2:-1]) for rep in found]
    return np.array(rows, REPETITION)


def find_postures(
    acc: ArrayLike, rate_hz: float, placement: str, *, along: ArrayLike | None = None, index: ArrayLike | None = None
) -> Table:
    """Return when somebody lay, sat, stood, walked and took stairs, as it is known in the end.

    Args:
        acc: (n, 3) specific force, m/s², any axes; NaN where a sample is not known.
        rate_hz: Samples a second, at least 20.
        placement: Where the sensor is: ``thigh``, ``wrist``, ``waist``, ``lower_back`` or ``chest``.
        along: (3,) axis of the sensor along the segment, believed until somebody has walked; None: y of a phone on a
            thigh, x of a watch, none on a trunk.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, ``posture`` (empty where nothing is known). A wrist's is a guess; a thigh takes lying on
        the back for sitting, and a trunk sitting for standing.

    Raises:
        ValueError: the arrays do not fit together, the rate is too low, or the placement is another one.
    """
    samples, detector = _force(acc), PostureDetector(rate_hz, placement, along=along)
    numbers = _numbers(samples, index)
    found = [*detector.process(numbers, samples, samples), *detector.finish()]
    known = spells(found, float(numbers[-1]) + 1 if len(numbers) else 0.0, rate_hz)
    return np.array([(spell.start_s, spell.end_s, spell.posture or "") for spell in known], POSTURE)


def find_falls(acc: ArrayLike, rate_hz: float, placement: str, *, index: ArrayLike | None = None) -> Table:
    """Return what may have been a fall, or a stumble that was recovered from: for somebody to look, never for sure.

    Args:
        acc: (n, 3) specific force, m/s², any axes; NaN where a sample is not known.
        rate_hz: Samples a second, at least 20; 50 and more show an impact better.
        placement: As of `find_postures`.
        index: As of `find_foot_contacts`.

    Returns:
        ``time_s`` of the impact, ``kind`` (``fall``, ``near_fall``), ``confidence`` 0 to 1, ``impact_g`` and
        ``turned_deg``.

    Raises:
        ValueError: as `find_postures`.
    """
    samples, detector = _force(acc), FallDetector(rate_hz, placement)
    found = [*detector.process(_numbers(samples, index), samples, samples), *detector.finish()]
    rows = [(fall.at / rate_hz, fall.kind, fall.confidence, fall.impact_g, fall.turned_deg) for fall in found]
    return np.array(rows, FALL)


def find_transfers(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "thigh",
    height_m: float | None = None,
    mass_kg: float | None = None,
    index: ArrayLike | None = None,
) -> Table:
    """Return when somebody who sat at first stood up, sat down and turned, from one sensor with axes in any direction.

    Args:
        acc: (n, 3) specific force, m/s².
        gyr: (n, 3) angular velocity, rad/s.
        rate_hz: Samples a second, at least 20.
        placement: ``thigh``, ``wrist``, ``lower_back`` or ``chest``.
        height_m: Of the person: without it a thigh gives no vertical speed.
        mass_kg: Of the person: without it there is no power.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, ``kind`` (``sit_to_stand``, ``stand_to_sit``, ``turn``), ``duration_s``, and NaN where
        there is none: ``angle_deg`` (of a turn, to the left positive), ``peak_velocity_mps``, ``peak_power_w``,
        ``lean_deg``, ``smoothness`` (spectral arc length); ``reason`` says why one is doubted. In order of time.

    Raises:
        ValueError: the arrays do not fit together, the rate is too low, or the placement unknown.
    """
    found = _transfers(acc, gyr, rate_hz, index, placement=placement, height_m=height_m, mass_kg=mass_kg, tug=False)
    rows = [_row(one, rate_hz) for one in found if not isinstance(one, Tug)]
    return np.array(sorted(rows), TRANSFER)


def find_timed_up_and_go(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "thigh",
    index: ArrayLike | None = None,
) -> Table:
    """Return each Timed Up and Go of a recording with its phases; arguments and errors as `find_transfers`.

    Returns:
        ``start_s``, ``end_s``, ``total_s``, ``sit_to_stand_s``, ``walk_out_s``, ``turn_180_s``, ``walk_back_s``,
        ``turn_to_sit_s`` (turning and sitting down are one movement), ``quality`` and ``reason``.
    """
    tests = [one for one in _transfers(acc, gyr, rate_hz, index, placement=placement) if isinstance(one, Tug)]
    table = np.zeros(len(tests), TIMED_UP_AND_GO)
    table["start_s"], table["end_s"] = [one.start / rate_hz for one in tests], [one.end / rate_hz for one in tests]
    for column in (TIMED_UP_AND_GO.names or ())[2:]:
        table[column] = [getattr(one, column) for one in tests]
    return table


def count_chair_stands(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "lower_back",
    duration_s: float = math.inf,
    height_m: float | None = None,
    mass_kg: float | None = None,
    index: ArrayLike | None = None,
) -> ChairStands:
    """Return what a test of chair stands gives: five times, or 30 or 60 ``duration_s`` from the first rise.

    Other arguments and errors as `find_transfers`.
    """
    found = _transfers(acc, gyr, rate_hz, index, placement=placement, height_m=height_m, mass_kg=mass_kg, tug=False)
    return summarise_chair_stands(found, rate_hz, duration_s=duration_s)


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


def _transfers(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    index: ArrayLike | None,
    *,
    placement: Placement,
    height_m: float | None = None,
    mass_kg: float | None = None,
    tug: bool = True,
) -> list[Found]:
    force, rate = np.asarray(acc, float), np.asarray(gyr, float)
    require_units(force, rate)
    operator = Transfers(rate_hz, placement=placement, tug=tug, height_m=height_m, mass_kg=mass_kg)
    return [*operator.process(_numbers(force, index), force, rate), *operator.finish()]


def _row(one: Transfer | Turn, rate_hz: float) -> tuple[float | str, ...]:
    times = (one.start / rate_hz, one.end / rate_hz)
    if isinstance(one, Turn):
        return (*times, "turn", one.duration_s, one.angle_deg, *(math.nan,) * 4, one.reason)
    how = (one.peak_velocity, one.peak_power, one.lean_deg, one.smoothness)
    return (*times, one.kind, one.duration_s, math.nan, *how, one.reason)


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


def _force(acc: ArrayLike) -> NDArray[np.float64]:
    samples = np.ascontiguousarray(acc, float)
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise ValueError(f"acc must be (n, 3), not {samples.shape}")
    require_units(samples, np.zeros_like(samples))
    return samples


def _numbers(samples: NDArray[np.float64], index: ArrayLike | None) -> NDArray[np.int64]:
    numbers = np.arange(len(samples)) if index is None else np.asarray(index)
    if not np.issubdtype(numbers.dtype, np.integer) or (np.diff(numbers) <= 0).any():
        raise ValueError("index must be whole numbers that ascend")
    return numbers.astype(np.int64)
