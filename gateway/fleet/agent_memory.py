"""What an agent must not forget: the newest plan it has seen, and what came of it. On disk before anything is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import orjson

from gateway.fleet.roll_out import Outcome
from gateway.machine.durable import replace_file

FILE = "agent.json"


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept.

    Attributes:
        counter: Of the newest plan that was believed.
        plan_sha256: Of that plan: another with its number is none.
        roll_out: Number of the newest roll-out that this gateway had a part in; 0 before the first.
        attempt: Which attempt of it.
        kind: Of its bundle.
        version: Of its bundle.
        outcome: What came of it.
        why: In words.
    """

    counter: int = 0
    plan_sha256: str = ""
    roll_out: int = 0
    attempt: int = 0
    kind: str = ""
    version: str = ""
    outcome: Outcome = "waiting"
    why: str = ""


class AgentMemory:
    """The memory's file.

    Raises:
        ValueError: It is not one: who would go on without it could be told an old plan again.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.now = Memory()
        if self._path.exists():
            self.now = _read(self._path)

    def keep(self, **changes: object) -> None:
        """Change it, on disk first."""
        new = replace(self.now, **changes)  # type: ignore[arg-type] # by the names of its fields
        replace_file(self._path, orjson.dumps(asdict(new)))
        self.now = new


def _read(path: Path) -> Memory:
    """Return what a file keeps; what a newer version keeps besides is none of ours. Raises ValueError."""
    try:
        found = orjson.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise TypeError("it is no object")  # noqa: TRY301 - as whatever else is wrong with it
        kept = {field.name: found[field.name] for field in fields(Memory) if field.name in found}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not an agent's memory: {error}") from None
    wrong = [name for name, value in kept.items() if type(value) is not type(getattr(Memory(), name))]
    if wrong:
        raise ValueError(f"{path} is not an agent's memory: '{wrong[0]}' in it is none")
    return Memory(**kept)
