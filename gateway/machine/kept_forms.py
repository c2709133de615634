"""Whether the forms of files stay as they are for now: while the version before this one may have to go on with them.

An upgrade leaves a marker in the data folder before the new program starts. While it is there no program changes the
form (the schema) of a file: it reads and writes the form that it finds, or refuses to start. So the way back needs no
conversion, and what was measured meanwhile is in the files already.
"""

from __future__ import annotations

from pathlib import Path

import orjson

MARKER = "way-back.json"


class KeptFormError(Exception):
    """A file is of an older form that this program does not write, and must not be changed yet."""

    advice = "Give up the way back to the version before ('rehab-gateway upgrade --settle'), or go it: 'rollback'."

    def __init__(self, path: Path, version: int, wanted: int) -> None:
        super().__init__(
            f"{path} is of version {version} and would have to become one of version {wanted}, which the version before"
            " this one could not read any more"
        )


def change_of_version(folder: Path) -> dict[str, str]:
    """Return what the marker says of the change of version: from which, and why it might be unsigned, or older."""
    try:
        found = orjson.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return {}
    told = found if isinstance(found, dict) else {}
    return {key: str(told[key]) for key in ("from", "unsigned", "older") if key in told}


def forms_are_kept(folder: Path) -> bool:
    """Whether files in this data folder, or below it, keep their form for now."""
    return any((place / MARKER).exists() for place in (folder, folder.parent))
