"""A ward of walking people with DOTs on their legs, a Shimmer at the back and a heart-rate strap; some on the wrists.

Beds take turns in what is worn: feet and back as most do, both whole legs and back for joint angles, shanks alone. Who
has sensors on the shanks alone may practise in an exoskeleton of hips and knees, with the open exoskeleton frame. Who
wears DOTs on both wrists works with the hands between two walks, and uses one arm less than the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from simulators.body.arms import ArmHabit, ArmsBody
from simulators.body.body import HEIGHT_M, WalkingBody
from simulators.body.exoskeleton import WornExoskeleton
from simulators.body.heart import Heart
from simulators.body.programme import Stand, there_and_back
from simulators.devices.exo_frame import ExoFrame
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot
from simulators.devices.shimmer3 import Shimmer3
from simulators.faults import Fault
from simulators.motion.source import MotionSource
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from simulators.radio.addresses import dot_address, strap_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from simulators.sensing.clock import Clock
from simulators.sensing.loss import Channel

DOT_RATE_HZ = 60.0  # the most that a DOT streams
SHIMMER_RATE_HZ = 51.2  # as Shimmers are shipped
MOST_BEDS = 99


class Outfit(NamedTuple):
    """Where a person wears sensors, beside the strap on the chest."""

    dots: tuple[str, ...]
    back: bool = True


OUTFITS = (
    Outfit(("left_foot", "right_foot")),
    Outfit(("left_foot", "right_foot", "left_shank", "right_shank", "left_thigh", "right_thigh")),
    Outfit(("left_shank", "right_shank"), back=False),
)
"""Of the first bed, the second and the third; then they begin again."""

WRISTS = ("left_wrist", "right_wrist")
WORKS_S = 60.0
"""Of hand work after each way there and back."""
ARM_SHARE, ARM_SWING_DEG = (0.3, 0.7), 18.0
"""How far an affected arm moves of what the other one does, working or walking; and how far that one swings."""

SLOWEST_MPS, FASTEST_MPS = 0.7, 1.3  # of patients who practise walking
MOST_ASYMMETRY = 1.15  # left step time over right
LONGEST_ON_S = 3600.0  # how long a sensor has been on when the scene begins
DRIFT_PPM = 20.0  # standard deviation over units; crystals are sold as within 50
WANDER_PPM = 1.0
LOSS = Channel(loss=0.01)  # a good day on the ward; recordings show up to a fifth


def ward(
    *,
    beds: int,
    ports: Path,
    seed: int = 0,
    speed: float = 1.0,
    faults: Sequence[Fault] = (),
    exoskeletons: int = 0,
    wrists: int = 0,
) -> Scene:
    """Return a ward, not started; the same for the same seed.

    Args:
        beds: Number of beds, 1 to 99.
        ports: Folder for the serial ports.
        seed: Who the people are and how their sensors are imperfect.
        speed: Simulated seconds in a real one.
        faults: What goes wrong.
        exoskeletons: How many of those with sensors on the shanks alone wear an exoskeleton too.
        wrists: How many wear DOTs on both wrists too, from the first bed on.

    Raises:
        ValueError: if there are too many beds, exoskeletons or wrists, or a fault names a device that is not there.
    """
    if not 1 <= beds <= MOST_BEDS:
        raise ValueError(f"a ward has 1 to {MOST_BEDS} beds, not {beds}")
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    able = [number for number in range(1, beds + 1) if not _outfit(number).back]
    if not 0 <= exoskeletons <= len(able):
        raise ValueError(f"of {beds} beds up to {len(able)} may wear an exoskeleton, not {exoskeletons}")
    if not 0 <= wrists <= beds:
        raise ValueError(f"of {beds} beds up to {beds} may wear sensors on the wrists, not {wrists}")
    helped = able[:exoskeletons]
    people = [_Person(number, seed, helped=number in helped, wrists=number <= wrists) for number in range(1, beds + 1)]
    scene = Scene(hub, timeline, [person.bed(hub, timeline, ports) for person in people], faults)
    scene.check()
    return scene


def _outfit(number: int) -> Outfit:
    return OUTFITS[(number - 1) % len(OUTFITS)]


class _Person:
    """Who lies in a bed and walks the corridor; all drawn once from the seed."""

    def __init__(self, number: int, seed: int, *, helped: bool = False, wrists: bool = False) -> None:
        self._number = number
        self._helped, self._wrists = helped, wrists
        self._random = random = np.random.default_rng([seed, number])
        programme = there_and_back(
            speed_mps=random.uniform(SLOWEST_MPS, FASTEST_MPS), asymmetry=random.uniform(1.0, MOST_ASYMMETRY)
        )
        height_m = float(np.clip(random.normal(HEIGHT_M, 0.09), 1.5, 2.0))
        self._affected: Literal["", "left", "right"] = ""
        self._body = WalkingBody(self._draw(), height_m=height_m, programme=programme, repeat=True)
        if wrists:  # drawn by itself: who wears none is the same person as in a ward without
            arms = np.random.default_rng([seed, number, 0xA2])
            self._affected = "left" if arms.random() < 0.5 else "right"
            habit = _habit(self._affected, float(arms.uniform(*ARM_SHARE)))
            self._body = ArmsBody(
                self._body.seed, habit, height_m=height_m, programme=(*programme, Stand(duration_s=WORKS_S)),
                repeat=True,
            )  # fmt: skip
        self._figure = self._body.figure()

    def bed(self, hub: Hub, timeline: Timeline, ports: Path) -> Bed:
        """Return the bed with the person's devices."""
        number, name = self._number, f"bed-{self._number}"
        outfit = _outfit(number)
        placed = []
        for at, placement in enumerate((*outfit.dots, *(WRISTS if self._wrists else ()))):
            address, device = dot_address(number, at), f"{name}-{placement.replace('_', '-')}"
            source = self._sensor(placement, DOT_RATE_HZ)
            dot = MovellaDot(name=device, timeline=timeline, hub=hub, address=address, source=source)
            placed.append(PlacedDevice(dot, "movella_dot", placement, address=address))
        if outfit.back:
            port, source = ports / f"{name}-lower-back", self._sensor("lower_back", SHIMMER_RATE_HZ)
            back = Shimmer3(name=f"{name}-lower-back", timeline=timeline, path=port, source=source)
            placed.append(PlacedDevice(back, "shimmer3", "lower_back", port=port))
        heart, address = Heart(self._draw(), effort=self._body.walks()), strap_address(number)
        strap = HeartRateStrap(name=f"{name}-chest", timeline=timeline, hub=hub, address=address, source=heart)
        placed.append(PlacedDevice(strap, "heart_rate", "chest", address=address))
        if self._helped:
            placed.append(self._exoskeleton(f"{name}-exoskeleton", timeline, ports))
        wearer = Wearer()
        for each in placed:
            each.device.wearer = wearer
        return Bed(name, f"Bed {number}", f"sim-{number:03d}", placed, round(self._body.height_m, 2), self._affected)

    def _exoskeleton(self, name: str, timeline: Timeline, ports: Path) -> PlacedDevice:
        source = WornExoskeleton(self._figure, joints=("hip", "knee"), clock=self._clock(), seed=self._draw())
        port = ports / name
        device = ExoFrame(name=name, timeline=timeline, path=port, source=source, serial=1000 + self._number)
        return PlacedDevice(device, "exo_frame", "exoskeleton", port=port)

    def _sensor(self, placement: str, rate_hz: float) -> MotionSource:
        clock = self._clock()
        return self._body.sensor(
            placement, rate_hz=rate_hz, clock=clock, channel=LOSS, seed=self._draw(), figure=self._figure
        )

    def _clock(self) -> Clock:
        return Clock(
            self._draw(),
            offset_s=self._random.uniform(0.0, LONGEST_ON_S),
            drift_ppm=self._random.normal(0.0, DRIFT_PPM),
            wander_ppm=WANDER_PPM,
        )

    def _draw(self) -> int:
        return int(self._random.integers(2**31))


def _habit(affected: Literal["left", "right"], share: float) -> ArmHabit:
    """Return how somebody uses both arms whose affected one does so much of what the other one does."""
    left, right = (ARM_SWING_DEG * (share if side == affected else 1.0) for side in ("left", "right"))
    return ArmHabit(affected, share, (left, right))
