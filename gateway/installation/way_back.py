"""The marker in the data folder that keeps the forms of files as they are while the version before may go on."""

from __future__ import annotations

from pathlib import Path

import orjson

from gateway.installation.journal import Change
from gateway.machine import durable
from gateway.machine.kept_forms import MARKER
from gateway.machine.ownership import acting_as_owner_of

MODE = 0o640


def open_way_back(change: Change) -> None:
    """Have every program keep the forms of the files from now on."""
    if not change.data:
        return
    path = Path(change.data) / MARKER
    said = {"kind": change.kind, "from": change.old, "to": change.new, "at_us": change.at_us}
    reasons = {key: value for key in ("unsigned", "older") if (value := getattr(change, key))}
    with acting_as_owner_of(path.parent):
        durable.replace_file(path, orjson.dumps(said | reasons), mode=MODE)


def is_open(data: Path) -> bool:
    """Whether the forms of files are kept at present."""
    return (data / MARKER).exists()


def close_way_back(data: Path) -> None:
    """Let programs change the forms of files again."""
    with acting_as_owner_of(data):
        durable.remove(data / MARKER)
