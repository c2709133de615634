"""A JSON object from somebody who may send anything."""

from __future__ import annotations

from typing import Any

import orjson


def json_object(payload: bytes, most_bytes: int) -> dict[str, Any] | None:
    """Return the object that a payload is; None where it is none, or larger than so many bytes."""
    if len(payload) > most_bytes:
        return None
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
