"""Whole recordings in, tables out: one function for each operator, for who has arrays and no gateway.

Each lets the operator that the gateway runs go over the recording, so that its numbers are those of the ward, bit for
bit. Arrays are (n, 3), specific force in m/s² and angular velocity in rad/s, as many samples a second as ``rate_hz``
says; where samples were lost, ``index`` numbers those that are there. A table is an array with named columns
(``table["time_s"]``), for pandas as it is. Times count from sample number 0.
"""

from __future__ import annotations

from dsp.arms.use import measure_arm_use
from dsp.orientation.orientation import orient
from dsp.sway.sway import measure_sway
from dsp.whole_recordings.activity import count_repetitions, find_falls, find_person_postures, find_postures
from dsp.whole_recordings.arms import find_arm_swing
from dsp.whole_recordings.heart import judge_beats
from dsp.whole_recordings.smoothness import measure_stride_smoothness
from dsp.whole_recordings.stairs import find_stairs
from dsp.whole_recordings.transfers import count_chair_stands, find_timed_up_and_go, find_transfers
from dsp.whole_recordings.trembling import find_freeze_index, find_freezing_episodes, find_tremor
from dsp.whole_recordings.walking import (
    find_foot_contacts,
    find_foot_strides,
    find_shank_contacts,
    find_steps,
    find_turns,
    find_walking_bouts,
    find_walks,
)

__all__ = [
    "count_chair_stands",
    "count_repetitions",
    "find_arm_swing",
    "find_falls",
    "find_foot_contacts",
    "find_foot_strides",
    "find_freeze_index",
    "find_freezing_episodes",
    "find_person_postures",
    "find_postures",
    "find_shank_contacts",
    "find_stairs",
    "find_steps",
    "find_timed_up_and_go",
    "find_transfers",
    "find_tremor",
    "find_turns",
    "find_walking_bouts",
    "find_walks",
    "judge_beats",
    "measure_arm_use",
    "measure_stride_smoothness",
    "measure_sway",
    "orient",
]
