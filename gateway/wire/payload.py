"""The JSON of the topics ``measurements``, ``records`` and ``gaps``, built and checked.

What comes over the network is checked field by field: one wrong measurement is set apart with its reason, and its
neighbours in the same message are kept. A message that brings too much is refused before it is parsed. Unknown keys are
ignored, so that a newer gateway can speak to an older reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import orjson

from gateway.machine.plain_text import printable
from gateway.model.measurement import Measurement
from gateway.model.records import KINDS, canonical
from gateway.model.row import Gap, Row
from gateway.wire.message_limits import too_much
from gateway.wire.receipt import EPOCH, MAX_SEQ, PAYLOAD_VERSION

MAX_TEXT = 200
"""Characters of any text of a measurement; the longest that we make is a fifth of that."""
MAX_LIST = 64
"""Devices of one measurement; a body wears seven."""
MAX_INT = 2**53
MAX_FIELDS = 32
"""Fields of a record; a notice has a dozen."""
MAX_WORDS = 1000
"""Characters of a text of a record: an advice is a sentence, what a library says of an error may be two."""
MAX_GAPS = 1000
"""Gaps of one message."""
MAX_RAW = 4_096
"""Bytes that are kept of an entry that cannot be understood; one that can has some five hundred."""
PARKED = "ended the historian twice"
"""Reason of what was never parsed: `gateway.historian.parked`."""

TEXT = ("metric", "unit", "reason", "algorithm", "slot", "session", "subject")
COUNT = ("start_us", "end_us", "n", "n_rejected")
CHOICE = {"side": ("left", "right", "both", "none"), "quality": ("ok", "degraded", "invalid")}
LISTS = ("devices", "placement")


class PayloadError(Exception):
    """The bytes are not what the topic promises. ``kind`` is a short fixed text for counting."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Rejected:
    """A measurement that could not be understood; its number is known, so nothing waits for it."""

    seq: int
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """A notice, an entry of the audit or a word about the ward; ``body`` is its canonical JSON without the number."""

    seq: int
    kind: str
    what: str
    time_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """Measurements, records or gaps of one gateway.

    Attributes:
        gateway: Whose they are.
        epoch: The life of its outbox.
        released: Every number up to this one has left the outbox with a receipt and will not come again.
        measurements: Number and measurement.
        records: Notices and entries of the audit.
        rejected: What could not be understood.
        gaps: Numbers that never will come.
    """

    gateway: str
    epoch: str
    released: int = 0
    measurements: list[tuple[int, Measurement]] = field(default_factory=list)
    records: list[DecodedRecord] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


def encode_measurements(gateway: str, epoch: str, released: int, rows: Sequence[Row]) -> bytes:
    """Return the payload for rows of one slot."""
    head = orjson.dumps(
        {"v": PAYLOAD_VERSION, "gateway": gateway, "epoch": epoch, "slot": rows[0].slot, "released": released}
    )
    return b'%b,"measurements":[%b]}' % (head[:-1], b",".join(row.payload for row in rows))


def encode_records(gateway: str, epoch: str, released: int, rows: Sequence[Row]) -> bytes:
    """Return the payload of the topic ``records``."""
    head = orjson.dumps({"v": PAYLOAD_VERSION, "gateway": gateway, "epoch": epoch, "released": released})
    return b'%b,"records":[%b]}' % (head[:-1], b",".join(row.payload for row in rows))


def encode_gaps(gateway: str, epoch: str, released: int, gaps: Iterable[Gap]) -> bytes:
    """Return the payload of the topic ``gaps``."""
    return orjson.dumps(
        {"v": PAYLOAD_VERSION, "gateway": gateway, "epoch": epoch, "released": released, "gaps": list(gaps)}
    )


def decode_measurements(gateway: str, slot: str, payload: bytes) -> Message:
    """Parse a message that came on the topic of ``gateway`` and ``slot``; raises PayloadError."""
    fields, message = _head(gateway, payload)
    if fields.get("slot") != slot:
        raise PayloadError("slot differs from the topic")
    for entry in _entries(fields, "measurements"):
        seq = _seq(entry.get("seq"))
        try:
            measurement = _measurement(entry)
            if measurement.slot != slot:
                raise PayloadError("slot differs from the topic")  # noqa: TRY301 - as any other field that is wrong
        except PayloadError as error:
            message.rejected.append(Rejected(seq, error.kind, _raw(entry)))
        else:
            message.measurements.append((seq, measurement))
    return message


def decode_records(gateway: str, payload: bytes) -> Message:
    """Parse a message that came on the topic ``records``; raises PayloadError."""
    fields, message = _head(gateway, payload)
    for entry in _entries(fields, "records"):
        seq = _seq(entry.pop("seq", None))
        try:
            message.records.append(_decode_record(seq, entry))
        except PayloadError as error:
            message.rejected.append(Rejected(seq, error.kind, _raw(entry)))
    return message


def decode_gaps(gateway: str, payload: bytes) -> Message:
    """Parse a message that came on the topic ``gaps``; raises PayloadError."""
    fields, message = _head(gateway, payload)
    entries = _entries(fields, "gaps")
    if len(entries) > MAX_GAPS:
        raise PayloadError("too many gaps")
    for entry in entries:
        reason = entry.get("reason")
        if not isinstance(reason, str) or len(reason) > MAX_TEXT:
            raise PayloadError("bad reason")
        gap = Gap(_seq(entry.get("first")), _seq(entry.get("last")), printable(reason))
        if gap.last < gap.first:
            raise PayloadError("gap ends before it begins")
        message.gaps.append(gap)
    return message


def _head(gateway: str, payload: bytes) -> tuple[dict[str, Any], Message]:
    if reason := too_much(payload):
        raise PayloadError(reason)
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise PayloadError("not JSON") from None
    if not isinstance(fields, dict):
        raise PayloadError("not an object")
    if fields.get("v") != PAYLOAD_VERSION:
        raise PayloadError("unknown version")
    if fields.get("gateway") != gateway:
        raise PayloadError("gateway differs from the topic")
    epoch = fields.get("epoch")
    if not isinstance(epoch, str) or not EPOCH.fullmatch(epoch):
        raise PayloadError("bad epoch")
    released = fields.get("released", 0)
    if type(released) is not int or not 0 <= released < MAX_SEQ:
        raise PayloadError("bad released")
    return fields, Message(gateway, epoch, released)


def _raw(entry: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry)[:MAX_RAW]
    except orjson.JSONEncodeError:  # the parser takes more levels, and numbers, than the writer gives back
        return b'"cannot be written as JSON again"'


def _entries(fields: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = fields.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PayloadError(f"bad {key}")
    return entries


def _seq(value: object) -> int:
    if type(value) is not int or not 1 <= value < MAX_SEQ:
        raise PayloadError("bad sequence number")
    return value


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise PayloadError(f"bad {key}")
    return value


def _number(fields: dict[str, Any], key: str) -> float | None:
    value = fields.get(key)
    if value is not None and (type(value) not in (float, int) or not isfinite(value)):
        raise PayloadError(f"bad {key}")
    return None if value is None else float(value)


def _measurement(fields: dict[str, Any]) -> Measurement:
    known: dict[str, Any] = {key: _text(fields, key) for key in TEXT}
    for key in COUNT:
        value = known[key] = fields.get(key)
        if type(value) is not int or not 0 <= value < MAX_INT:
            raise PayloadError(f"bad {key}")
    for key, choices in CHOICE.items():
        known[key] = fields.get(key)
        if known[key] not in choices:
            raise PayloadError(f"bad {key}")
    for key in LISTS:
        value = fields.get(key)
        if not isinstance(value, list) or len(value) > MAX_LIST or not all(_is_name(name) for name in value):
            raise PayloadError(f"bad {key}")
        known[key] = tuple(value)
    if type(fields.get("simulated")) is not bool:
        raise PayloadError("bad simulated")
    return Measurement(
        value=_number(fields, "value"), sync_ms=_number(fields, "sync_ms"), simulated=fields["simulated"], **known
    )


def _decode_record(seq: int, entry: dict[str, Any]) -> DecodedRecord:
    kind, time_us = entry.get("kind"), entry.get("time_us")
    if kind not in KINDS:
        raise PayloadError("unknown kind of record")
    if type(time_us) is not int or not 0 <= time_us < MAX_INT:
        raise PayloadError("bad time_us")
    if len(entry) > MAX_FIELDS or not all(len(key) <= MAX_TEXT and _is_flat(value) for key, value in entry.items()):
        raise PayloadError("bad fields of a record")
    return DecodedRecord(seq, kind, _text(entry, "what"), time_us, canonical(entry))


def _is_flat(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= MAX_LIST and all(_is_name(name) for name in value)
    if isinstance(value, str):
        return len(value) <= MAX_WORDS
    if isinstance(value, int):
        return abs(value) < MAX_INT
    return value is None or (isinstance(value, float) and isfinite(value))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
