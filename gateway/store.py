"""The remote time-series store: line protocol, written synchronously, retried until it is taken or proved unacceptable.

A line of the store is one measurement::

    cadence,site=s,gateway=g,slot=bay-1,session=s-1,subject=p-01,side=both,algorithm=cadence/1,devices=dot-1+dot-2,\
simulated=true value=101.5,n=12i,n_rejected=0i,quality=0i,duration_ms=10000,sync_ms=2.5 1760000000000

The measurement's name is the catalogue's metric, the tags are its stable identity, the time is the end of its window in
milliseconds (the one unit that every store takes). The same measurement always gives the same line, so writing it again
changes nothing. Fields are numbers only. ``quality`` is 0 ok, 1 degraded, 2 invalid. A measurement without a value has
no field ``value``: an absence is not a number. VictoriaMetrics calls the fields ``cadence_value``, ``cadence_n`` …
and keeps some twelve decimal digits of them.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from config.settings import Store
from gateway.history import Stored
from gateway.history_schema import QUALITY
from gateway.mqtt import backoff_s

log = logging.getLogger(__name__)

PRECISION = "ms"
TIMEOUT_MS = 10_000
"""Of one write; a store that takes longer is down."""
RETRY_AFTER_MOST_S = 300.0
"""A store may ask for a pause; not for a day."""
UNACCEPTABLE = frozenset({400, 413, 422})
"""Statuses that speak of the lines themselves; everything else may pass with time."""

Refuse = Callable[[Stored, str], None]

_NAME = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\ ", "\r": r"\ ", "\\": "/"})
_TAG = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ ", "\r": r"\ ", "\\": "/"})
"""A backslash of a name would escape what follows it, differently in each store: it becomes a slash."""


def line(row: Stored, site: str) -> str:
    """Return the line of one measurement."""
    m = row.measurement
    tags = {
        "site": site, "gateway": row.gateway, "slot": m.slot, "session": m.session, "subject": m.subject,
        "side": m.side, "algorithm": m.algorithm, "devices": "+".join(m.devices),
        "simulated": "true" if m.simulated else "false",
    }  # fmt: skip
    fields = [] if m.value is None else [f"value={m.value!r}"]
    fields += [f"n={m.n}i", f"n_rejected={m.n_rejected}i", f"quality={QUALITY.index(m.quality)}i"]
    fields += [f"duration_ms={(m.end_us - m.start_us) / 1000!r}"]
    fields += [] if m.sync_ms is None else [f"sync_ms={m.sync_ms!r}"]
    # A store drops an empty tag, or refuses the line.
    named = "".join(f",{key}={value.translate(_TAG)}" for key, value in tags.items() if value)
    return f"{m.metric.translate(_NAME)}{named} {','.join(fields)} {m.end_us // 1000}"


class WriteError(Exception):
    """The store did not take the lines.

    Attributes:
        lasting: Whether the lines themselves are to blame, so that trying again is of no use.
        retry_after_s: How long the store asked us to wait; None if it did not say.
    """

    def __init__(self, reason: str, *, lasting: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.lasting = lasting
        self.retry_after_s = retry_after_s


class Writer(Protocol):
    """Something that takes lines; raises WriteError."""

    def write(self, lines: Sequence[str]) -> None:
        """Write lines; they are in the store when this returns, as far as it says."""

    def close(self) -> None:
        """Let go of connections."""


class LineWriter:
    """Line protocol over HTTP through influxdb-client, synchronously: its batching mode loses data when a store fails.

    InfluxDB 2, InfluxDB 3 Core and VictoriaMetrics all take ``/api/v2/write``; the bucket is the database of InfluxDB 3
    and means nothing to VictoriaMetrics.
    """

    def __init__(self, settings: Store) -> None:
        # Half a second and 50 MB: only where a store is configured.
        from influxdb_client import InfluxDBClient
        from influxdb_client.client.exceptions import InfluxDBError
        from influxdb_client.client.write_api import SYNCHRONOUS
        from urllib3.exceptions import HTTPError

        token = settings.token_file.read_text().strip() if settings.token_file else ""
        self._bucket = settings.bucket
        self._answered: type[Any] = InfluxDBError
        self._failed = (HTTPError, OSError)
        self._client = InfluxDBClient(
            url=settings.url,
            token=token or None,
            org=settings.organisation or "-",
            timeout=TIMEOUT_MS,
            enable_gzip=True,
        )  # fmt: skip
        if token and settings.kind == "victoriametrics":
            # Its proxy vmauth knows bearer tokens only.
            self._client.api_client.default_headers["Authorization"] = f"Bearer {token}"
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> None:
        """Write lines in one request."""
        try:
            self._api.write(self._bucket, record="\n".join(lines).encode(), write_precision=PRECISION)
        except self._answered as error:
            status = getattr(error, "status", None)
            asked = error.retry_after
            raise WriteError(
                f"status {status}: {error.message or error}", lasting=status in UNACCEPTABLE,
                retry_after_s=float(asked) if asked and asked.isdigit() else None,
            ) from error  # fmt: skip
        except self._failed as error:
            raise WriteError(f"{type(error).__name__}: {error}", lasting=False) from error

    def close(self) -> None:
        """Let go of connections."""
        self._api.close()
        self._client.close()


class RemoteStore:
    """Write measurements until they are taken, whatever happens between; only what is proved unacceptable is set apart.

    Args:
        writer: Where lines go.
        site: Tag of every line.
        refuse: Called with a measurement that the store refuses, and why.
        rng: Source of jitter.
    """

    def __init__(self, writer: Writer, site: str, refuse: Refuse, *, rng: random.Random | None = None) -> None:
        self.errors: Counter[str] = Counter()
        self.last_error = ""
        self.written = 0
        self._writer = writer
        self._site = site
        self._refuse = refuse
        self._rng = rng or random.Random()
        self._stop = threading.Event()

    def write(self, rows: Sequence[Stored]) -> bool:
        """Write rows; False if stopped before they were taken."""
        attempt = 0
        while not self._stop.is_set():
            try:
                self._writer.write([line(row, self._site) for row in rows])
            except WriteError as error:
                if error.lasting:
                    return self._halve(rows, error)
                self._note("store is down", error)
                pause = backoff_s(attempt, self._rng)
                if error.retry_after_s is not None:
                    pause += min(error.retry_after_s, RETRY_AFTER_MOST_S)
                self._stop.wait(pause)
                attempt += 1
            else:
                self.written += len(rows)
                self.last_error = ""
                return True
        return False

    def stop(self) -> None:
        """End a write that waits, soon."""
        self._stop.set()

    def close(self) -> None:
        """Let go of connections."""
        self._writer.close()

    def _halve(self, rows: Sequence[Stored], error: WriteError) -> bool:
        """Find the measurement that the store refuses among those that it would take."""
        if len(rows) == 1:
            self._note("refused by the store", error)
            self._refuse(rows[0], str(error))
            return True
        middle = len(rows) // 2
        return self.write(rows[:middle]) and self.write(rows[middle:])

    def _note(self, kind: str, error: WriteError) -> None:
        self.errors[kind] += 1
        if self.last_error != str(error):
            self.last_error = str(error)
            log.warning("%s: %s", kind, error)
