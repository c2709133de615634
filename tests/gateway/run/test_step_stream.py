"""The steps of a run: what the pipeline begins with."""

from __future__ import annotations

from config.settings import Settings, Slot
from gateway.clocks.wall_clock import WallClock
from gateway.model.ward import Bed, going_on_of, sessions_of, settings_of, ward_of
from gateway.run.step_stream import StepStream


def test_a_run_begins_with_the_whole_ward_that_is_in_force() -> None:
    """A session that goes on from the run before is not whole, and what was marked in it is not marked again."""
    ward = (
        Bed(Slot(id="bay-a", subject="p-1"), "bay-a-1-r2", True, ("start", "lap")),
        Bed(Slot(id="bay-b", subject="p-2"), "bay-b-1"),
    )
    settings = settings_of(Settings(), ward)
    steps = StepStream(settings, WallClock())
    steps.begin(settings, ward)
    assert steps.pipeline.ward == ward
    assert ward_of(settings, sessions_of(ward), going_on_of(ward)) == ward, "as its recording has it"
