"""The metrics of walking: contacts with the ground, pace, strides, joints, symmetry, variability and turns."""
# ruff: noqa: RUF001 - people read the descriptions: they have real multiplication and minus signs

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import LOINC, MDC, SNOMED, Code, Metric
from dsp.result import Side

EACH_FOOT: Final[tuple[Side, ...]] = ("left", "right")
ANY_FOOT: Final[tuple[Side, ...]] = ("left", "right", "both", "none")
BODY: Final[tuple[Side, ...]] = ("both",)

# What the metrics of a group share; each metric below states the rest.
_event = partial(Metric, unit="1", unit_text="", kind="event", sides=EACH_FOOT, group="events", digits=0)
_pace = partial(Metric, kind="window", sides=BODY, group="pace", digits=0)
_timing = partial(Metric, unit="s", unit_text="s", kind="stride", sides=ANY_FOOT, group="timing", digits=2)
_support = partial(Metric, unit="%", unit_text="%", kind="stride", sides=EACH_FOOT, group="support", digits=0)
_space = partial(Metric, unit="m", unit_text="m", kind="stride", sides=EACH_FOOT, group="space", digits=0)
_joint = partial(Metric, unit="deg", unit_text="°", kind="stride", sides=EACH_FOOT, group="joints", digits=0)
_symmetry = partial(Metric, unit="1", unit_text="", kind="window", sides=BODY, group="symmetry", digits=2)
_variability = partial(Metric, unit="1", unit_text="", kind="window", sides=BODY, group="variability", digits=2)
_smoothness = partial(Metric, unit="1", unit_text="", kind="stride", sides=EACH_FOOT, group="variability", digits=2)
_turn = partial(Metric, unit="deg", unit_text="°", kind="window", sides=EACH_FOOT, group="turns", digits=0)

GAIT: Final[tuple[Metric, ...]] = (
    _event(
        "initial_contact",
        "Initial contact",
        sides=ANY_FOOT,
        description="A foot touches the ground. The value is always 1: the instant is what it says.",
    ),
    _event(
        "final_contact",
        "Final contact",
        description="A foot leaves the ground. The value is always 1: the instant is what it says.",
    ),
    _event(
        "foot_flat",
        "Foot flat",
        description="The foot rests flat in mid-stance. The value is always 1: the instant is what it says.",
    ),
    _event(
        "walking_bout",
        "Walking bout",
        unit="s",
        unit_text="s",
        kind="window",
        sides=BODY,
        digits=1,
        low=0.0,
        description="Duration of one uninterrupted walk, from its first to its last contact with the ground.",
    ),
    _pace(
        "cadence",
        "Cadence",
        unit="{steps}/min",
        unit_text="steps/min",
        codes=(Code(MDC, "8454255"),),
        low=40.0,
        high=172.9,
        exo_low=5.0,
        description="60 × steps / (last − first initial contact of both feet).",
    ),
    _pace(
        "walking_speed",
        "Walking speed",
        unit="m/s",
        unit_text="m/s",
        sides=ANY_FOOT,
        digits=2,
        codes=(Code(SNOMED, "724237005"), Code(MDC, "8454254")),
        low=0.0815,
        high=2.22,
        exo_low=0.01,
        description="Stride length / stride time, or the distance of a bout over its time.",
    ),
    _pace(
        "n_steps",
        "Steps",
        unit="1",
        unit_text="steps",
        kind="count",
        sides=ANY_FOOT,
        codes=(Code(LOINC, "55423-8"),),
        low=0.0,
        description="Number of initial contacts in the window. A day is the sum; a walk that feet and lower back saw"
        " counts once.",
    ),
    _pace(
        "walking_time",
        "Walking time",
        unit="s",
        unit_text="s",
        codes=(Code(MDC, "8454269"),),
        low=0.0,
        adds_up=True,
        description="Sum of the durations of the walking bouts in the window: told with each bout. A day is the sum; a"
        " walk that feet and lower back saw counts once.",
    ),
    _timing(
        "stride_time",
        "Stride time",
        low=0.46,
        high=3.0,
        exo_high=8.0,
        description="Initial contact to the next initial contact of the same foot.",
    ),
    _timing(
        "step_time",
        "Step time",
        low=0.14,
        high=2.124,
        exo_high=7.0,
        description="Initial contact of the other foot to the following initial contact of this foot.",
    ),
    _timing(
        "stance_time",
        "Stance time",
        sides=EACH_FOOT,
        low=0.2,
        high=2.7,
        exo_high=7.7,
        description="Initial contact to the following final contact of the same foot.",
    ),
    _timing(
        "swing_time",
        "Swing time",
        sides=EACH_FOOT,
        low=0.14,
        high=1.5,
        exo_high=4.0,
        description="Final contact to the following initial contact of the same foot.",
    ),
    _support(
        "stance_pct", "Stance", low=35.0, high=90.0, exo_high=97.0, description="100 × stance time / stride time."
    ),
    _support("swing_pct", "Swing", low=10.0, high=65.0, exo_low=3.0, description="100 × swing time / stride time."),
    _support(
        "double_support_pct",
        "Double support",
        sides=ANY_FOOT,
        low=0.0,
        high=80.0,
        exo_high=95.0,
        description=(
            "100 × (initial + terminal double support) / stride time. Initial: final contact of the other foot "
            "− initial contact of this one; terminal: final contact of this foot − initial contact of the "
            "other."
        ),
    ),
    _support(
        "single_support_pct",
        "Single support",
        low=10.0,
        high=65.0,
        exo_low=3.0,
        description="100 × swing time of the other foot / stride time.",
    ),
    _space(
        "stride_length",
        "Stride length",
        sides=ANY_FOOT,
        digits=2,
        codes=(Code(MDC, "8454261"),),
        low=0.1505,
        high=2.19,
        exo_low=0.05,
        description=(
            "Horizontal displacement of a foot from one foot-flat to the next (zero-velocity updates); from the "
            "lower back twice the step length 2√(2lh − h²) of an inverted pendulum (Zijlstra & Hof 2003), less in a "
            "turn."
        ),
    ),
    _space(
        "foot_clearance",
        "Foot clearance",
        digits=3,
        low=0.0,
        high=0.6,
        description="Greatest height of the sensor above its height at foot-flat during swing.",
    ),
    _space(
        "foot_strike_angle",
        "Foot strike angle",
        unit="deg",
        unit_text="°",
        low=-60.0,
        high=60.0,
        description="Pitch of the foot at initial contact against foot-flat; toes up is positive.",
    ),
    _space(
        "toe_off_angle",
        "Toe-off angle",
        unit="deg",
        unit_text="°",
        low=-110.0,
        high=30.0,
        description="Pitch of the foot at final contact against foot-flat; toes up is positive.",
    ),
    _joint(
        "hip_flexion_angle",
        "Hip flexion at contact",
        low=-60.0,
        high=120.0,
        description=(
            "Sagittal angle of the thigh against the lower back at initial contact; flexion is positive, standing "
            "is 0 (Grood & Suntay 1983)."
        ),
    ),
    _joint(
        "hip_rom",
        "Hip range of motion",
        low=0.0,
        high=120.0,
        description="Greatest − least hip flexion in a stride.",
    ),
    _joint(
        "knee_flexion_angle",
        "Knee flexion at contact",
        low=-30.0,
        high=120.0,
        description=(
            "Sagittal angle of the shank against the thigh at initial contact; flexion is positive, standing is 0 "
            "(Grood & Suntay 1983)."
        ),
    ),
    _joint(
        "knee_rom",
        "Knee range of motion",
        low=0.0,
        high=150.0,
        description="Greatest − least knee flexion in a stride.",
    ),
    _joint(
        "knee_peak_swing",
        "Peak knee flexion in swing",
        low=-30.0,
        high=150.0,
        description="Greatest knee flexion between final contact and the following initial contact.",
    ),
    _joint(
        "ankle_dorsiflexion_angle",
        "Ankle dorsiflexion at contact",
        low=-70.0,
        high=60.0,
        description=(
            "Sagittal angle of the foot against the shank at initial contact; dorsiflexion is positive, standing "
            "is 0 (Grood & Suntay 1983)."
        ),
    ),
    _joint(
        "ankle_rom",
        "Ankle range of motion",
        low=0.0,
        high=110.0,
        description="Greatest − least ankle dorsiflexion in a stride.",
    ),
    _symmetry(
        "symmetry_index",
        "Step time symmetry index",
        unit="%",
        unit_text="%",
        digits=1,
        low=-200.0,
        high=200.0,
        description=(
            "100 × (R − L) / (½ (R + L)) of the mean step times R and L; 0 is symmetric, positive when steps of "
            "the right foot take longer (Robinson 1987)."
        ),
    ),
    _symmetry(
        "symmetry_ratio",
        "Step time symmetry ratio",
        low=1.0,
        high=15.0,
        description="Longer / shorter of the mean step times of the two sides; 1 is symmetric (Patterson 2010).",
    ),
    _symmetry(
        "pci",
        "Phase coordination index",
        unit="%",
        unit_text="%",
        digits=1,
        low=0.0,
        high=200.0,
        description=(
            "CV(φ) + 100 × mean |φ − 180°| / 180°, φ = 360° × step time / stride time, step time counted to the "
            "foot of the longer mean swing (Plotnik 2007)."
        ),
    ),
    _symmetry(
        "harmonic_ratio_v",
        "Harmonic ratio, vertical",
        low=0.0,
        high=20.0,
        description=(
            "Sum of even / sum of odd amplitudes of the first 20 stride harmonics of vertical acceleration, "
            "mean of the strides: likeness of the two steps of a stride (Bellanca 2013)."
        ),
    ),
    _symmetry(
        "harmonic_ratio_ap",
        "Harmonic ratio, forward",
        low=0.0,
        high=20.0,
        description="As the vertical harmonic ratio, of forward acceleration (Bellanca 2013).",
    ),
    _symmetry(
        "harmonic_ratio_ml",
        "Harmonic ratio, sideways",
        low=0.0,
        high=20.0,
        description="Sum of odd / sum of even amplitudes of sideways acceleration (Bellanca 2013).",
    ),
    _variability(
        "stride_time_cv",
        "Stride time variability",
        unit="%",
        unit_text="%",
        sides=ANY_FOOT,
        digits=1,
        low=0.0,
        high=100.0,
        description="100 × SD / mean of stride time; below 30 strides it is degraded.",
    ),
    _variability(
        "step_regularity",
        "Step regularity",
        low=-1.0,
        high=1.0,
        description=(
            "Unbiased autocorrelation of vertical acceleration one mean step apart (Moe-Nilssen & Helbostad 2004)."
        ),
    ),
    _variability(
        "stride_regularity",
        "Stride regularity",
        low=-1.0,
        high=1.0,
        description=(
            "Unbiased autocorrelation of vertical acceleration one mean stride apart (Moe-Nilssen & Helbostad 2004)."
        ),
    ),
    _smoothness(
        "stride_sparc",
        "Stride, smoothness (SPARC)",
        high=0.0,
        description=(
            "Spectral arc length of the angular speed of the foot, else the shank, from initial contact to initial"
            " contact: nearer to 0 is smoother (Balasubramanian 2015). Not comparable between placements, nor with that"
            " of a rise or a repetition."
        ),
    ),
    _smoothness(
        "stride_ldlj",
        "Stride, smoothness (LDLJ)",
        description=(
            "Log dimensionless jerk of the acceleration of the foot, its mean taken off: nearer to 0 is smoother."
            " Depends on the sampling rate and on the noise of the sensor (Melendez-Calderon 2021)."
        ),
    ),
    _turn(
        "stride_turn",
        "Turn of the foot in a stride",
        kind="stride",
        low=-270.0,
        high=270.0,
        description="Change of the foot's heading from foot-flat to foot-flat; to the left positive. Strides that turn"
        " by more than 20° are left out of symmetry and variability.",
    ),
    _turn(
        "turn_angle",
        "Turn angle",
        low=0.0,
        high=1080.0,
        description="Integral of the yaw rate over the turn; the side is the direction turned to (El-Gohary 2014).",
    ),
    _turn(
        "turn_duration",
        "Turn duration",
        unit="s",
        unit_text="s",
        digits=1,
        low=0.5,
        high=10.0,
        exo_high=30.0,
        description="Time for which the low-passed yaw rate stays above 5 °/s around a peak above 15 °/s.",
    ),
)
