"""The JSON of measurements, from their fields as columns: byte for byte what encoding each by itself gives.

Of what a step measures, most of the text is the same again and again: whose it is, from which devices, by which
algorithm. That is encoded once and kept; the numbers of all measurements are written by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from gateway.model.measurements import NAMES, Fields

KEPT: Final = 8192
"""Texts that are kept, some 300 bytes each: of a full ward a tenth of that are in use."""
_OBJECT: Final = b'%b%b%b%d,"end_us":%d,"sync_ms":%b,"n":%d,"n_rejected":%d%b'
_TEXTS: Final = NAMES[NAMES.index("quality") :]
"""From the quality on all is text, and the same for many."""


def encode_rows(rows: Sequence[Fields]) -> list[bytes]:
    """Return the JSON object of each measurement; raises TypeError where one holds what JSON does not have."""
    if not rows:
        return []
    metric, value, unit, side, start_us, end_us, sync_ms, n, n_rejected, *texts = zip(*rows, strict=True)
    columns = (
        map(_begin, metric), _numbers(value), map(_unit, unit, side), start_us, end_us, _numbers(sync_ms),
        n, n_rejected, map(_end, zip(*texts, strict=True)),
    )  # fmt: skip
    try:
        return [_OBJECT % row for row in zip(*columns, strict=True)]
    except (ValueError, OverflowError) as error:  # a count that is no number, a value that is several
        raise TypeError(str(error)) from error


def _numbers(column: Sequence[float | None]) -> list[bytes]:
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


@lru_cache(KEPT)
def _begin(metric: str) -> bytes:
    return b'{"metric":%b,"value":' % orjson.dumps(metric)


@lru_cache(KEPT)
def _unit(unit: str, side: str) -> bytes:
    return b',"unit":%b,"side":%b,"start_us":' % (orjson.dumps(unit), orjson.dumps(side))


@lru_cache(KEPT)
def _end(texts: Fields) -> bytes:
    return b",%b" % orjson.dumps(dict(zip(_TEXTS, texts, strict=True)))[1:]
