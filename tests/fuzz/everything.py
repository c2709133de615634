"""All targets; imported only after the fuzzer has set up its instruments."""

from __future__ import annotations

from tests.fuzz import devices, files, messages
from tests.fuzz.target import Target


def targets() -> dict[str, Target]:
    """Return every target by name."""
    return {t.name: t for t in (*devices.targets(), *messages.targets(), *files.targets())}
