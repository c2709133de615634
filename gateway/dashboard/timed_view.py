"""What the test page is sent: the bed and its session, what is seen of the movement now, and the results so far."""

from __future__ import annotations

from typing import Any

from gateway.analysis.modalities import measured_by
from gateway.dashboard.bed_views import bed_view
from gateway.dashboard.outside_text import clean
from gateway.dashboard.ward import Ward
from gateway.model.measurement import Measurement

FIGURES = {"cadence": ("cadence", "both"), "heart": ("heart_rate", "none")}
"""What is told while a test runs, by name: metric and side."""
COUNTS = {"steps": ("initial_contact",), "turns": ("u_turn_angle", "turn_angle"), "rises": ("sit_to_stand_time",)}
"""What is counted: the first of these metrics that comes at all."""

Json = dict[str, Any]


def timed_view(ward: Ward, bed: str) -> Json:
    """Return one bed as the test page shows it."""
    state = ward.slot(bed)
    live: Json = {}
    for name, key in FIGURES.items():
        newest = state.best(*key)
        live[name] = (
            None if newest is None else {"value": newest.value, "quality": newest.quality, "end_us": newest.end_us}
        )
    for name, metrics in COUNTS.items():
        live[name] = next((n for metric in metrics if (n := state.count(metric))), 0)
    return {
        **bed_view(ward, bed),
        "signals": {device["id"]: _signals(device) for device in ward.devices(bed)},
        "session_of_numbers": clean(state.wearer.session) if state.wearer else "",
        "live": live,
        "results": [result_json(one) for one in state.results if not ward.ended.sets_aside(one)],
    }


def _signals(device: Json) -> list[str]:
    """Return what a device measures, as far as its streams say."""
    streams = device.get("streams")
    return [modality.name for modality in measured_by(streams)] if isinstance(streams, dict) else []


def result_json(measurement: Measurement) -> Json:
    """Return a result as the page shows it."""
    return {
        "metric": measurement.metric, "side": measurement.side, "value": measurement.value,
        "quality": measurement.quality, "reason": clean(measurement.reason), "start_us": measurement.start_us,
        "end_us": measurement.end_us, "algorithm": clean(measurement.algorithm), "session": clean(measurement.session),
    }  # fmt: skip
