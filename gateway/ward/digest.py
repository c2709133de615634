"""By what the slots of two configurations are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import orjson

from config.settings import Slot

LATER_FIELDS: Final[Mapping[str, object]] = {"mass_kg": None, "affected_side": "none", "heart_ceiling": None}
"""Fields that slots had not always: a file that does not use them is the file that it was."""


def slots_digest(slots: Sequence[Slot]) -> str:
    """Return by what the slots of two configurations are told apart."""
    found = [slot.model_dump(mode="json") for slot in slots]
    for slot in found:
        for name, unsaid in LATER_FIELDS.items():
            if slot[name] == unsaid:
                del slot[name]
    return sha256(orjson.dumps(found)).hexdigest()
