"""The doctor's look at a PostgreSQL that the historian writes to: nothing is made or written there."""

from __future__ import annotations

from config.settings import Store
from gateway.cli.doctor.finding import Finding
from gateway.historian.postgres_writer import PostgresWriter
from gateway.historian.store_writer import WriteError


def judge_postgresql(store: Store, where: str) -> Finding:
    """It answers, takes our password, lets us write, and keeps what it has answered for."""
    writer = PostgresWriter(store)
    try:
        found = writer.look()
    except WriteError as error:
        return Finding("store", "fail", f"{where}: {error}", "Check the keys of [historian.store], and the network.")
    finally:
        writer.close()
    server = f"PostgreSQL {found['version']} at {where}"
    if found["only_reads"] == "yes":
        advice = "That is a standby: put the address of the server that writes into historian.store.url."
        return Finding("store", "fail", f"{server} only reads", advice)
    if found.get("may_create") == "no":
        advice = "Have its administrator make the user the database's owner, or GRANT CREATE ON SCHEMA public TO it."
        return Finding("store", "fail", f"{server} does not let us make our table", advice)
    if found.get("may_write") == "no":
        advice = "Have its administrator GRANT SELECT, INSERT, UPDATE, DELETE ON rehab_measurements TO the user."
        return Finding("store", "fail", f"{server} does not let us write into our table", advice)
    if found["fsync"] != "on":
        advice = "It loses what it has answered for when the power fails: set fsync = on in postgresql.conf."
        return Finding("store", "warn", f"{server} runs with fsync = {found['fsync']}", advice)
    return Finding("store", "ok", f"{server} answers and lets us write")
