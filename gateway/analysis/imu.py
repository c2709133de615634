"""The stream of a motion sensor, that everything about movement is worked out from."""

from __future__ import annotations

from typing import Final

from gateway.analysis.modality import Signal

IMU: Final = Signal(
    "imu", ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"), ("m/s2",) * 3 + ("rad/s",) * 3
)  # fmt: skip
