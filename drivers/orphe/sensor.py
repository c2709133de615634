"""The sensor frames of an ORPHE INSOLE: one counter and one time of day, and two or four samples, newest first.

Big-endian, 104 bytes whatever stands in them. The time is that of the oldest sample. Facts: Orphe-OSS/ORPHE-INSOLE.js
(docs/SENSOR_SPEC.md, src/ORPHE-INSOLE.js, src/InsoleFifo.js).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.packet import StreamSpec

FRAME_BYTES: Final = 104
HEAD_BYTES: Final = 8
RATE_HZ: Final = 208.0  # of the inertial sensor, as its maker measured; what is called 200 Hz
DAY_MS: Final = 86_400_000
TICK_BITS: Final = 32
TICK_HZ: Final = (1 << TICK_BITS) / 86_400.0
"""The device's clock is a time of day: a day is a whole turn of the counter, so that midnight is a wrap like any."""

ACC_RANGES_G: Final = (2.0, 4.0, 8.0, 16.0)
GYRO_DPS_A_COUNT: Final = (0.00875, 0.0175, 0.035, 0.07)  # of the ranges of 250, 500, 1000 and 2000 deg/s
QUATERNION_ONE: Final = 16384.0
FULL: Final = 32768.0
STANDARD_GRAVITY: Final = 9.80665  # m/s2
SENSORS: Final = 6

NO_FRAME = "another length than a sensor frame has"
NO_MODE = "a sensor frame of an unknown mode"
NO_TIME = "a sensor frame without a time of day"

IMU: Final = (("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"), ("m/s2",) * 3 + ("rad/s",) * 3)
ORIENTATION: Final = (("q_w", "q_x", "q_y", "q_z"), ("1",) * 4)
INSOLE: Final = (tuple(f"pressure_{n}" for n in range(1, SENSORS + 1)), ("1",) * SENSORS)

_FIELDS: Final = {
    "quat": (">i2", 4),
    "gyro": (">i2", 3),
    "acc": (">i2", 3),
    "press": (">u2", SENSORS),
    "delta": ("u1", 1),
}


@dataclass(frozen=True, slots=True)
class Mode:
    """A way in which an insole streams.

    Attributes:
        name: As written in a configuration.
        number: Byte that asks for it.
        header: First byte of its frames.
        count: Samples a frame.
        fields: What a sample has, in wire order: keys of `_FIELDS`.
    """

    name: str
    number: int
    header: int
    count: int
    fields: tuple[str, ...]

    @property
    def rate_hz(self) -> float:
        """Samples a second: with everything in it, a frame has every other."""
        return RATE_HZ if self.count == FOUR else RATE_HZ / 2

    @property
    def frame(self) -> np.dtype[np.void]:
        """Structured type of a frame; what lies behind its samples is padding."""
        parts = [(name, _FIELDS[name][0], (_FIELDS[name][1],)) for name in self.fields]
        return np.dtype(
            {
                "names": ["serial", "clock", "ms", "samples"],
                "formats": [">u2", ("u1", (3,)), ">u2", (np.dtype(parts), (self.count,))],
                "offsets": [1, 3, 6, HEAD_BYTES],
                "itemsize": FRAME_BYTES,
            }
        )

    @property
    def streams(self) -> list[StreamSpec]:
        """The streams of this mode."""
        named = {"imu": IMU, "orientation": ORIENTATION, "insole": INSOLE}
        own = [
            name
            for name, field in (("imu", "acc"), ("orientation", "quat"), ("insole", "press"))
            if field in self.fields
        ]
        return [StreamSpec(name, *named[name], self.rate_hz, TICK_HZ, TICK_BITS) for name in own]


FOUR: Final = 4
_ALL: Final = (
    Mode("orientation", 1, 50, FOUR, ("quat", "gyro", "acc", "delta")),
    Mode("store", 2, 54, FOUR, ("gyro", "acc", "press")),
    Mode("pressure", 3, 55, FOUR, ("gyro", "acc", "press")),
    Mode("all", 4, 56, 2, ("quat", "gyro", "acc", "press")),
)
MODES: Final[Mapping[str, Mode]] = {mode.name: mode for mode in _ALL}
BY_HEADER: Final[Mapping[int, Mode]] = {mode.header: mode for mode in _ALL}
FRAMES: Final[Mapping[int, np.dtype[np.void]]] = {mode.header: mode.frame for mode in _ALL}


def checked_mode(data: bytes) -> Mode:
    """Return the mode of a whole sensor frame; raises MalformedFrameError."""
    if len(data) != FRAME_BYTES:
        raise MalformedFrameError(NO_FRAME)
    mode = BY_HEADER.get(data[0])
    if mode is None:
        raise MalformedFrameError(NO_MODE)
    if not says_a_time(data):
        raise MalformedFrameError(NO_TIME)
    return mode


def says_a_time(data: bytes) -> bool:
    """Whether a whole frame tells a time of day."""
    return data[3] < 24 and data[4] < 60 and data[5] < 60 and (data[6] << 8 | data[7]) < 1000


def milliseconds(frames: NDArray[np.void]) -> NDArray[np.int64]:
    """Return (n,) the time of day of frames, milliseconds since midnight."""
    clock = frames["clock"].astype(np.int64)
    return np.asarray(((clock[:, 0] * 60 + clock[:, 1]) * 60 + clock[:, 2]) * 1000 + frames["ms"], np.int64)


def oldest_first(frames: NDArray[np.void], field: str) -> NDArray[Any]:
    """Return (n, components) counts of a field of all samples of frames, in the order in which they were taken."""
    found = frames["samples"][field][:, ::-1]
    return found.reshape(-1, found.shape[2])


def parse_sensor(data: bytes, *, acc_range: int = 3, gyro_range: int = 3) -> dict[str, Any]:
    """Return what a sensor frame says, in the units of its maker (g, deg/s, counts); raises MalformedFrameError."""
    mode = checked_mode(data)
    frames = np.frombuffer(data, FRAMES[mode.header])
    fields = {name: oldest_first(frames, name) for name in mode.fields}
    samples = []
    for at in range(mode.count):
        gyro, acc = fields["gyro"][at].tolist(), fields["acc"][at].tolist()
        sample = {
            "gyro_raw": gyro,
            "acc_raw": acc,
            "gyro_dps": [count * GYRO_DPS_A_COUNT[gyro_range] for count in gyro],
            "acc_g": [count * ACC_RANGES_G[acc_range] / FULL for count in acc],
        }
        if "quat" in fields:
            sample["quat_wxyz"] = [count / QUATERNION_ONE for count in fields["quat"][at].tolist()]
        if "press" in fields:
            sample["press_adc"] = fields["press"][at].tolist()
        if "delta" in fields:
            sample["delta_ms"] = int(fields["delta"][at, 0])
        samples.append(sample)
    return {
        "header": mode.header,
        "serial": data[1] << 8 | data[2],
        "device_time": [data[3], data[4], data[5], data[6] << 8 | data[7]],
        "samples_oldest_first": samples,
    }
