"""What the lower-back kernel reads, remembers and says: the layouts of its plain arrays.

Times of the parameters are in samples of the sensor's own rate, so that the loop never divides by it.
"""

from __future__ import annotations

import numpy as np

from dsp.gait.rhythm import HARMONICS

INITIAL_CONTACT, BOUT, TURN, RHYTHM, GAP = 0, 1, 2, 3, 4

RING = 2048  # samples to look back into: 9.8 s at 208 Hz, eight slow steps; a power of two
MAX_HALF = 70  # half-width of the smoothing window: 0.33 s at 208 Hz takes 69
QUEUE = 16  # newest steps, waiting or told
BLOCK_STEPS = 8  # steps from which regularity is computed: four strides
BLOCK_STRIDES = BLOCK_STEPS // 2

EVENT = np.dtype(
    [
        ("sensor", "i8"),
        ("kind", "i8"),  # INITIAL_CONTACT, BOUT, TURN, RHYTHM or GAP
        ("index", "f8"),  # instant or end on the device's sample counter; of a gap the last sample before it
        ("start", "f8"),  # where a bout, turn or block began; equal to index for instants
        ("decided_index", "i8"),  # newest sample when it was decided; of a gap the first sample after it
        ("confidence", "f8"),  # 0 to 1
        ("side", "i8"),  # of a contact: 1 left, -1 right, 0 not known; of a turn the direction
        ("steps", "i8"),  # steps that went in
        ("cadence_spm", "f8"),  # of a bout, steps a minute without its pauses
        ("step_length_m", "f8"),  # of a contact: of the step that it ends; of a bout: mean; NaN if not known
        ("speed_mps", "f8"),
        ("angle_rad", "f8"),  # of a turn, unsigned
        ("step_regularity", "f8"),
        ("stride_regularity", "f8"),
        ("harmonic_ratio", "f8", (3,)),  # vertical, forwards, sideways
    ]
)

PARAMS = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("leg", "f8"),  # m, NaN if not known
        ("half", "i8"),  # samples on each side of the smoothing window
        ("slope", "f8", (MAX_HALF + 1,)),  # derivative of a Gaussian, one side
        ("smooth", "f8", (MAX_HALF + 1,)),  # the Gaussian, one side
        ("bridge", "i8"),  # lost samples in a row that are interpolated
        ("settle", "f8"),  # time constant of the vertical
        ("lead", "f8"),  # contact after the steepest rise of the smoothed force
        ("shortest", "f8"),  # shortest step
        ("pause", "f8"),  # longest step
        ("floor", "f8"),  # m/s^3: weakest rise of a step
        ("faint", "f8"),  # m/s^3: weakest rise of the step that closes the feet
        ("firm", "f8"),  # m/s^3: typical rise below which it is no walk
        ("turn_edge", "f8"),  # rad/s
        ("turn_peak", "f8"),  # rad/s
        ("turn_least", "f8"),  # rad
        ("turn_short", "f8"),
        ("turn_long", "f8"),
    ]
)

STATE = np.dtype(
    [
        ("sensor", "i8"),
        ("started", "i8"),
        ("index", "i8"),  # newest good sample
        ("newest", "i8"),  # sample that is being taken in: what comes out now was decided by it
        ("centre", "i8"),  # sample that the filters are at
        ("first", "i8"),  # first sample since the start or the last gap
        ("sample", "f8", (6,)),  # newest good acceleration and angular rate, to bridge from
        ("gravity", "f8", (3,)),  # upwards in the sensor frame, in g
        ("seen", "f8"),  # samples that went into it
        ("up", "f8", (RING,)),  # upward acceleration, m/s^2
        ("yaw", "f8", (RING,)),  # angular rate about the vertical, rad/s
        ("axis", "i8"),  # the sensor axis whose horizontal part is the first of two horizontal axes
        ("level", "f8", (2, RING)),  # acceleration along these, m/s^2
        ("rises", "i8"),  # filter outputs so far, up to 2
        ("rise", "f8", (2,)),  # the last two rises, m/s^3
        ("sway", "f8"),  # smoothed yaw rate at the newer of them
        ("queue", "i8"),  # steps in the queue
        ("told", "i8"),  # of those said already
        ("walking", "i8"),
        ("at", "f8", (QUEUE,)),
        ("force", "f8", (QUEUE,)),
        ("pelvis", "f8", (QUEUE,)),
        ("scratch", "f8", (2, QUEUE)),
        ("closing_at", "f8"),
        ("closing_force", "f8"),
        ("phase", "f8"),  # evidence that the newest told step was a left one; alternates in sign
        ("bout_start", "f8"),
        ("bout_end", "f8"),
        ("bout_steps", "i8"),
        ("even_steps", "i8"),  # without pauses
        ("even_time", "f8"),
        ("lengths", "i8"),  # steps whose length is known
        ("length_sum", "f8"),
        ("length_time", "f8"),
        ("run", "i8"),  # regular steps in a row since the last block
        ("turn_from", "f8"),
        ("turn_sign", "f8"),
        ("turn_sum", "f8"),
        ("turn_top", "f8"),
        ("spectra", "f8", (BLOCK_STRIDES, HARMONICS, 6)),
    ]
)
