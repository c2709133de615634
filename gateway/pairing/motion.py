"""Which of some devices is the one that somebody taps, or the leg or arm that somebody lifts: from their samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from drivers.packet import Samples

ACCELERATION = ("acc_x", "acc_y", "acc_z")
TURNING = ("gyr_x", "gyr_y", "gyr_z")
LEAST_TAP = 15.0  # m/s2 from one sample to the next: a step gives a foot as much, a hand that carries it a third
LEAST_TURN = 0.3  # rad/s, root mean square over the time: a leg that is lifted once within ten seconds gives 0.6
CLEARLY = 2.0  # times as much as the next one, or nobody is named
SIDES = ("left", "right")
ARM_PARTS = ("wrist",)

Limb = Literal["leg", "arm"]
LIMBS: tuple[Limb, ...] = get_args(Limb)


class Motion:
    """How one device has moved since it is watched.

    Attributes:
        samples: That were taken.
        jump: Largest change of the acceleration from one sample to the next, m/s2.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.jump = 0.0
        self._turned = 0.0
        self._turns = 0
        self._last: Samples | None = None

    @property
    def measures_turning(self) -> bool:
        """Whether anything that was taken tells how it turned."""
        return self._turns > 0

    @property
    def turn(self) -> float:
        """How fast it turned: root mean square of the angular velocity, rad/s."""
        return float(np.sqrt(self._turned / self._turns)) if self._turns else 0.0

    def add(self, channels: Sequence[str], samples: Samples) -> None:
        """Take samples (n, channels) in order; what measures no motion is passed over."""
        self.samples += len(samples)
        if turning := _columns(channels, samples, TURNING):
            whole = turning[0][np.isfinite(turning[0]).all(axis=1)]
            self._turned += float(np.sum(whole**2))
            self._turns += len(whole)
        if accelerations := _columns(channels, samples, ACCELERATION):
            found = accelerations[0] if self._last is None else np.vstack([self._last, accelerations[0]])
            self._last = found[-1:]
            steps = np.linalg.norm(np.diff(found, axis=0), axis=1)
            self.jump = max(self.jump, float(np.nanmax(steps, initial=0.0)))


def clearest(amounts: Mapping[str, float], least: float) -> str | None:
    """Return the one with by far the most, if it is enough; None where it is not clear."""
    ranked = sorted(amounts, key=amounts.__getitem__, reverse=True)
    if not ranked or amounts[ranked[0]] < least:
        return None
    if len(ranked) > 1 and amounts[ranked[0]] < CLEARLY * amounts[ranked[1]]:
        return None
    return ranked[0]


def side_of(placement: str) -> str | None:
    """Return ``"left"`` or ``"right"`` for a place on a leg, a foot or an arm of a named side; None for any other."""
    side = placement.partition("_")[0]
    return side if side in SIDES else None


def limb_of(placement: str) -> Limb | None:
    """Return which limb a place of a named side is on; None for any other place."""
    if side_of(placement) is None:
        return None
    return "arm" if placement.partition("_")[2] in ARM_PARTS else "leg"


def lifted_side(turns: Mapping[str, float], placements: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the side on which devices say that they are and that was lifted, and which of its devices turned most.

    Args:
        turns: How fast each device turned, rad/s, by its id.
        placements: Where each is said to be worn.
    """
    most: dict[str, str] = {}
    for device, turn in turns.items():
        side = side_of(placements[device])
        if side is not None and (side not in most or turn > turns[most[side]]):
            most[side] = device
    side = clearest({side: turns[device] for side, device in most.items()}, LEAST_TURN)
    return (side, most[side]) if side is not None else (None, None)


def not_with(side: str, turns: Mapping[str, float], placements: Mapping[str, str]) -> list[str]:
    """Return the devices that are said to be on a side and did not turn as a lifted limb does.

    A whole leg turns, from thigh to foot, and a whole arm: what is on it and stays still is on the other one, or on
    nobody. That another sensor of the side turned says nothing of these.

    Args:
        side: That was lifted.
        turns: How fast each device turned, rad/s, by its id.
        placements: Where each is said to be worn.
    """
    others = [turn for device, turn in turns.items() if side_of(placements[device]) not in (None, side)]
    least = max(LEAST_TURN, CLEARLY * max(others, default=0.0))
    return sorted(device for device in turns if side_of(placements[device]) == side and turns[device] < least)


def _columns(channels: Sequence[str], samples: Samples, wanted: Sequence[str]) -> list[Samples]:
    """Return the wanted columns in a list, which is empty where there are none such."""
    if not set(wanted) <= set(channels) or not len(samples):
        return []
    return [np.asarray(samples[:, [channels.index(name) for name in wanted]], np.float64)]
