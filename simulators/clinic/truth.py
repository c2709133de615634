"""What is true of a performance: what was done when, how far, how often; postures; in true seconds and metres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simulators.body.programme import Step
from simulators.motion.source import Floats

Posture = Literal["lying", "sitting", "standing", "walking", "stairs"]


@dataclass(frozen=True, slots=True)
class Did:
    """Something that was done.

    Attributes:
        what: "standing_up" (without vain attempts before it: ``tries_from_s`` says when they began), "sitting_down",
            "lying_down", "sitting_up", "rolling_over", "walk", "turn", "stairs", "freezing", "tremor", "stance",
            "fall", "near_fall", "arm_use", or the name of a test, such as "tug".
        start_s: From the first movement.
        end_s: To the last one.
        facts: Figures and words, each with its unit in its name.
    """

    what: str
    start_s: float
    end_s: float
    facts: dict[str, float | str] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is true of a performance, in order of time.

    Attributes:
        did: What was done; tests beside what they consist of.
        postures: (start, end, posture); the time between two of them is that of a transfer.
        steps: Every step of every walk and turn.
        end_s: When all was over.
        beats_s: Heart beats.
        spo2: (n, 2) time and saturation (%), each second.
    """

    did: tuple[Did, ...]
    postures: tuple[tuple[float, float, Posture], ...]
    steps: tuple[Step, ...]
    end_s: float
    beats_s: Floats
    spo2: Floats

    def of(self, *what: str) -> list[Did]:
        """Return what was done of some kinds."""
        return [did for did in self.did if did.what in what]

    def within(self, test: Did, *what: str) -> list[Did]:
        """Return what was done of some kinds in the course of a test."""
        return [did for did in self.of(*what) if did.start_s >= test.start_s - 1e-6 and did.end_s <= test.end_s + 1e-6]
