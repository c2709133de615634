"""Records: what the outbox carries beside measurements, notices and the audit, and the chain that ties the audit.

Each record of the audit holds its number and the SHA-256 of the record before it, so one that is taken out, put in or
changed shows. The sum is taken of the record as canonical JSON, which whoever reads it can make again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson

from gateway.model.row import AUDIT, EVENT, Chain

Kind = Literal["notice", "audit", "ward"]
KINDS: tuple[Kind, ...] = ("notice", "audit", "ward")
PURGED = "purged_sha256"
"""Field of a record that was erased by subject: the sum of what it had been."""


@dataclass(frozen=True, slots=True)
class Record:
    """A notice that was raised or cleared, an entry of the audit, or what the history has to know of the ward.

    Attributes:
        kind: Which of them.
        what: Code of the notice, what happened, or what of the ward it is about.
        time_us: When, UTC microseconds.
        fields: The rest: texts, numbers, lists of texts.
    """

    kind: Kind
    what: str
    time_us: int
    fields: Mapping[str, Any]

    @property
    def rank(self) -> int:
        """Its class in the outbox."""
        return EVENT if self.kind == "notice" else AUDIT


def body(record: Record, chain: Chain) -> tuple[bytes, Chain]:
    """Return a record as canonical JSON, and how far the chain is with it; raises TypeError for what JSON has not."""
    fields = {**record.fields, "kind": record.kind, "what": record.what, "time_us": record.time_us}
    if record.kind != "audit":
        return canonical(fields), chain
    n = chain.n + 1
    made = canonical({**fields, "n": n, "previous": chain.head})
    return made, Chain(n, digest(made))


def canonical(fields: Mapping[str, Any]) -> bytes:
    """Return the one JSON that these fields have: keys sorted, no spaces, UTF-8."""
    return orjson.dumps(dict(fields), option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def purged(made: bytes) -> bytes:
    """Return what stays of a record whose content was erased: its place, and its sum, on which the next one rests."""
    fields = orjson.loads(made)
    place = {key: fields[key] for key in ("kind", "what", "time_us", "n", "previous") if key in fields}
    return canonical({**place, PURGED: fields.get(PURGED) or digest(made)})


def sum_of(made: bytes) -> str:
    """Return the sum on which the next record rests: one whose content was erased keeps that of what it had been."""
    try:
        kept = orjson.loads(made).get(PURGED)
    except (orjson.JSONDecodeError, AttributeError):
        kept = None  # it rotted on the disk
    return kept if isinstance(kept, str) else digest(made)


def digest(made: bytes) -> str:
    """Return the sum that the next record of the audit carries."""
    return sha256(made).hexdigest()
