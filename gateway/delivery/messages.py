"""Make the message that carries rows, or that tells gaps."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.delivery.in_flight import Outgoing, spans
from gateway.model.row import Gap, Row
from gateway.wire.payload import encode_gaps, encode_measurements, encode_records
from gateway.wire.topics import Topics


def message_of(topics: Topics, parts: Sequence[Row] | Sequence[Gap], *, epoch: str, released: int) -> Outgoing:
    """Return the message of rows of one slot, or of gaps.

    Args:
        topics: Of the gateway.
        parts: Rows or gaps, in the order of their numbers; without any it only says what was released.
        epoch: Whose numbers these are.
        released: Everything of that epoch up to here has left the outbox.
    """
    rows = [part for part in parts if isinstance(part, Row)]
    if not rows:
        gaps = tuple(part for part in parts if isinstance(part, Gap))
        payload = encode_gaps(topics.gateway, epoch, released, gaps)
        return Outgoing(topics.gaps, payload, epoch, tuple((gap.first, gap.last) for gap in gaps), parts=gaps)
    if rows[0].slot:
        topic = topics.measurements(rows[0].slot)
        payload = encode_measurements(topics.gateway, epoch, released, rows)
    else:
        topic, payload = topics.records, encode_records(topics.gateway, epoch, released, rows)
    return Outgoing(topic, payload, epoch, spans(rows), parts=tuple(rows))
