"""What the orientation kernel is told and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

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

PARAMS: Final = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("rate_hz", "f8"),
        ("has_mag", "i8"),
        # Low-pass filters: b0 (b1 is twice, b2 once as much), a1, a2, and the seconds averaged at their start
        ("slow", "f8", (3,)),
        ("slow_s", "f8"),
        ("slow_share", "f8"),  # of one sample in that time
        ("quick", "f8", (3,)),
        ("quick_s", "f8"),
        ("field", "f8", (3,)),
        ("field_s", "f8"),
        # Rest
        ("rest_gyr", "f8"),  # (rad/s)^2
        ("rest_acc", "f8"),  # (m/s^2)^2
        ("rest_s", "f8"),
        # Gyroscope bias; variances in (0.01 deg/s)^2
        ("bias_start", "f8"),
        ("bias_drift", "f8"),  # a sample
        ("bias_motion", "f8"),
        ("bias_vertical", "f8"),
        ("bias_rest", "f8"),
        ("bias_clip", "f8"),  # rad/s
        # Magnetometer
        ("mag_gain", "f8"),  # a sample
        ("mag_s", "f8"),
        ("ref_gain", "f8"),
        ("norm_band", "f8"),  # share of the norm
        ("dip_band", "f8"),  # rad
        ("new_s", "f8"),
        ("new_first_s", "f8"),
        ("new_gyr", "f8"),  # (rad/s)^2
        ("undisturbed_s", "f8"),
        ("reject_s", "f8"),
        ("reject_factor", "f8"),
        # What is missing
        ("bridge", "i8"),  # lost samples in a row that are interpolated
        ("frozen", "i8"),  # repeats of the same value that no living channel shows
        ("frozen_gyr", "i8"),  # the same of an angular rate in motion
        ("weave", "i8"),  # samples after a gap in which the field before and after are laid on each other
        ("weave_noise", "f8"),  # rad^2 a sample: of that field's direction
        ("mag_noise", "f8"),  # rad^2 a sample: of the heading in the field
        ("mag_worth", "f8"),  # rad^2: a heading better than this is not improved by looking at the field in haste
        ("acc_span", "f8"),  # samples in which one disturbance of gravity by movement lasts
        ("shake_gain", "f8"),  # a sample
        ("usual_gain", "f8"),  # a sample
        ("look_gain", "f8"),  # a look at the field
        ("open_least", "f8"),  # a sample: of the heading as long as gravity is averaged anew
        ("find", "f8"),  # samples of gravity that make an upright frame again after a loss
        ("drift", "f8"),  # rad^2 a sample: of the angle without correction
    ]
)

# All of a sensor's state is float64, so that rows of it are rows of a plain matrix; counts and yes (1) or no (0) too.
# The first ``SHARED`` numbers change with every sample; the rest only where something is missing or just beginning.
STATE: Final = np.dtype(
    [
        ("turn", "f8", (4,)),  # sensor to the frame the gyroscope alone keeps
        ("tilt", "f8", (4,)),  # from there to an upright one, heading free
        ("bias", "f8", (9,)),  # rad/s: x y z; its covariance: xx xy xz yy yz zz
        ("slow_1", "f8", (SLOW,)),  # memories of the filters; while averaging the sums
        ("slow_2", "f8", (SLOW,)),
        ("quick_1", "f8", (QUICK,)),
        ("quick_2", "f8", (QUICK,)),
        ("rest_s", "f8"),
        ("rest", "f8"),
        ("tilt_var", "f8"),  # rad^2
        ("heading_var", "f8"),
        ("shake", "f8"),  # rad^2: how far the specific force is off gravity, lately
        ("repeats", "f8", (7,)),  # of acc x, y, z, gyr x, y, z, and of all of mag
        ("raw", "f8", (9,)),  # newest values as they came
        # With a magnetometer
        ("heading", "f8", (2,)),  # half the angle from upright to north: cosine and sine
        ("field_1", "f8", (2,)),
        ("field_2", "f8", (2,)),
        ("field", "f8", (7,)),  # norm and dip: reference, candidate; s: candidate, undisturbed; disturbed
        ("reject_s", "f8"),
        ("usual", "f8", (3,)),  # the field lately: norm, dip and, rad, how far its heading is off ours
        # Said anew with every sample, whatever it was before
        ("upright", "f8", (4,)),  # ``turn`` and ``tilt``
        ("calm", "f8", (3,)),  # rad/s: smoothed angular rate
        ("gravity", "f8", (3,)),  # m/s^2: smoothed specific force in the frame the gyroscope keeps
        ("acc", "f8", (3,)),  # newest good one in that frame
        ("gyr", "f8", (3,)),  # newest good one
        # What is looked at to find the sensors that go side by side
        ("fit", "f8"),  # past its beginning, and nothing is missing
        ("kind", "f8"),  # sampling interval; below 0 with a magnetometer
        ("index", "i8"),  # newest sample
        ("past_n", "i8"),  # angular rates kept so far, those of bridged gaps among them
        ("acc_known", "f8"),
        # Beginning, and what is missing
        ("started", "f8"),
        ("level_n", "f8"),  # samples averaged so far by the first three slow channels (gravity); -1: the filter runs
        ("slow_n", "f8"),  # the same of the others
        ("quick_gyr_n", "f8"),
        ("quick_acc_n", "f8"),
        ("field_n", "f8"),
        ("start_gain", "f8"),  # of the heading: 1, 1/2, 1/3 ... at first
        ("open_gain", "f8"),  # the same after something was missing
        ("lost", "f8"),  # the orientation was lost: field and heading wait until gravity is found again
        ("run", "f8"),  # good angular rates in a row, up to 2
        ("held", "i8"),  # samples since the newest good angular rate
        ("before_gap", "f8", (4,)),  # ``turn`` before the newest gap
        ("gap_steps", "i8"),  # samples from its last good one to its next; 0: nothing to do over
        ("gap_seen", "i8"),  # rates seen since
        ("gap_var", "f8"),  # rad^2: of the angle over it
        ("covariance", "f8", (LAGS,)),  # (rad/s)^2 by lag, the three axes together, when the newest gap ended
        ("recovering", "f8"),  # gravity is averaged anew because something was missing
        ("weave_left", "f8"),
        ("weave_var", "f8"),  # rad^2
        ("field_means", "f8", (15,)),  # of the field, of the field in the earth frame, and of the rotation matrix
        ("field_looks", "f8"),
        ("iron", "f8", (3,)),  # field that turns with the sensor
        ("place", "f8", (3,)),  # field of the earth and of what stands around, in the earth frame
        ("place_known", "f8"),  # 1 from the moment something is missing until it was found again
        ("found", "f8", (3,)),  # mean of the latter since, in the gyroscope's frame
        ("found_n", "f8"),
        ("weave_field", "f8", (3,)),  # the field before the gap in the gyroscope's frame
        ("field_known", "f8"),  # the newest sample had a field
    ]
)


def place(name: str) -> int:
    """Return where a field of the state begins, in numbers."""
    return int(STATE.fields[name][1]) // 8 if STATE.fields else 0


READ: Final = place("upright")  # numbers that the next sample needs
SHARED: Final = place("fit")
