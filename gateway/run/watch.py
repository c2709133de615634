"""Raw samples for whoever is watching: best effort, and only while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.analysis.pipeline import Pipeline
from gateway.analysis.stream_taps import Tapped
from gateway.intake.intake import Intake
from gateway.wire.topics import Topics
from gateway.wire.waveform import Properties, TakenFrom, encode

LONGEST_WATCH_S = 60.0  # a browser that is closed without a word stops costing anything after this


class Watch:
    """Keeps the pipeline's taps as the watchers ask.

    Args:
        pipeline: Whose samples.
        topics: Of this gateway.
        simulated: Whether these are simulated.

    Attributes:
        publish: Sends (topic, payload, user properties); set when there is somewhere to send to.
    """

    def __init__(self, pipeline: Pipeline, topics: Topics, *, simulated: bool = False) -> None:
        self.publish: Callable[[str, bytes, Properties], object] = lambda _topic, _payload, _about: None
        self._pipeline = pipeline
        self._topics = topics
        self._simulated = simulated
        self._until: dict[tuple[str, str], float] = {}
        self._turn = threading.Lock()  # requests come on the link's thread, samples on the pipeline's

    def command(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a command; unknown ones and bad arguments get an error, never an exception."""
        if name != "watch":
            return {"v": 1, "ok": False, "error": f"no command '{name}'"}
        device, stream, seconds = payload.get("device"), payload.get("stream"), payload.get("for_s", 10)
        if not isinstance(device, str) or (intake := self._attached(device)) is None:
            return {"v": 1, "ok": False, "error": f"no device '{device}'"}
        spec = intake.streams.get(str(stream))
        if spec is None or not spec.rate_hz:
            return {"v": 1, "ok": False, "error": f"device '{device}' has no sampled stream '{stream}'"}
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_WATCH_S:
            return {"v": 1, "ok": False, "error": f"for_s must be above 0 and at most {LONGEST_WATCH_S:g}"}
        self._tap(device, spec.name, time.monotonic() + seconds)
        return {"v": 1, "ok": True}

    def _attached(self, device: str) -> Intake | None:
        """Return the device of that id that somebody wears."""
        found = (intake for intake in list(self._pipeline.intakes) if intake.device.id == device)
        return next((intake for intake in found if intake.slot is not None), None)

    def _tap(self, device: str, stream: str, until: float) -> None:
        """Publish a stream until a time, or for as long as somebody else has asked for."""
        topic, key = self._topics.waveform(device, stream), (device, stream)

        def tap(tapped: Tapped) -> None:
            with self._turn:
                if time.monotonic() > self._until.get(key, 0.0):
                    self._pipeline.taps.pop(key, None)
                    return
            start_us = self._pipeline.origin.to_utc_us(tapped.start_s)
            payload = encode(start_us, float(tapped.spec.rate_hz or 0.0), tapped.samples)
            self.publish(topic, payload, self._taken_from(tapped).properties())

        with self._turn:
            self._until[key] = max(until, self._until.get(key, 0.0))
            self._pipeline.taps[key] = tap

    def _taken_from(self, tapped: Tapped) -> TakenFrom:
        return TakenFrom(
            tapped.before, tapped.first, tapped.slot, tapped.subject, tapped.session, tapped.device.placement,
            tapped.device.axes, tapped.spec.channels, tapped.spec.units, self._simulated,
        )  # fmt: skip
