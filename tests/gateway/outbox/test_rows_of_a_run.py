"""What a run leaves in the outbox is, byte for byte, the JSON of each measurement that its steps completed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import STEP_NS, clock_frame
from gateway.model.measurement import Measurement
from gateway.model.row import EVENT, METRIC, Row
from gateway.outbox.outbox import Outbox
from simulators.body.body import Placement
from tests.gateway.analysis.test_pipeline import ORIGIN
from tests.gateway.analysis.test_pipeline_legs import COLD_S, SESSIONS, frames, site, steps

pytestmark = pytest.mark.timeout(COLD_S)

PLACEMENTS: tuple[Placement, ...] = ("left_foot", "right_foot", "lower_back")
CLOCK_STEP = 200
"""The step in which the wall clock is set: what comes after it is told in another time."""


def test_rows_of_a_run_are_its_measurements_one_by_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    pipeline = Pipeline(site(PLACEMENTS), ORIGIN, SESSIONS)
    made: list[Measurement] = []
    for number, (end_ns, sent) in enumerate(steps(frames(PLACEMENTS))):
        moved = [clock_frame(end_ns - STEP_NS, 1_500_000)] if number == CLOCK_STEP else []
        completed = pipeline.step([*moved, *sent])
        outbox.append(completed)
        made += completed
    completed = pipeline.finish()
    outbox.append(completed)
    made += completed
    assert outbox.flush()
    rows = outbox.read(0, 10_000)
    outbox.close()
    assert len({m.metric for m in made}) > 15
    ranks = [EVENT if m.start_us == m.end_us else METRIC for m in made]
    assert rows == [
        Row(seq, m.slot, rank, by_itself(m, seq)) for seq, (m, rank) in enumerate(zip(made, ranks, strict=True), 1)
    ]


def by_itself(measurement: Measurement, seq: int) -> bytes:
    """Return the JSON of one measurement with its number before all else, as the topic `measurements` has it."""
    return orjson.dumps({"seq": seq, **measurement.as_dict()}, option=orjson.OPT_SERIALIZE_NUMPY)
