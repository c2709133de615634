"""Series, and sessions, of which nothing is left: taken out, so that years of restarts do not add up."""

from __future__ import annotations

from gateway.history.database import Database

PORTION = 2_000
"""Series looked at in one transaction: some 20 ms."""


def sweep_series(history: Database) -> bool:
    """Look at some more series; return whether there are more. A session goes with the last of its series."""
    with history.transaction() as db:
        after = db.execute("SELECT swept_series FROM upkeep").fetchone()[0]
        upto = db.execute(
            "SELECT max(id) FROM (SELECT id FROM series WHERE id > ? ORDER BY id LIMIT ?)", (after, PORTION)
        ).fetchone()[0]
        if upto is None:
            db.execute("UPDATE upkeep SET swept_series = 0")
            return False
        nothing = (
            "id > ? AND id <= ? AND NOT EXISTS (SELECT 1 FROM measurements m WHERE m.series = series.id)"
            " AND NOT EXISTS (SELECT 1 FROM minutes n WHERE n.series = series.id)"
            " AND NOT EXISTS (SELECT 1 FROM measurements m WHERE m.made_series = series.id)"
        )
        span = (after, upto)
        sessions = db.execute(f"SELECT DISTINCT session, slot, subject FROM series WHERE {nothing}", span).fetchall()  # noqa: S608 - our own text
        if sessions:
            db.execute(f"DELETE FROM series WHERE {nothing}", span)  # noqa: S608
            db.executemany(
                "DELETE FROM sessions WHERE session = ?1 AND slot = ?2 AND subject = ?3 AND NOT EXISTS"
                " (SELECT 1 FROM series WHERE slot = ?2 AND session = ?1 AND subject = ?3)", sessions
            )  # fmt: skip
            history.forget()
        db.execute("UPDATE upkeep SET swept_series = ?", (upto,))
        return True
