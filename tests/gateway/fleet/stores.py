"""The stores that a fleet's historians write into, and what they hold afterwards."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.gateway.fleet.hospital import SITE
from tests.servers import PASSWORD, PostgreSql, postgresql, victoria_metrics_in

HOLD_BACK_S = 2.0
KINDS = ("victoriametrics", "postgresql")


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds.

    Attributes:
        places: Of each number in how many places: series and times, or rows. More than one is twice.
        again: Points that were written once more in the place where they were (a batch whose answer was late).
    """

    places: dict[int, int]
    again: int = 0


@dataclass(frozen=True, slots=True)
class FleetStore:
    """A store that runs.

    Attributes:
        name: What it is called.
        section: Lines of a historian's configuration.
        held: Returns what it holds.
        size: Returns the bytes of its files; 0 where it is not our own.
    """

    name: str
    section: str
    held: Callable[[], Held]
    size: Callable[[], int]


@contextmanager
def store_of(which: str, folder: Path) -> Iterator[FleetStore]:
    """Give an empty store of a kind, or the VictoriaMetrics at an address."""
    if which == "postgresql":
        with postgresql() as server:
            yield of_postgresql(server, folder)
    elif which == "victoriametrics":
        with victoria_metrics_in(folder / "store") as child:
            yield of_victoria_metrics(f"http://127.0.0.1:{child.port}", folder / "store")
    else:
        yield of_victoria_metrics(which, None)


def of_victoria_metrics(url: str, folder: Path | None) -> FleetStore:
    """Describe a VictoriaMetrics, with its files where it is our own."""
    section = f'[historian.store]\nkind = "victoriametrics"\nurl = "{url}"\nhold_back_s = {HOLD_BACK_S}\n'

    def size() -> int:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder else 0

    return FleetStore("VictoriaMetrics", section, lambda: in_victoria_metrics(url), size)


def in_victoria_metrics(url: str) -> Held:
    """Return in how many series and times it holds each measurement."""
    query = urllib.parse.urlencode({"match[]": f'{{__name__=~".+_value",site="{SITE}"}}', "start": 0})
    found: dict[int, set[tuple[str, int]]] = {}
    points = 0
    with urllib.request.urlopen(f"{url}/api/v1/export?{query}", timeout=120) as answer:  # noqa: S310 - what the caller named
        for text in answer:
            series = orjson.loads(text)
            name = str(sorted(series["metric"].items()))
            points += len(series["values"])
            for at, value in zip(series["timestamps"], series["values"], strict=True):
                found.setdefault(int(value), set()).add((name, at))
    places = {number: len(at) for number, at in found.items()}
    return Held(places, points - sum(places.values()))


def of_postgresql(server: PostgreSql, folder: Path) -> FleetStore:
    """Describe a PostgreSQL."""
    password = folder / "password"
    password.write_text(PASSWORD)
    query = f"SELECT value::bigint, count(*) FROM rehab_measurements WHERE site = '{SITE}' GROUP BY 1"  # noqa: S608 - our own name
    return FleetStore(
        "PostgreSQL",
        f'[historian.store]\nkind = "postgresql"\nurl = "postgresql://127.0.0.1:{server.port}"\n'
        f'username = "rehab"\ntoken_file = "{password}"\nhold_back_s = {HOLD_BACK_S}\n',
        lambda: Held({int(number): int(times) for number, times in server.sql(query)}),
        lambda: int(server.sql("SELECT pg_total_relation_size('rehab_measurements')")[0][0]),
    )
