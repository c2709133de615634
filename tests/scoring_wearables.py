"""Bytes of Polar and Movesense sensors that others recorded or published, through the product's own parse functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drivers.gatt.spacing import between, ticks_of
from drivers.movesense.messages import describe
from drivers.polar.control import OPERATIONS, REPLY, parse_features, parse_reply, parse_settings
from drivers.polar.frame import ACCELERATION, PPI, TICK_BITS, PmdFrame, counts, intervals, parse_frame
from tests.scoring_health import only

VENDOR_PREVIOUS_NS = 100
"""The vendor's tests have each frame follow one of this stamp, and do not say so in its bytes."""
CALIBRATION = "4th channel: 0 unknown,1 poor,2 ok,3 good"


def movesense(_stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a payload of a Movesense holds; the two parts of one are joined."""
    found = describe(b"".join(packets), context["path"]) if "path" in context else None
    if found is not None and "Measurement" in found:
        found |= {"kelvin": found["Measurement"], "timestamp_ms": found["Timestamp"]}
    return found


def polar(stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a frame or an answer of a Polar sensor means; samples as they are sent, before the factor."""
    data = only(packets)
    if "FB005C81" in stream.upper():
        return _answer(data)
    frame = parse_frame(data)
    found = {
        "measurement_type": frame.kind,
        "timestamp_ns_last_sample": frame.stamp,
        "frame_type": frame.frame_type,
        "compressed": frame.compressed,
    }
    if frame.kind == PPI:
        samples = [each._asdict() for each in intervals(frame)]
        named = [{"hr" if name == "heart_rate" else name: value for name, value in each.items()} for each in samples]
        return found | {"samples": named, "n_samples": len(named), "asserted_by_vendor_test": {"samples": named}}
    values, _ = counts(frame)
    rows = values.tolist()
    asserted = _asserted(frame, rows, float(context.get("factor") or 1.0))
    return found | {"samples": rows, "n_samples": len(rows), "asserted_by_vendor_test": asserted}


def _asserted(frame: PmdFrame, rows: list[list[Any]], factor: float) -> dict[str, Any]:
    """Return the same by the names under which the vendor's tests look at it."""
    scale = factor * (1000 if frame.kind == ACCELERATION and (frame.frame_type, frame.compressed) == (0, True) else 1)
    scaled = rows if scale == 1 else [[value * scale for value in row] for row in rows]
    dated = not frame.stamp >> TICK_BITS
    times = ticks_of([between(VENDOR_PREVIOUS_NS, frame.stamp, len(rows))]).tolist() if dated else []
    return {
        "n": len(rows),
        "s": scaled,
        **{f"s{n}": row for n, row in enumerate(scaled[:2])},
        "s0_milligauss": rows[0][:3],
        "uV": [row[0] for row in rows],
        "unit": "mG",
        "status": CALIBRATION,
        "sample_timestamps_ns": times,
        "previous_frame_timestamp_ns": VENDOR_PREVIOUS_NS,
    }


def _answer(data: bytes) -> dict[str, Any]:
    if data[:1] != bytes((REPLY,)):
        return {"features": sorted(parse_features(data))}
    reply = parse_reply(data)
    found: dict[str, Any] = {
        "response": data[0],
        "op": OPERATIONS.get(reply.operation, str(reply.operation)),
        "type": reply.kind,
        "status": reply.status,
        "more": reply.more,
        "params": reply.params.hex(),
    }
    try:
        return found | {"settings": parse_settings(reply.params)}
    except ValueError:
        return found
