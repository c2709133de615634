"""Raw samples for whoever is watching: best effort, and only while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gateway.analysis.pipeline import Pipeline
from gateway.clocks.timeline import Floats
from gateway.intake.intake import Intake
from gateway.wire.topics import Topics
from gateway.wire.waveform import encode

LONGEST_WATCH_S = 60.0  # a browser that is closed without a word stops costing anything after this


class Watch:
    """Keeps the pipeline's taps as the watchers ask.

    Attributes:
        publish: Sends (topic, payload); set when there is somewhere to send to.
    """

    def __init__(self, pipeline: Pipeline, topics: Topics) -> None:
        self.publish: Callable[[str, bytes], object] = lambda _topic, _payload: None
        self._pipeline = pipeline
        self._topics = topics

    def command(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a command; unknown ones and bad arguments get an error, never an exception."""
        if name != "watch":
            return {"v": 1, "ok": False, "error": f"no command '{name}'"}
        device, stream, seconds = payload.get("device"), payload.get("stream"), payload.get("for_s", 10)
        if not isinstance(device, str) or (intake := self._worn(device)) is None:
            return {"v": 1, "ok": False, "error": f"no device '{device}'"}
        spec = intake.streams.get(str(stream))
        if spec is None or not spec.rate_hz:
            return {"v": 1, "ok": False, "error": f"device '{device}' has no sampled stream '{stream}'"}
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_WATCH_S:
            return {"v": 1, "ok": False, "error": f"for_s must be above 0 and at most {LONGEST_WATCH_S:g}"}
        self._tap(intake, spec.name, time.monotonic() + seconds)
        return {"v": 1, "ok": True}

    def _worn(self, device: str) -> Intake | None:
        """Return the device of that id that somebody wears."""
        found = (intake for intake in list(self._pipeline.intakes) if intake.device.id == device)
        return next((intake for intake in found if intake.slot is not None), None)

    def _tap(self, intake: Intake, stream: str, until: float) -> None:
        device = intake.device.id
        topic = self._topics.waveform(device, stream)

        def tap(start_s: float, samples: Floats) -> None:
            if time.monotonic() > until:
                self._pipeline.taps.pop((device, stream), None)
                return
            rate_hz = intake.streams[stream].rate_hz
            self.publish(topic, encode(self._pipeline.to_utc_us(start_s), float(rate_hz or np.nan), samples))

        self._pipeline.taps[device, stream] = tap
