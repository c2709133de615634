"""Where a script is played: activities take their turns, move the body's channels and say what they did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulators.body.programme import REST_S, Piece, Planner, Stand, Step
from simulators.clinic.figure import PatientFigure
from simulators.clinic.patient import Patient
from simulators.clinic.posture import Channels
from simulators.clinic.truth import Did, Posture


class Turn(NamedTuple):
    """When an activity has its turn.

    Attributes:
        start_s: When the body is its own: after the walk before, at rest.
        end_s: When the next one has it.
        steps: Those of the activity; of a walk that ends here the closing one too.
    """

    start_s: float
    end_s: float
    steps: tuple[Step, ...]


@dataclass
class Stage:
    """The body while a script is played, and what has been done so far.

    Attributes:
        patient: Who plays.
        channels: The body's postures.
        figure: The body's movement, as far as it has been played.
        random: For all that no patient does twice in the same way.
        posture: In which posture the body is.
        did: What has been done.
        postures: (start, end, posture).
        efforts: (start, end) of what makes the heart beat faster.
    """

    patient: Patient
    channels: Channels
    figure: PatientFigure
    random: np.random.Generator
    posture: Posture
    did: list[Did] = field(default_factory=list)
    postures: list[tuple[float, float, Posture]] = field(default_factory=list)
    efforts: list[tuple[float, float]] = field(default_factory=list)

    def note(self, what: str, start_s: float, end_s: float, **facts: float | str) -> Did:
        """Put down what was done."""
        self.did.append(Did(what, start_s, end_s, facts))
        return self.did[-1]

    def keep(self, posture: Posture, start_s: float, end_s: float) -> None:
        """Put down a posture: it lasts, if it is the same as before."""
        self.posture = posture
        if self.postures and self.postures[-1][2] == posture and start_s - self.postures[-1][1] < 1e-6:
            self.postures[-1] = (self.postures[-1][0], end_s, posture)
        elif end_s > start_s:
            self.postures.append((start_s, end_s, posture))

    def like(self, value: float, share: float = 0.06) -> float:
        """Return a figure as it comes out this time: nobody does anything twice in the same way."""
        return value * float(np.clip(1 + share * self.random.standard_normal(), 1 - 2 * share, 1 + 2 * share))

    def needs(self, *postures: Posture) -> None:
        """Refuse what cannot be done from the present posture; raises ValueError."""
        if self.posture not in postures:
            raise ValueError(f"this is done {' or '.join(postures)}, and the body is {self.posture}")


class Activity(ABC):
    """Something that a patient does."""

    @abstractmethod
    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme of walks that it takes; standing still where it is no walk."""

    @abstractmethod
    def play(self, stage: Stage, turn: Turn) -> None:
        """Move the body in the time of the turn, and put down what was done."""


def turns(script: Sequence[Activity], patient: Patient, planner: Planner) -> list[Turn]:
    """Return when each activity of a script has its turn.

    Args:
        script: The activities.
        patient: Who plays.
        planner: Of all their pieces in order; its steps are made here.
    """
    steps = list(planner.steps())
    found: list[Turn] = []
    now, walking, taken = 0.0, False, 0
    for activity in script:
        first, start = taken, now
        for piece in activity.pieces(patient):
            if isinstance(piece, Stand):
                if walking:
                    now, walking, taken = steps[taken].land_s + REST_S, False, taken + 1
                    if taken - 1 == first:  # the closing step belongs to the activity before, which walked
                        found[-1] = found[-1]._replace(steps=(*found[-1].steps, steps[first]))
                        first, start = taken, now
                now += piece.duration_s
            else:
                taken, walking = taken + sum(1 for _ in piece.paces(patient.height_m)), True
                now = steps[taken - 1].land_s
        found.append(Turn(start, now, tuple(steps[first:taken])))
    if walking:
        found[-1] = found[-1]._replace(end_s=steps[-1].land_s + REST_S, steps=(*found[-1].steps, steps[-1]))
    return found


def programme(script: Sequence[Activity], patient: Patient) -> Iterator[Piece]:
    """Yield the pieces of all activities."""
    for activity in script:
        yield from activity.pieces(patient)
