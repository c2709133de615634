"""Run by the peers' own interpreter, never by ours: mobgap's full pipeline over the lower backs of recordings, timed.

``python peer_mobgap.py FILE.npz ...`` prints JSON: samples and processor seconds, imports and a first run left out.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from mobgap.data import GaitDatasetFromData
from mobgap.pipeline import MobilisedPipelineHealthy

RATE_HZ = 100.0
COLUMNS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
PERSON = {"height_m": 1.7, "sensor_height_m": 1.0, "cohort": "HA", "foot_length_cm": 26.0, "handedness": "right",
          "indip_data_used": "", "weight_kg": 70.0}  # fmt: skip


def back(path: str) -> pd.DataFrame:
    """Return the lower back on a whole grid: up, left, forward, as the peer expects."""
    with np.load(path) as data:
        counter = data["lower_back_pc"]
        grid = np.arange(counter[0], counter[-1] + 1)
        acc, gyr = data["lower_back_acc"], np.degrees(data["lower_back_gyr"])
        # The sensor's x points up, y left, z back.
        rows = np.hstack([acc * [1.0, 1.0, -1.0], gyr * [1.0, 1.0, -1.0]])
        return pd.DataFrame({name: np.interp(grid, counter, rows[:, i]) for i, name in enumerate(COLUMNS)})


def analyse(data: pd.DataFrame) -> int:
    """Run the pipeline; return the number of walking bouts."""
    dataset = GaitDatasetFromData(
        {"walk": {"LowerBack": data}}, RATE_HZ, {"walk": PERSON}, {"walk": {"measurement_condition": "laboratory"}}
    )
    return len(MobilisedPipelineHealthy().run(dataset[0]).per_wb_parameters_)


def main() -> None:
    """Print samples and seconds."""
    warnings.simplefilter("ignore")
    walks = [back(path) for path in sys.argv[1:]]
    analyse(walks[0])
    begun = time.process_time()
    bouts = sum(analyse(walk) for walk in walks)
    spent = time.process_time() - begun
    print(json.dumps({"samples": sum(map(len, walks)), "seconds": spent, "bouts": bouts}))


if __name__ == "__main__":
    main()
