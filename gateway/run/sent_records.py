"""Keeps over starts which records devices have sent, so that one that sends them again is known."""

from __future__ import annotations

from typing import Final

from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import Numbered
from gateway.intake.sent import sent_frame
from gateway.outbox.outbox import Outbox

FACT: Final = "sent "
"""Begins the name under which the outbox keeps those of a device."""


class SentRecords:
    """Takes them from the pipeline to the outbox, once what was measured by them is on disk.

    In the other order a power cut between the two would lose a measurement: the device would send it again, and it
    would be taken for one that is there.

    Args:
        pipeline: Where records come.
        outbox: Where they are kept, and what is measured goes.
    """

    def __init__(self, pipeline: Pipeline, outbox: Outbox) -> None:
        self._pipeline = pipeline
        self._outbox = outbox
        self._waiting: dict[str, str] = {}
        self._since: tuple[str, int] = ("", 0)  # life of the outbox, and the number that has to be on disk

    def first_frame(self, arrival_ns: int) -> Numbered:
        """Return what the pipeline is told before all else: the records that are known from before this run."""
        facts = self._outbox.facts
        return sent_frame(arrival_ns, {key.removeprefix(FACT): facts.get(key) for key in facts.keys(FACT)})

    def look(self) -> None:
        """Keep what has come, as far as its measurements are on disk."""
        state = self._outbox.state()
        new = self._pipeline.sent.drain(self._pipeline.origin)
        if new or (self._waiting and self._since[0] != state.epoch):
            self._since = state.epoch, state.last_seq
        self._waiting |= new
        if self._since[1] <= state.durable_seq:
            for device, told in self._waiting.items():
                self._outbox.facts.keep(f"{FACT}{device}", told)
            self._waiting.clear()
