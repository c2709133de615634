"""What the orientation kernel is given and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from dsp.record import Floats, Ints, Record, Vector

# What the filter says beside each quaternion (bits of ``flags``).
AT_REST: Final = 1  # the gyroscope bias is being measured directly
MAG_DISTURBED: Final = 2  # the magnetic field is not the one the heading rests on; it is left out for a while
ACC_MISSING: Final = 4  # no usable accelerometer value: gyroscope only
GYR_MISSING: Final = 8  # no usable gyroscope value: the orientation is held, or follows gravity and field alone
MAG_MISSING: Final = 16  # no usable magnetometer value (sensors attached with one only)
RECOVERING: Final = 32  # something was missing; gains are open until gravity and field have been seen for long enough
BRIDGED: Final = 64  # the samples just before this one were lost and their rotation interpolated
FROZEN: Final = 128  # a channel repeats its value and is treated as missing

OLD: Final = 256  # not newer than the newest sample of its sensor: nothing was done

SLOW: Final = 14  # channels smoothed with the accelerometer's time constant: acc 3, rotation matrix 9, level bias 2
QUICK: Final = 6  # channels smoothed for rest detection: gyr 3, acc 3
PAST: Final = 512  # angular rates kept of a sensor: fewer lose, more gain little (a hundredth)
BESIDE: Final = 4  # rates before and after a gap that say something about it: with eight nothing is gained
LAGS: Final = 40  # of the autocovariance of the angular rate: gaps of up to three packets of ten samples
PastRates = NDArray[np.float32]
"""The newest angular rates of a sensor, rad/s, in a ring."""
Samples = tuple[Floats, Floats, Floats]
"""acc, gyr and mag of a batch; an empty mag has no values for any of them."""
Written = tuple[Floats, Ints]
"""Quaternions and flags."""
Where = tuple[Ints, Ints, Ints]
"""Sensor numbers, row offsets and sample numbers of a batch."""


class OrientationKernelParams(Record):
    """What the filter goes by, at the rate of one sensor."""

    dt: float  # s a sample
    rate_hz: float
    has_mag: int
    # Low-pass filters: b0 (b1 is twice, b2 once as much), a1, a2, and the seconds averaged at their start
    slow: Vector
    slow_s: float
    slow_share: float  # of one sample in that time
    quick: Vector
    quick_s: float
    field: Vector
    field_s: float
    # Rest
    rest_gyr: float  # (rad/s)^2
    rest_acc: float  # (m/s^2)^2
    rest_s: float
    # Gyroscope bias; variances in (0.01 deg/s)^2
    bias_start: float
    bias_drift: float  # a sample
    bias_motion: float
    bias_vertical: float
    bias_rest: float
    bias_clip: float  # rad/s
    # Magnetometer
    mag_gain: float  # a sample
    mag_s: float
    ref_gain: float
    norm_band: float  # share of the norm
    dip_band: float  # rad
    new_s: float
    new_first_s: float
    new_gyr: float  # (rad/s)^2
    undisturbed_s: float
    reject_s: float
    reject_factor: float
    # What is missing
    bridge: int  # lost samples in a row that are interpolated
    frozen: int  # repeats of the same value that no living channel shows
    frozen_gyr: int  # the same of an angular rate in motion
    weave: int  # samples after a gap in which the field before and after are laid on each other
    weave_noise: float  # rad^2 a sample: of that field's direction
    mag_noise: float  # rad^2 a sample: of the heading in the field
    mag_worth: float  # rad^2: a heading better than this is not improved by looking at the field in haste
    acc_span: float  # samples in which one disturbance of gravity by movement lasts
    shake_gain: float  # a sample
    usual_gain: float  # a sample
    look_gain: float  # a look at the field
    open_least: float  # a sample: of the heading as long as gravity is averaged anew
    find: float  # samples of gravity that make an upright frame again after a loss
    drift: float  # rad^2 a sample: of the angle without correction


PARAMS: Final = OrientationKernelParams.layout()


# All of a sensor's state is float64, so that rows of it are rows of a plain matrix; counts and yes (1) or no (0) too.
# The first ``SHARED`` numbers change with every sample; the rest only where something is missing or just beginning.
class OrientationState(Record):
    """What is known of one sensor. Counts and yes (1) or no (0) of it are floats too."""

    turn: Annotated[Floats, 4]  # sensor to the frame the gyroscope alone keeps
    tilt: Annotated[Floats, 4]  # from there to an upright one, heading free
    bias: Annotated[Floats, 9]  # rad/s: x y z; its covariance: xx xy xz yy yz zz
    slow_1: Annotated[Floats, SLOW]  # memories of the filters; while averaging the sums
    slow_2: Annotated[Floats, SLOW]
    quick_1: Annotated[Floats, QUICK]
    quick_2: Annotated[Floats, QUICK]
    rest_s: float
    rest: float
    tilt_var: float  # rad^2
    heading_var: float
    shake: float  # rad^2: how far the specific force is off gravity, lately
    repeats: Annotated[Floats, 7]  # of acc x, y, z, gyr x, y, z, and of all of mag
    raw: Annotated[Floats, 9]  # newest values as they came
    # With a magnetometer
    heading: Annotated[Floats, 2]  # half the angle from upright to north: cosine and sine
    field_1: Annotated[Floats, 2]
    field_2: Annotated[Floats, 2]
    field: Annotated[Floats, 7]  # norm and dip: reference, candidate; s: candidate, undisturbed; disturbed
    reject_s: float
    usual: Vector  # the field lately: norm, dip and, rad, how far its heading is off ours
    # Said anew with every sample, whatever it was before
    upright: Annotated[Floats, 4]  # ``turn`` and ``tilt``
    calm: Vector  # rad/s: smoothed angular rate
    gravity: Vector  # m/s^2: smoothed specific force in the frame the gyroscope keeps
    acc: Vector  # newest good one in that frame
    gyr: Vector  # newest good one
    # What is looked at to find the sensors that go side by side
    fit: float  # past its beginning, and nothing is missing
    kind: float  # sampling interval; below 0 with a magnetometer
    index: int  # newest sample
    past_n: int  # angular rates kept so far, those of bridged gaps among them
    acc_known: float
    # Beginning, and what is missing
    started: float
    level_n: float  # samples averaged so far by the first three slow channels (gravity); -1: the filter runs
    slow_n: float  # the same of the others
    quick_gyr_n: float
    quick_acc_n: float
    field_n: float
    start_gain: float  # of the heading: 1, 1/2, 1/3 ... at first
    open_gain: float  # the same after something was missing
    lost: float  # the orientation was lost: field and heading wait until gravity is found again
    run: float  # good angular rates in a row, up to 2
    held: int  # samples since the newest good angular rate
    before_gap: Annotated[Floats, 4]  # ``turn`` before the newest gap
    gap_steps: int  # samples from its last good one to its next; 0: nothing to do over
    gap_seen: int  # rates seen since
    gap_var: float  # rad^2: of the angle over it
    covariance: Annotated[Floats, LAGS]  # (rad/s)^2 by lag, the three axes together, when the newest gap ended
    recovering: float  # gravity is averaged anew because something was missing
    weave_left: float
    weave_var: float  # rad^2
    field_means: Annotated[Floats, 15]  # of the field, of the field in the earth frame, and of the rotation matrix
    field_looks: float
    iron: Vector  # field that turns with the sensor
    place: Vector  # field of the earth and of what stands around, in the earth frame
    place_known: float  # 1 from the moment something is missing until it was found again
    found: Vector  # mean of the latter since, in the gyroscope's frame
    found_n: float
    weave_field: Vector  # the field before the gap in the gyroscope's frame
    field_known: float  # the newest sample had a field


STATE: Final = OrientationState.layout()


def place(name: str) -> int:
    """Return where a field of the state begins, in numbers."""
    return int(STATE.fields[name][1]) // 8 if STATE.fields else 0


READ: Final = place("upright")  # numbers that the next sample needs
SHARED: Final = place("fit")
