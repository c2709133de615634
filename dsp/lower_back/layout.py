"""What the lower-back kernel is given, keeps and reports: rows of plain arrays.

Times of the parameters are in samples of the sensor's own rate, so that the loop never divides by it.
"""

from __future__ import annotations

from typing import Annotated, Final

from dsp.gait.rhythm import HARMONICS
from dsp.record import Floats, Record, Vector

INITIAL_CONTACT, BOUT, TURN, RHYTHM, GAP = 0, 1, 2, 3, 4

RING = 2048  # samples to look back into: 9.8 s at 208 Hz, eight slow steps; a power of two
MAX_HALF = 70  # half-width of the smoothing window: 0.33 s at 208 Hz takes 69
QUEUE = 16  # newest steps, waiting or reported
BLOCK_STEPS = 8  # steps from which regularity is computed: four strides
BLOCK_STRIDES = BLOCK_STEPS // 2


class LowerBackEvent(Record):
    """A step, bout, turn, block of steps or gap."""

    sensor: int
    kind: int  # INITIAL_CONTACT, BOUT, TURN, RHYTHM or GAP
    index: float  # instant or end on the device's sample counter; of a gap the last sample before it
    start: float  # where a bout, turn or block began; equal to index for instants
    detected_index: int  # newest sample when it was detected; of a gap the first sample after it
    confidence: float  # 0 to 1
    side: int  # of a contact: 1 left, -1 right, 0 not known; of a turn the direction
    steps: int  # steps that went in
    cadence_spm: float  # of a bout, steps a minute without its pauses
    step_length_m: float  # of a contact: of the step that it ends; of a bout: mean; NaN if not known
    speed_mps: float
    angle_rad: float  # of a turn, unsigned
    step_regularity: float
    stride_regularity: float
    harmonic_ratio: Vector  # vertical, forwards, sideways


EVENT: Final = LowerBackEvent.layout()


class LowerBackKernelParams(Record):
    """What counts as a step, a walk and a turn, at the rate of one sensor."""

    dt: float  # s a sample
    leg: float  # m, NaN if not known
    half: int  # samples on each side of the smoothing window
    slope: Annotated[Floats, MAX_HALF + 1]  # derivative of a Gaussian, one side
    smooth: Annotated[Floats, MAX_HALF + 1]  # the Gaussian, one side
    bridge: int  # lost samples in a row that are interpolated
    vertical_memory: float  # time constant of the vertical
    lead: float  # contact after the steepest rise of the smoothed force
    shortest: float  # shortest step
    pause: float  # longest step
    floor: float  # m/s^3: weakest rise of a step
    turn_floor: float  # m/s^3: the same of a step of a turn
    faint: float  # m/s^3: weakest rise of the step that closes the feet
    firm: float  # m/s^3: typical rise below which it is no walk
    turn_edge: float  # rad/s
    turn_peak: float  # rad/s
    turn_least: float  # rad
    turn_short: float
    turn_long: float


PARAMS: Final = LowerBackKernelParams.layout()


class LowerBackKernelState(Record):
    """The newest samples, steps and turns of one walker."""

    sensor: int
    started: int
    index: int  # newest good sample
    newest: int  # sample that is being taken in: what comes out now was decided by it
    centre: int  # sample that the filters are at
    first: int  # first sample since the start or the last gap
    sample: Annotated[Floats, 6]  # newest good acceleration and angular rate, to bridge from
    gravity: Vector  # upwards in the sensor frame, in g
    seen: float  # samples that went into it
    up: Annotated[Floats, RING]  # upward acceleration, m/s^2
    yaw: Annotated[Floats, RING]  # angular rate about the vertical, rad/s
    axis: int  # the sensor axis whose horizontal part is the first of two horizontal axes
    level: Annotated[Floats, 2, RING]  # acceleration along these, m/s^2
    rises: int  # filter outputs so far, up to 2
    rise: Annotated[Floats, 2]  # the last two rises, m/s^3
    sway: float  # smoothed yaw rate at the newer of them
    queue: int  # steps in the queue
    reported: int  # of those reported already
    walking: int
    beat: int  # how the steps of the walk follow each other: UNKNOWN while there is none
    second: int  # of two rises to a step: 1 when the newest step has seen both
    at: Annotated[Floats, QUEUE]
    force: Annotated[Floats, QUEUE]
    pelvis: Annotated[Floats, QUEUE]
    scratch: Annotated[Floats, 3, QUEUE]
    closing_at: float
    closing_force: float
    phase: float  # evidence that the newest reported step was a left one; alternates in sign
    bout_start: float
    bout_end: float
    bout_steps: int
    even_steps: int  # without pauses
    even_time: float
    lengths: int  # steps whose length is known
    length_sum: float
    length_time: float
    run: int  # regular steps in a row since the last block
    turn_from: float
    turn_sign: float
    turn_sum: float
    turn_top: float
    spectra: Annotated[Floats, BLOCK_STRIDES, HARMONICS, 6]


STATE: Final = LowerBackKernelState.layout()
