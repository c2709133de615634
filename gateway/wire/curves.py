"""The mean curves of a slot's joints over the gait cycle, as the topic ``cycles`` has them: built and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from dsp.exoskeleton.curves import UNITS, ExoskeletonCurve
from dsp.joints.cycle import POINTS, Floats
from gateway.wire.payload import MAX_INT, MAX_TEXT, PayloadError
from gateway.wire.receipt import PAYLOAD_VERSION

if TYPE_CHECKING:  # the dashboard reads curves, and must not load the kernels that make them
    from dsp.joints.strides import JointCurve

JOINTS: Final = ("hip", "knee", "ankle")
"""The joints of `dsp.joints.joints`."""
DIGITS = 1  # of an angle in degrees: no sensor on skin is as good
MAX_DEG = 360.0
MOST: Final = {"angle": 360.0, "torque": 1000.0, "power": 10_000.0}
"""Of a curve of an exoskeleton, by its quantity, in the unit of that."""
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class SlotCurves:
    """What the joints of one slot do.

    Attributes:
        slot: Bed or bay.
        session: Whose strides they are.
        subject: Pseudonym.
        simulated: Whether the devices are.
        curves: One a joint and side, by motion sensors.
        exoskeleton: One a joint, side and quantity, by an exoskeleton.
    """

    slot: str
    session: str
    subject: str
    simulated: bool
    curves: tuple[JointCurve, ...]
    exoskeleton: tuple[ExoskeletonCurve, ...] = ()


def encode_curves(gateway: str, slot: SlotCurves, to_utc_us: Callable[[float], int]) -> bytes:
    """Return the payload of the topic ``cycles/<slot>``."""
    from dsp.joints.joints import ALGORITHM  # loaded already where there are curves

    body = {
        "v": PAYLOAD_VERSION,
        "gateway": gateway,
        "slot": slot.slot,
        "session": slot.session,
        "subject": slot.subject,
        "simulated": slot.simulated,
        "algorithm": ALGORITHM,
        "unit": "deg",
        "curves": [
            {
                "joint": curve.joint,
                "side": curve.side,
                "n": curve.n,
                "start_us": to_utc_us(curve.start_s),
                "end_us": to_utc_us(curve.end_s),
                "quality": "degraded" if curve.reason else "ok",
                "reason": curve.reason,
                "mean": _rounded(curve.mean_deg),
                "sd": _rounded(curve.sd_deg) if curve.n > 1 else None,
            }
            for curve in slot.curves
        ],
        "exoskeleton": [_encoded(curve, to_utc_us) for curve in slot.exoskeleton],
    }
    return orjson.dumps(body)


def _encoded(curve: ExoskeletonCurve, to_utc_us: Callable[[float], int]) -> dict[str, Any]:
    return {
        "joint": curve.joint,
        "side": curve.side,
        "quantity": curve.quantity,
        "unit": UNITS[curve.quantity],
        "n": curve.n,
        "start_us": to_utc_us(curve.start_s),
        "end_us": to_utc_us(curve.end_s),
        "mean": _rounded(curve.mean),
        "sd": _rounded(curve.sd) if curve.n > 1 else None,
    }


def decode_curves(gateway: str, slot: str, payload: bytes) -> dict[str, Any]:
    """Return what a payload says, checked: whose (``session``, ``subject``, ``simulated``) and its ``curves``.

    There is one curve a joint and side, as it was encoded.

    Raises:
        PayloadError: it is not what the topic promises.
    """
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise PayloadError("not JSON") from None
    if not isinstance(message, dict) or message.get("v") != PAYLOAD_VERSION:
        raise PayloadError("unknown version")
    if message.get("gateway") != gateway or message.get("slot") != slot:
        raise PayloadError("not of this topic")
    curves = message.get("curves")
    if not isinstance(curves, list) or len(curves) > len(JOINTS) * len(SIDES):
        raise PayloadError("bad curves")
    exoskeleton = message.get("exoskeleton", [])  # gateways of before have none
    if not isinstance(exoskeleton, list) or len(exoskeleton) > len(JOINTS) * len(SIDES) * len(MOST):
        raise PayloadError("bad curves")
    return {
        "session": _text(message.get("session")),
        "subject": _text(message.get("subject")),
        "simulated": message.get("simulated") is True,
        "curves": [_curve(curve) for curve in curves],
        "exoskeleton": [_of_exoskeleton(curve) for curve in exoskeleton],
    }


def _curve(curve: Any) -> dict[str, Any]:
    return {**_common(curve, MAX_DEG), "reason": _text(curve.get("reason"))}


def _of_exoskeleton(curve: Any) -> dict[str, Any]:
    if not isinstance(curve, dict) or curve.get("quantity") not in tuple(MOST):
        raise PayloadError("bad quantity")
    return {**_common(curve, MOST[curve["quantity"]]), "quantity": curve["quantity"]}


def _common(curve: Any, most: float) -> dict[str, Any]:
    if not isinstance(curve, dict) or curve.get("joint") not in tuple(JOINTS) or curve.get("side") not in SIDES:
        raise PayloadError("bad joint")
    return {
        "joint": curve["joint"],
        "side": curve["side"],
        "n": _count(curve.get("n")),
        "start_us": _count(curve.get("start_us")),
        "end_us": _count(curve.get("end_us")),
        "mean": _values(curve.get("mean"), most),
        "sd": None if curve.get("sd") is None else _values(curve["sd"], most),
    }


def _values(values: Any, most: float) -> list[float]:
    if not isinstance(values, list) or len(values) != POINTS:
        raise PayloadError("bad angles")
    # A bool is an int to Python, and no angle; NaN is not small.
    if not all(type(x) in {int, float} and abs(x) <= most for x in values):
        raise PayloadError("bad angles")
    return values


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise PayloadError("bad number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise PayloadError("bad text")
    return value


def _rounded(values: Floats) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]
