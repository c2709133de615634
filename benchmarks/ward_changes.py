"""A ward that changes all the time: what is lost, what stands under the wrong person, and whether a replay agrees.

``python -m benchmarks.ward_changes [--beds 20] [--minutes 10] [--changes 50] [--seed 1]``; exit status 1 if anything is
not as it should be. Simulated people, each with a heart rate of their own, wear straps, and motion sensors beside them;
people come, go, move and exchange straps, and sessions begin, pause and end, so many times a minute. Every change goes
through the registry on disk. As fast as the machine can: steps are made, not waited for.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from config.settings import Device, Settings, Site, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.warm_up import warm_up
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.measurements import Measurements
from gateway.model.ward import Ward, encode_ward, sessions_of, settings_of
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from gateway.ward.kept_ward import KeptWard
from gateway.ward.refusals import RefusedError

ORIGIN = Origin(1_000 * NS, 1_790_000_000_000_000)
STEPS_A_SECOND = NS // STEP_NS
DOT_RATE_HZ = 60
LEAST_BPM, MOST_BPM = 40, 220  # a heart rate names a person: there are never more than this at once
TRIES = 50  # to find a change that is possible

Asked = tuple[str, dict[str, Any]]  # name of a change, and its fields
Said = tuple[str, str, str, int]  # subject, session, device, heart rate


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        expected: What was sent by each strap while it was worn, as it has to be measured.
        measured: What was measured.
        sent: Samples of motion sensors that were sent, by device.
        counted: Those that were placed in time.
        changes: Changes made, by name.
        change_s: Seconds that each took to be on disk.
        same: Whether the replay gave the same measurements.
        measurements: How many there were.
    """

    expected: Counter[Said] = field(default_factory=Counter)
    measured: Counter[Said] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    change_s: list[float] = field(default_factory=list)
    same: bool = False
    measurements: int = 0

    @property
    def lost(self) -> int:
        """Samples that were sent while somebody wore the device, and are in nothing."""
        return (self.expected - self.measured).total() + (self.sent - self.counted).total()

    @property
    def wrong(self) -> int:
        """Measurements that stand under somebody else, or under another session than was in force."""
        return (self.measured - self.expected).total()


class Simulation:
    """A ward of beds with people, straps and motion sensors, and random changes of it; the same for the same seed."""

    def __init__(self, folder: Path, *, beds: int, changes_a_minute: float, seed: int) -> None:
        self.outcome = Outcome()
        self._random = random.Random(seed)
        self._folder = folder
        self._beds = beds
        self._share = changes_a_minute / 60 / STEPS_A_SECOND
        self._people = 0
        self._bpm: dict[str, int] = {}  # by subject
        self._truth: Ward = ()  # as the registry has it
        self._on_chest: dict[str, int] = {}  # what each strap tells: of whoever wears it, or wore it last
        self._settings = Settings(
            site=Site(data=folder), simulated=True, slot=[self._slot(n) for n in range(1, beds + 1)]
        )

    def run(self, minutes: float) -> Outcome:
        """Let so much time pass; return what became of it."""
        ward = KeptWard(self._settings, at_us=ORIGIN.utc_us)
        in_force = ward.starts(ORIGIN.utc_us).in_force()
        self._truth = in_force
        settings = settings_of(self._settings, in_force)
        pipeline = Pipeline(settings, ORIGIN, sessions_of(in_force))
        header = Header(
            settings.model_dump(mode="json"), sessions_of(in_force), ORIGIN.monotonic_ns, ORIGIN.utc_us, "benchmark"
        )
        path = self._folder / "changes.rgrec"
        live: list[Measurement] = []
        with RecordingWriter(path, header) as writer:
            for step in range(round(minutes * 60 * STEPS_A_SECOND)):
                frames = sorted(self._step(step, pipeline, ward), key=lambda numbered: numbered[1].arrival_ns)
                live += self._measured(writer, pipeline, frames)
            live += pipeline.finish()
        for intake in pipeline.intakes:
            if "imu" in intake.counts:
                self.outcome.counted[intake.device.id] += intake.counts["imu"].samples
        ward.close()
        replay = Replay(path)
        self.outcome.same = [m for each in replay.steps() for m in each] == live
        self.outcome.measurements = len(live)
        return self.outcome

    def _measured(self, writer: RecordingWriter, pipeline: Pipeline, frames: list[Numbered]) -> Measurements:
        made = pipeline.step(frames)
        writer.step(pipeline.end_ns, frames)
        for m in made:
            if m.metric == "heart_rate":
                self.outcome.measured[m.subject, m.session, m.devices[0], round(m.value or 0)] += 1
        return made

    def _step(self, step: int, pipeline: Pipeline, ward: KeptWard) -> Iterator[Numbered]:
        """Yield what arrives in a step, and note what has to come of it: the ward before the step holds within it."""
        begin_ns = ORIGIN.monotonic_ns + step * STEP_NS
        worn = {device.id: bed for bed in self._truth for device in bed.slot.device}
        for number, intake in enumerate(pipeline.intakes):
            name = intake.device.id
            if name.startswith("strap"):
                if (step + number) % STEPS_A_SECOND == 0:
                    bpm = self._on_chest.get(name, LEAST_BPM)
                    if name in worn:
                        self.outcome.expected[worn[name].slot.subject, worn[name].session, name, bpm] += 1
                    yield number, Frame(begin_ns + STEP_NS // 2, "measurement", struct.pack("<BB", 0x06, bpm))
            else:
                for k in range(step * DOT_RATE_HZ // STEPS_A_SECOND, (step + 1) * DOT_RATE_HZ // STEPS_A_SECOND):
                    self.outcome.sent[name] += 1
                    ticks = k * 1_000_000 // DOT_RATE_HZ
                    data = struct.pack("<I6f", ticks % 2**32, 0.0, 0.0, 9.81, 0.0, 0.0, 0.0).ljust(40, b"\0")
                    yield number, Frame(begin_ns + STEP_NS // 3, "measurement", data)
        if self._random.random() < self._share and (after := self._change(ward, step)) is not None:
            self._truth = after
            yield ward_frame(begin_ns + STEP_NS - 1, encode_ward(after))

    def _change(self, ward: KeptWard, step: int) -> Ward | None:
        """Make one change that is possible; return the ward after it."""
        at_us = ORIGIN.utc_us + step * STEP_NS // 1000
        for _ in range(TRIES):
            asked = self._asked(ward)
            try:
                for name, fields in asked:
                    began = time.perf_counter()
                    ward.change(name, fields, at_us=at_us, by="", source="benchmark")
                    self.outcome.change_s.append(time.perf_counter() - began)
                    self.outcome.changes[name] += 1
            except RefusedError:
                continue
            self._dress(ward)
            return ward.state.in_force()
        return None

    def _asked(self, ward: KeptWard) -> list[Asked]:
        """Draw a change, which may turn out to be impossible."""
        kinds = {"admit": 3, "discharge": 2, "move": 2, "take-off": 2, "assign": 6, "swap": 2, "session": 6}
        (kind,) = self._random.choices(list(kinds), list(kinds.values()))
        state, draw = ward.state, self._random.choice
        bed, device = draw(state.beds).id, draw(state.devices).device.id
        somebody = draw(state.subjects).id if state.subjects else "nobody"
        if kind == "swap":
            return self._swap(ward)
        if kind == "session":
            return [self._session(somebody)]
        if kind == "admit":
            self._people += 1
            somebody = f"p-{self._people}"
        placement = "chest" if device.startswith("strap") else "left_thigh"
        fields: dict[str, dict[str, Any]] = {
            "admit": {"subject": somebody, "bed": bed},
            "discharge": {"subject": somebody},
            "move": {"subject": somebody, "bed": bed},
            "take-off": {"device": device},
            "assign": {"device": device, "bed": bed, "placement": placement},
        }
        return [(kind, fields[kind])]

    def _swap(self, ward: KeptWard) -> list[Asked]:
        """Exchange the straps of two people: four changes."""
        worn = [one for one in ward.state.devices if one.bed and one.device.driver == "heart_rate"]
        if len(worn) < 2:
            return [("take-off", {"device": "nothing"})]
        one, other = self._random.sample(worn, 2)
        off: list[Asked] = [("take-off", {"device": each.device.id}) for each in (one, other)]
        return [
            *off,
            ("assign", {"device": one.device.id, "bed": other.bed, "placement": "chest"}),
            ("assign", {"device": other.device.id, "bed": one.bed, "placement": "chest"}),
        ]

    def _session(self, subject: str) -> Asked:
        name = self._random.choice(("start", "start", "pause", "resume", "mark", "end"))
        about = {"subject": subject, "protocol": "10mwt"} if name == "start" else {"session": subject}
        return f"session-{name}", {**about, "text": "turned"} if name == "mark" else about

    def _dress(self, ward: KeptWard) -> None:
        """Let each strap tell of who wears it now."""
        for bed in ward.state.in_force():
            for device in bed.slot.device:
                self._on_chest[device.id] = self._rate_of(bed.slot.subject)

    def _rate_of(self, subject: str) -> int:
        number = int(subject.removeprefix("p-"))
        return LEAST_BPM + number % (MOST_BPM - LEAST_BPM)

    def _slot(self, number: int) -> Slot:
        self._people += 1
        subject = f"p-{self._people}"
        strap = Device(id=f"strap-{number}", driver="heart_rate", placement="chest", name=f"s{number}")
        dot = Device(
            id=f"dot-{number}",
            driver="movella_dot",
            placement="left_thigh",
            name=f"d{number}",
            options={"mode": "rate"},
        )
        self._on_chest[strap.id] = self._rate_of(subject)
        return Slot(id=f"bed-{number}", subject=subject, device=[strap, dot])


def main() -> int:
    """Run it and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10.0, help="of simulated time")
    parser.add_argument("--changes", type=float, default=50.0, help="a minute")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warm_up()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        simulation = Simulation(Path(folder), beds=args.beds, changes_a_minute=args.changes, seed=args.seed)
        found = simulation.run(args.minutes)
    took = sorted(found.change_s) or [0.0]
    answer = {
        "simulated_s": args.minutes * 60,
        "took_s": round(time.perf_counter() - began, 1),
        "changes": found.changes.total(),
        "changes_by_name": dict(found.changes),
        "change_on_disk_ms_p95": round(1000 * took[int(0.95 * (len(took) - 1))], 2),
        "measurements": found.measurements,
        "samples": found.sent.total() + found.expected.total(),
        "lost_samples": found.lost,
        "wrong_person_or_session": found.wrong,
        "replay_identical": found.same,
    }
    sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0 if found.same and not found.lost and not found.wrong and found.changes else 1


if __name__ == "__main__":
    raise SystemExit(main())
