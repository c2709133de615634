"""The GATT SensorData Protocol of Movesense: commands, answers, and what a notification of each resource holds.

Facts: the tools and captured packets of sensein/movesense-py, whose bytes the vendor's own converter reads the same.
All fields are little-endian.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.gatt.record import MAX_BYTES

HELLO, SUBSCRIBE, UNSUBSCRIBE, GET = 0, 1, 2, 4
ANSWER, DATA, DATA_PART_2 = 1, 2, 3
HEAD_BYTES: Final = 2  # kind of message and reference
STAMP_BYTES: Final = 4
VECTOR_BYTES: Final = 12
HEART_BYTES: Final = 4  # before the intervals
TEMPERATURE_BYTES: Final = 8

DONE: Final = range(200, 300)
STATUS: Final = {
    400: "it does not know the question",
    403: "it does not allow it",
    404: "it has no such measurement or rate",
    409: "it is busy: is it logging?",
    423: "it is locked: another program uses it",
    500: "it failed",
    501: "its firmware lacks it",
    503: "it has no room for another stream",
}
"""Answers are numbered as those of a web server."""

ECG_MV_A_COUNT: Final = 25 / 65536  # 0.381 uV
MV: Final = 1e-3

ARRAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "acc": ("ArrayAcc",),
    "gyro": ("ArrayGyro",),
    "magn": ("ArrayMagn",),
    "imu6": ("ArrayAcc", "ArrayGyro"),
    "imu9": ("ArrayAcc", "ArrayGyro", "ArrayMagn"),
}
"""The arrays of vectors of a resource, one behind the other, with as many samples each."""

_PATH: Final = re.compile(r"/?meas/(acc|gyro|magn|imu6|imu9|ecg|hr|temp)(?:/(\d+))?(/mv)?", re.IGNORECASE)


class Resource(NamedTuple):
    """What can be subscribed to.

    Attributes:
        name: In lower case.
        rate_hz: 0 where it comes when it comes.
        millivolts: Of an electrocardiogram: whether it comes in thousandths of a millivolt.
    """

    name: str
    rate_hz: int = 0
    millivolts: bool = False

    @classmethod
    def of(cls, path: str) -> Resource:
        """Read a path; raises MalformedFrameError for one that is not known."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise MalformedFrameError(f"no resource '{path}'")
        return cls(found[1].lower(), int(found[2] or 0), found[3] is not None)


class Message(NamedTuple):
    """One notification.

    Attributes:
        kind: `ANSWER`, `DATA` or `DATA_PART_2`.
        reference: Number that the question or subscription had.
        payload: What follows.
    """

    kind: int
    reference: int
    payload: bytes

    @property
    def status(self) -> int:
        """What an answer says: 200 if it was done; 0 where it does not say."""
        return int.from_bytes(self.payload[:2], "little") if len(self.payload) >= 2 else 0


HEART: Final = Resource("hr")
"""The one that has no stamp: it comes when it comes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one notification of a resource holds.

    Attributes:
        stamp_ms: Of the first sample; None where there is none.
        samples: (n, channels) as sent, array behind array; electrocardiograms in counts or thousandths of a millivolt.
        rr_ms: Intervals between beats.
    """

    stamp_ms: int | None
    samples: NDArray[np.float64]
    rr_ms: tuple[int, ...] = ()


def parse_message(data: bytes) -> Message:
    """Read the head; raises MalformedFrameError."""
    if len(data) > MAX_BYTES:
        raise MalformedFrameError("oversized frame")
    if len(data) < HEAD_BYTES:
        raise MalformedFrameError("truncated frame")
    if data[0] not in (ANSWER, DATA, DATA_PART_2):
        raise MalformedFrameError("message of an unknown kind")
    return Message(data[0], data[1], data[HEAD_BYTES:])


def parse_hello(payload: bytes) -> list[str]:
    """Return serial number, product, address, name and version of the firmware, as far as they are told.

    Firmware leaves the status out of this one answer; one that has it is read too.
    """
    done = payload[:2] == (200).to_bytes(2, "little")
    texts = payload[3 if done else 1 :]
    return [text.decode("ascii", "replace") for text in texts.split(b"\0")]


def samples_in(payload: bytes, resource: Resource) -> int:
    """Return how many samples a payload holds; raises MalformedFrameError where it is cut."""
    size = len(payload)
    if resource.name == "hr":
        fits = size >= HEART_BYTES and not size % 2
        count = 1
    elif resource.name == "temp":
        fits, count = size == TEMPERATURE_BYTES, 1
    else:
        count, rest = divmod(size - STAMP_BYTES, _sample_bytes(resource))
        fits = count > 0 and not rest
    if not fits:
        raise MalformedFrameError("truncated measurement")
    return count


def stamp_of(payload: bytes, resource: Resource) -> int:
    """Return the stamp of a whole payload, milliseconds; of any resource but the heart's rate, which has none."""
    at = TEMPERATURE_BYTES - STAMP_BYTES if resource.name == "temp" else 0
    return int.from_bytes(payload[at : at + STAMP_BYTES], "little")


def read(payloads: Sequence[bytes], resource: Resource) -> NDArray[np.float64]:
    """Return the samples (n, channels) of whole payloads of one length, one behind the other, in the wire's units.

    Of any resource but the heart's rate, for which there is `parse_heart`.
    """
    rows = np.frombuffer(b"".join(payloads), np.uint8).reshape(len(payloads), -1)
    if resource.name == "temp":
        return _doubles(np.ascontiguousarray(rows[:, :4]).view("<f4"))
    content = np.ascontiguousarray(rows[:, STAMP_BYTES:])
    if resource.name == "ecg":
        wire = "<i2" if resource.millivolts else "<i4"
        return content.view(wire).astype(np.float64).reshape(-1, 1)
    arrays = len(ARRAYS[resource.name])
    vectors = content.view("<f4").reshape(len(payloads), arrays, -1, 3)
    return _doubles(vectors.transpose(0, 2, 1, 3).reshape(-1, 3 * arrays))


def _doubles(singles: NDArray[np.float32]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # any bytes may come: a NaN that signals is one like the others
        return singles.astype(np.float64)


def parse_heart(payload: bytes) -> tuple[float, tuple[int, ...]]:
    """Return the heart's rate and the intervals between beats, milliseconds; raises MalformedFrameError."""
    samples_in(payload, HEART)
    rate, *rr_ms = struct.unpack(f"<f{(len(payload) - HEART_BYTES) // 2}H", payload)
    return rate, tuple(rr_ms)


def parse_payload(payload: bytes, resource: Resource) -> Measured:
    """Read what a resource sent, both parts of it; raises MalformedFrameError."""
    if resource.name == HEART.name:
        rate, rr_ms = parse_heart(payload)
        return Measured(None, np.array([[rate]]), rr_ms)
    samples_in(payload, resource)
    return Measured(stamp_of(payload, resource), read([payload], resource))


def _sample_bytes(resource: Resource) -> int:
    if resource.name == "ecg":
        return 2 if resource.millivolts else 4
    return VECTOR_BYTES * len(ARRAYS[resource.name])


def describe(payload: bytes, path: str) -> dict[str, Any]:
    """Return what a payload holds with the names of the vendor's converter; raises MalformedFrameError."""
    resource = Resource.of(path)
    measured = parse_payload(payload, resource)
    if resource.name == "hr":
        return {"average_bpm": float(measured.samples[0, 0]), "rr_ms": list(measured.rr_ms)}
    found: dict[str, Any] = {"Timestamp": measured.stamp_ms}
    if resource.name == "temp":
        return found | {"Measurement": float(measured.samples[0, 0])}
    if resource.name == "ecg":
        values = measured.samples[:, 0]
        return found | {"Samples": (values * MV if resource.millivolts else values).tolist()}
    for number, name in enumerate(ARRAYS[resource.name]):
        rows = measured.samples[:, 3 * number : 3 * number + 3].tolist()
        found[name] = [dict(zip("xyz", row, strict=True)) for row in rows]
    return found
