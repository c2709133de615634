"""The roll-outs in the desk's books: one at a time, the newest is the one that counts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from gateway.fleet.plan import Bundle, PlanState, Ring
from gateway.fleet.register import Register, RollOut

COLUMNS = "id, attempt, path, bundle, rings, soak_s, within_s, open, state, why, made_s"


class BusyError(Exception):
    """Another roll-out is under way, or there is none that this could be said of."""


class RollOuts:
    """Begins roll-outs, and notes how they go."""

    def __init__(self, register: Register) -> None:
        self._register = register

    def begin(
        self, path: Path, bundle: Bundle, rings: tuple[Ring, ...], *, soak_s: float, within_s: float, now_s: float
    ) -> int:
        """Begin one; return its number, which no plan before had. Raises BusyError while another is open."""
        packed = (orjson.dumps(asdict(bundle)).decode(), orjson.dumps([asdict(ring) for ring in rings]).decode())
        with self._register.changing() as db:
            newest = self.newest()
            if newest is not None and newest.state == "open":
                raise BusyError(
                    f"roll-out {newest.id} of {newest.bundle.version} is still open: wait for it, or abort it"
                )
            number = 1 + max(newest.id if newest else 0, int(self._register.fact("counter") or 0))
            db.execute(
                f"INSERT INTO roll_outs ({COLUMNS}) VALUES (?, 1, ?, ?, ?, ?, ?, 1, 'open', 'begun', ?)",  # noqa: S608 - our own names
                (number, str(path), *packed, soak_s, within_s, now_s),
            )
        return number

    def newest(self) -> RollOut | None:
        """Return the newest roll-out; None before the first."""
        row = self._register.newest(COLUMNS)
        return _roll_out(row) if row else None

    def note(self, roll_out: int, *, state: PlanState, why: str, opened: int | None = None) -> None:
        """Note how it goes, and which rings are open; of one that somebody has aborted meanwhile, nothing."""
        with self._register.changing() as db:
            db.execute(
                "UPDATE roll_outs SET state = ?, why = ?, open = coalesce(?, open) WHERE id = ?"
                " AND state IN ('open', 'stopped')",
                (state, why, opened, roll_out),
            )

    def resume(self) -> RollOut:
        """Have a roll-out that was stopped or aborted go on: whoever failed tries again. Raises BusyError."""
        with self._register.changing() as db:
            newest = self.newest()
            if newest is None or newest.state not in ("stopped", "aborted"):
                raise BusyError("there is no roll-out that was stopped or aborted")
            if not newest.path.exists():
                raise BusyError(f"its file {newest.path} is not there any more: begin another roll-out")
            db.execute(
                "UPDATE roll_outs SET state = 'open', why = 'resumed', attempt = attempt + 1 WHERE id = ?", (newest.id,)
            )
        return newest

    def abort(self) -> RollOut:
        """Have nobody else take it. Raises BusyError."""
        with self._register.changing() as db:
            newest = self.newest()
            if newest is None or newest.state not in ("open", "stopped"):
                raise BusyError("there is no roll-out under way")
            db.execute(
                "UPDATE roll_outs SET state = 'aborted', why = 'aborted by an administrator' WHERE id = ?", (newest.id,)
            )
        return newest


def _roll_out(row: tuple[Any, ...]) -> RollOut:
    bundle = orjson.loads(row[3])
    rings = tuple(Ring(ring["name"], tuple(ring["gateways"])) for ring in orjson.loads(row[4]))
    kept = Bundle(**{**bundle, "parts": tuple(bundle["parts"])})
    return RollOut(row[0], row[1], Path(row[2]), kept, rings, *row[5:])
