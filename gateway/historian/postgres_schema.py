"""The table of a PostgreSQL store, and what is asked of it.

One row is one measurement, under its identity: site, gateway, epoch and number, with the end of its window, by which
TimescaleDB divides the table. What a line of the other stores cannot say (unit, reason, placement, the number itself)
has a column. Written again, a row changes nothing; a row whose person, session or times were corrected in the history
takes the place of the one before.
"""

from __future__ import annotations

TABLE = "rehab_measurements"

TEXTS = ("gateway", "epoch", "metric", "unit", "side", "quality", "reason", "algorithm", "devices", "placement", "slot",
         "session", "subject", "clock")  # fmt: skip
COLUMNS = {
    **dict.fromkeys(TEXTS, "text"), "seq": "bigint", "value": "double precision", "n": "bigint",
    "n_rejected": "bigint", "sync_ms": "double precision", "simulated": "boolean",
}  # fmt: skip
"""Name and type of each but the site and the two times, in the order in which they are handed over."""
NULLABLE = frozenset({"value", "sync_ms"})
KEY = ("site", "gateway", "epoch", "seq", "time")

LOCK = "SELECT pg_advisory_xact_lock(hashtext('rehab-gateway schema'))"
"""Historians that share may come first at the same instant."""
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  time timestamptz NOT NULL, start_time timestamptz NOT NULL, site text NOT NULL,
  {", ".join(f"{name} {kind}{'' if name in NULLABLE else ' NOT NULL'}" for name, kind in COLUMNS.items())},
  PRIMARY KEY ({", ".join(KEY)}));
CREATE INDEX IF NOT EXISTS {TABLE}_by_subject ON {TABLE} (subject, metric, time);
CREATE INDEX IF NOT EXISTS {TABLE}_by_time ON {TABLE} USING brin (time);
"""
HAS_TIMESCALE = "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
HYPERTABLE = (
    f"SELECT create_hypertable('{TABLE}', 'time', chunk_time_interval => interval '7 days', if_not_exists => true)"
)
"""A week is TimescaleDB's own default."""

_TIME = "'epoch'::timestamptz + {} * interval '1 microsecond'"
_ARRAYS = ", ".join(f"${i}::{kind}[]" for i, kind in enumerate(("bigint", "bigint", *COLUMNS.values()), 2))
_ROWS = f"unnest({_ARRAYS}) AS r(end_us, start_us, {', '.join(COLUMNS)})"
_REST = ("start_time", *(name for name in COLUMNS if name not in KEY))
INSERT = (
    f"INSERT INTO {TABLE} (site, time, start_time, {', '.join(COLUMNS)})"  # noqa: S608 - our own names
    f" SELECT $1, {_TIME.format('r.end_us')}, {_TIME.format('r.start_us')}, {', '.join(f'r.{c}' for c in COLUMNS)}"
    f" FROM {_ROWS} ON CONFLICT ({', '.join(KEY)}) DO UPDATE"
    f" SET ({', '.join(_REST)}) = ({', '.join(f'excluded.{c}' for c in _REST)})"
    f" WHERE ({', '.join(f'{TABLE}.{c}' for c in _REST)}) IS DISTINCT FROM"
    f" ({', '.join(f'excluded.{c}' for c in _REST)})"
)
_IDENTITY = "unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])"
_SAME = "m.site = $1 AND m.gateway = r.gateway AND m.epoch = r.epoch AND m.seq = r.seq"
MOVED = (
    f"DELETE FROM {TABLE} m USING {_IDENTITY} AS r(gateway, epoch, seq, end_us)"  # noqa: S608 - our own names
    f" WHERE {_SAME} AND m.time <> {_TIME.format('r.end_us')}"
)
"""A number stands once: under a time that was mended since it goes."""
MISSING = (
    f"SELECT r.nth FROM {_IDENTITY} WITH ORDINALITY AS r(gateway, epoch, seq, end_us, nth)"  # noqa: S608 - our own names
    f" WHERE NOT EXISTS (SELECT FROM {TABLE} m WHERE {_SAME} AND m.time = {_TIME.format('r.end_us')})"
)
