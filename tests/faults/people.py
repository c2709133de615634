"""Who lies where and wears what, as somebody at a desk knows it: not by the product's own rules."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from gateway.model.measurement import Measurement

KINDS = {"admit": 4, "discharge": 2, "move": 3, "assign": 8, "take-off": 2, "session-start": 4, "session-end": 2}
"""What people do, and how often."""
DRAWS = 100
"""Changes that are drawn until one is possible."""
STEP_US = 100_000
"""A change takes effect at the end of a step, and a measurement may have begun before it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that was asked for: between these UTC microseconds it took effect; ``answered_us`` is 0 without one."""

    name: str
    fields: dict[str, Any]
    asked_us: int
    answered_us: int


@dataclass
class People:
    """Who lies where and wears what, as somebody at a desk knows it: not by the product's own rules.

    Attributes:
        beds: Subject in each bed, or "".
        bed_of: Bed of each device, or "".
        runs: Subjects with a session.
        times: For each device, who wore it from when on (UTC microseconds: asked, answered), in order; "" is nobody.
    """

    beds: dict[str, str]
    bed_of: dict[str, str]
    runs: set[str] = field(default_factory=set)
    times: dict[str, list[tuple[int, int, str]]] = field(init=False)
    came: int = field(init=False)

    def __post_init__(self) -> None:
        self.came = len(self.beds)
        self.times = {device: [(0, 0, subject)] for device, subject in self.wearers().items()}

    def draw(self, rng: random.Random) -> tuple[str, dict[str, Any]]:
        """Draw a change that is possible."""
        found = (self._draw_any(rng) for _ in range(DRAWS))
        return next(change for change in found if change is not None)

    def _draw_any(self, rng: random.Random) -> tuple[str, dict[str, Any]] | None:
        (name,) = rng.choices(list(KINDS), list(KINDS.values()))
        bed, device = rng.choice(list(self.beds)), rng.choice(list(self.bed_of))
        subject = self.beds[bed]
        free = [other for other, there in self.beds.items() if not there]
        wears = bool(subject) and bed in self.bed_of.values()
        possible = {
            "admit": not subject,
            "discharge": bool(subject),
            "move": bool(subject and free),
            "assign": bool(subject) and not self.bed_of[device] and not wears,
            "take-off": bool(self.bed_of[device]),
            "session-start": wears and subject not in self.runs,
            "session-end": subject in self.runs,
        }
        if not possible[name]:
            return None
        fields: dict[str, dict[str, Any]] = {
            "admit": {"subject": f"p-{self.came + 1}", "bed": bed},
            "discharge": {"subject": subject},
            "move": {"subject": subject, "bed": rng.choice(free) if free else ""},
            "assign": {"device": device, "bed": bed, "placement": "chest"},
            "take-off": {"device": device},
            "session-start": {"subject": subject, "protocol": "free_walk"},
            "session-end": {"session": subject},
        }
        return name, fields[name]

    def apply(self, change: Asked) -> None:
        """Do to them what was answered."""
        fields, name = change.fields, change.name
        before = self.wearers()
        if name == "admit":
            self.came += 1
            self.beds[fields["bed"]] = fields["subject"]
        elif name == "assign":
            self.bed_of[fields["device"]] = fields["bed"]
        elif name == "take-off":
            self.bed_of[fields["device"]] = ""
        elif name == "session-start":
            self.runs.add(fields["subject"])
        elif name == "session-end":
            self.runs.discard(fields["session"])
        else:
            self._leave(fields["subject"], fields.get("bed", ""))
        for device, subject in self.wearers().items():
            if subject != before[device]:
                self.times[device].append((change.asked_us, change.answered_us, subject))

    def _leave(self, subject: str, other: str) -> None:
        bed = next(bed for bed, there in self.beds.items() if there == subject)
        self.beds[bed] = ""
        if other:
            self.beds[other] = subject
        else:
            self.runs.discard(subject)
        self.bed_of = {device: other if at == bed else at for device, at in self.bed_of.items()}

    def wearers(self) -> dict[str, str]:
        """Return who wears each device."""
        return {device: self.beds.get(bed, "") for device, bed in self.bed_of.items()}

    def may_be(self, device: str, measurement: Measurement) -> set[str]:
        """Return whose a measurement may be: whoever wore the device then, and both while it went over."""
        found, begun = set(), 0
        spans = [*self.times[device], (2**62, 2**62, "")]
        who = ""
        for asked_us, answered_us, subject in spans:
            if begun <= measurement.end_us and measurement.start_us <= answered_us + STEP_US:
                found.add(who)
            begun, who = asked_us - STEP_US, subject
        return found
