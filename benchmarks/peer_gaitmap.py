"""Run by the peers' own interpreter, never by ours: gaitmap's usual chain over the feet of recordings, timed.

``python peer_gaitmap.py FILE.npz ...`` prints JSON: samples and processor seconds, imports and a first run left out.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from gaitmap.event_detection import RamppEventDetection
from gaitmap.parameters import SpatialParameterCalculation, TemporalParameterCalculation
from gaitmap.preprocessing.sensor_alignment import align_dataset_to_gravity
from gaitmap.stride_segmentation import BarthDtw
from gaitmap.trajectory_reconstruction import StrideLevelTrajectory
from gaitmap.utils.coordinate_conversion import convert_to_fbf

RATE_HZ = 100.0
COLUMNS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
AXES = np.array([-1.0, -1.0, 1.0])  # of these recordings to forward, left, up


def feet(path: str) -> dict[str, pd.DataFrame]:
    """Return both feet on a whole grid: lost packets interpolated, as the peer asks for."""
    found = {}
    with np.load(path) as data:
        for side in ("left", "right"):
            counter = data[f"{side}_foot_pc"]
            grid = np.arange(counter[0], counter[-1] + 1)
            rows = np.hstack([data[f"{side}_foot_acc"] * AXES, np.degrees(data[f"{side}_foot_gyr"]) * AXES])
            found[f"{side}_sensor"] = pd.DataFrame(
                {name: np.interp(grid, counter, rows[:, i]) for i, name in enumerate(COLUMNS)}
            )
    return found


def analyse(data: dict[str, pd.DataFrame]) -> int:
    """Run the chain; return the number of strides with a length."""
    turned = align_dataset_to_gravity(data, RATE_HZ)
    body = convert_to_fbf(turned, left_like="left_", right_like="right_")
    strides = BarthDtw().segment(body, RATE_HZ).stride_list_
    events = RamppEventDetection().detect(body, strides, sampling_rate_hz=RATE_HZ)
    trajectory = StrideLevelTrajectory().estimate(turned, events.min_vel_event_list_, sampling_rate_hz=RATE_HZ)
    TemporalParameterCalculation().calculate(events.min_vel_event_list_, sampling_rate_hz=RATE_HZ)
    spatial = SpatialParameterCalculation().calculate(
        events.min_vel_event_list_, trajectory.position_, trajectory.orientation_, sampling_rate_hz=RATE_HZ
    )
    return sum(len(each) for each in spatial.parameters_.values())


def main() -> None:
    """Print samples and seconds."""
    warnings.simplefilter("ignore")
    walks = [feet(path) for path in sys.argv[1:]]
    analyse(walks[0])
    begun = time.process_time()
    strides = sum(analyse(walk) for walk in walks)
    spent = time.process_time() - begun
    samples = sum(len(foot) for walk in walks for foot in walk.values())
    print(json.dumps({"samples": samples, "seconds": spent, "strides": strides}))


if __name__ == "__main__":
    main()
