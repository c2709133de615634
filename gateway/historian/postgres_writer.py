"""Measurements to PostgreSQL, or TimescaleDB, and what its refusals mean.

A transaction is on the server's disk when it answers (``synchronous_commit``, which is asked for each time), whatever
is killed then. What a server with ``fsync = off``, or a standby that is promoted too early, forgets is found by asking
after the hold-back, as with the other stores.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from config.addresses import loopback
from config.secret import read_secret
from config.settings import Store
from gateway.historian import postgres_schema as sql
from gateway.historian.store_line import CANARY, CANARY_MS
from gateway.historian.store_writer import ADDRESS, TIMEOUT_MS, WriteError, plain
from gateway.history.schema import Stored
from gateway.model.measurement import Measurement

PORT = 5432
TIMEOUT_S = TIMEOUT_MS / 1000
NEEDS = "PostgreSQL needs one more package: pip install 'rehab-gateway[postgres]'"

ROW_CLASSES = frozenset({"22", "23"})
"""Classes of SQLSTATE that speak of values: data exceptions and constraints (PostgreSQL's manual, appendix A)."""
TOO_LONG = "54000"
"""A value too long for an index."""
_SIGN_IN = "check historian.store.username and token_file"
ADVICE = {
    "28000": _SIGN_IN,
    "28P01": _SIGN_IN,
    "3D000": "check historian.store.bucket, which names the database",
    "42501": "the user lacks a right: it has to own the database, or GRANT CREATE ON SCHEMA public TO it",
    "42703": f"the table {sql.TABLE} is not as this version makes it",
    "25006": f"it only reads, as a standby does: {ADDRESS}",
    "53100": "its disk is full",
}
"""By SQLSTATE, what a person can mend."""


class PostgresWriter:
    """One connection to PostgreSQL, made when it is needed. For one thread at a time.

    To another machine it goes over TLS with the server's certificate checked, unless ``clear_text`` says otherwise; on
    this machine without, unless ``ca_file`` is named.
    """

    def __init__(self, settings: Store) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def write(self, rows: Sequence[Stored], site: str) -> None:
        """Write rows in one transaction; those that are there already become what they are now."""
        ordered = sorted(rows, key=lambda row: (row.gateway, row.epoch, row.seq))  # so that two writers never deadlock
        self._run(lambda: self._write(ordered, site, keep=True))

    def prove(self, site: str) -> None:
        """Have a row written that is right, and taken back; raises WriteError where the table takes none."""
        self._run(lambda: self._write([_canary()], site, keep=False))

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        """Return which of these are not in the table, under their time."""
        found: list[Any] = self._run(lambda: self._fetch(sql.MISSING, site, *_identities(rows)))
        return [rows[record["nth"] - 1] for record in found]

    def erase(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> None:
        """Delete every row of a subject, or of these further columns alone; raises WriteError."""
        where, values = _where({"site": site, "subject": subject, **(of or {})})
        self._run(lambda: self._fetch(f"DELETE FROM {sql.TABLE} WHERE {where}", *values))  # noqa: S608 - our own names

    def has(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> bool:
        """Whether there still is a row of them."""
        where, values = _where({"site": site, "subject": subject, **(of or {})})
        query = f"SELECT 1 FROM {sql.TABLE} WHERE {where} LIMIT 1"  # noqa: S608 - our own names
        return bool(self._run(lambda: self._fetch(query, *values)))

    def look(self) -> dict[str, str]:
        """Return what the server says of itself, and of our rights, without making or writing anything.

        Keys: ``version``, ``fsync``, ``only_reads`` and ``may_create`` or, where the table is there, ``may_write``.
        """
        query = (
            f"SELECT CASE WHEN t IS NULL THEN has_schema_privilege(current_schema(), 'CREATE')"  # noqa: S608
            " ELSE has_table_privilege(t, 'INSERT, UPDATE, DELETE, SELECT') END AS may, t IS NOT NULL AS made,"
            " current_setting('server_version') AS version, current_setting('fsync') AS fsync,"
            f" pg_is_in_recovery() AS only_reads FROM (SELECT to_regclass('{sql.TABLE}') AS t) found"
        )
        found = self._run(lambda: self._look(query))
        right = "may_write" if found["made"] else "may_create"
        return {
            "version": found["version"], "fsync": found["fsync"],
            "only_reads": "yes" if found["only_reads"] else "no", right: "yes" if found["may"] else "no",
        }  # fmt: skip

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        self._runner.close()

    def _run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do something with the connection; what fails becomes a WriteError, and the next makes a new connection."""
        try:
            from asyncpg import InterfaceError, PostgresError
        except ModuleNotFoundError as error:
            raise WriteError(NEEDS, lasting=False) from error

        async def done() -> Any:
            async with asyncio.timeout(2 * TIMEOUT_S):
                return await work()

        try:
            return self._runner.run(done())
        except PostgresError as error:
            raise _refusal(str(getattr(error, "sqlstate", None) or ""), str(error)) from error
        except (InterfaceError, OSError, ValueError) as error:  # a time-out is an OSError
            raise WriteError(_in_words(error), lasting=False) from error

    async def _connected(self) -> Any:
        """Return a connection whose server has the table."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            try:
                await self._make_table(self._connection)
            except BaseException:
                self._let_go()
                raise
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        connection.terminate()

    async def _connect(self) -> Any:
        import asyncpg

        settings = self._settings
        parts = urlsplit(settings.url)
        return await asyncpg.connect(
            host=parts.hostname, port=parts.port or PORT, user=settings.username, database=settings.bucket,
            password=read_secret(settings.token_file) if settings.token_file else None, ssl=tls_of(settings),
            timeout=TIMEOUT_S, command_timeout=TIMEOUT_S,
            statement_cache_size=0,  # a pooler in between (PgBouncer) may give each transaction another server process
        )  # fmt: skip

    async def _make_table(self, connection: Any) -> None:
        if await connection.fetchval(f"SELECT to_regclass('{sql.TABLE}')"):
            return
        async with connection.transaction():
            await connection.execute(sql.LOCK)
            await connection.execute(sql.CREATE)
            if await connection.fetchval(sql.HAS_TIMESCALE):
                await connection.execute(sql.HYPERTABLE)

    async def _fetch(self, query: str, *values: object) -> Any:
        return await (await self._connected()).fetch(query, *values)

    async def _look(self, query: str) -> Any:
        connection = await self._connect()
        try:
            return await connection.fetchrow(query)
        finally:
            connection.terminate()

    async def _write(self, rows: Sequence[Stored], site: str, *, keep: bool) -> None:
        connection = await self._connected()
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("SET LOCAL synchronous_commit = on")
            await connection.execute(sql.MOVED, site, *_identities(rows))
            await connection.execute(sql.INSERT, site, *_arrays(rows))
            await (transaction.commit() if keep else transaction.rollback())
        except asyncio.CancelledError:
            self._let_go()
            raise
        except Exception:  # whatever it was, nothing of it may stay open
            if not connection.is_closed():
                await _roll_back(transaction, connection)
            raise


async def _roll_back(transaction: Any, connection: Any) -> None:
    from asyncpg import InterfaceError, PostgresError

    try:
        await transaction.rollback()
    except (InterfaceError, PostgresError, OSError):
        connection.terminate()


def tls_of(settings: Store) -> ssl.SSLContext | bool:
    """Return how to speak to the server: TLS with its certificate checked, or False for clear text."""
    here = loopback(urlsplit(settings.url).hostname or "")
    if settings.ca_file is None and (here or settings.clear_text == "accepted"):
        return False
    return ssl.create_default_context(cafile=settings.ca_file)


def _refusal(state: str, text: str) -> WriteError:
    lasting = state[:2] in ROW_CLASSES or state == TOO_LONG
    return WriteError(
        ": ".join(filter(None, (f"SQLSTATE {state}", plain(text), ADVICE.get(state, "")))), lasting=lasting
    )


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or "SSL" in str(error):
        return plain(f"TLS failed, check historian.store.url, ca_file and the store's certificate: {error}")
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s: {ADDRESS}"
    return plain(f"{type(error).__name__}: {error}")


def _canary() -> Stored:
    at_us = CANARY_MS * 1000
    return Stored(0, CANARY, "0" * 16, 0, Measurement(
        metric=CANARY, value=1.0, unit="1", side="none", start_us=at_us, end_us=at_us, sync_ms=None, n=1, n_rejected=0,
        quality="ok", reason="", algorithm="", devices=(), placement=(), slot="", session="", subject="",
        simulated=True,
    ))  # fmt: skip


def _identities(rows: Sequence[Stored]) -> list[list[Any]]:
    return [
        [row.gateway for row in rows], [row.epoch for row in rows], [row.seq for row in rows],
        [row.measurement.end_us for row in rows],
    ]  # fmt: skip


def _arrays(rows: Sequence[Stored]) -> list[list[Any]]:
    """Return one list a column, in the order of ``postgres_schema.COLUMNS`` behind the two times."""
    times = [[row.measurement.end_us for row in rows], [row.measurement.start_us for row in rows]]
    fields = [_fields(row) for row in rows]
    return times + [[of[name] for of in fields] for name in sql.COLUMNS]


def _fields(row: Stored) -> dict[str, Any]:
    m = row.measurement
    return {
        **{name: getattr(m, name, None) for name in sql.COLUMNS},
        "gateway": row.gateway, "epoch": row.epoch, "seq": row.seq, "clock": row.clock,
        "devices": "+".join(m.devices), "placement": "+".join(m.placement),
    }  # fmt: skip


def _where(columns: Mapping[str, str]) -> tuple[str, list[str]]:
    names = [name for name in columns if name in {"site", *sql.TEXTS}]
    return " AND ".join(f"{name} = ${i}" for i, name in enumerate(names, 1)), [columns[name] for name in names]
