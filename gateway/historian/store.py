"""The remote time-series store: line protocol, written synchronously, retried until it is taken or proved unacceptable.

A line of the store is one measurement::

    cadence,site=s,gateway=g,slot=bay-1,session=s-1,subject=p-01,side=both,algorithm=cadence/1,devices=dot-1+dot-2,\
simulated=true value=101.5,n=12i,n_rejected=0i,quality=0i,duration_ms=10000,sync_ms=2.5 1760000000000

The measurement's name is the catalogue's metric, the tags are its stable identity, the time is the end of its window in
milliseconds (the one unit that every store takes). The same measurement always gives the same line, so writing it again
changes nothing. Fields are numbers only. ``quality`` is 0 ok, 1 degraded, 2 invalid. A measurement without a value has
no field ``value``: an absence is not a number. One whose wall time is in doubt, and stays so, has the tag
``clock=doubtful``. VictoriaMetrics calls the fields ``cadence_value``, ``cadence_n`` …
and keeps some twelve decimal digits of them.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from config.settings import Store
from gateway.broker.link import backoff_s
from gateway.history.history import Stored
from gateway.history.schema import QUALITY

log = logging.getLogger(__name__)

PRECISION = "ms"
TIMEOUT_MS = 10_000
"""Of one write; a store that takes longer is down."""
RETRY_AFTER_MOST_S = 300.0
"""A store may ask for a pause; not for a day."""
UNACCEPTABLE = frozenset({400, 413, 422})
"""Statuses that speak of the lines themselves; everything else may pass with time."""
FORBIDDEN = frozenset({401, 403})
MAY_PASS = frozenset({401, 408, 429})
"""Of the statuses below 500, those that a question may get and get over."""

METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

Refuse = Callable[[Stored, str], None]

_TAG = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ ", "\r": r"\ "})


def tags_of(row: Stored, site: str) -> dict[str, str]:
    """Return the stable identity of the series of a measurement; a store drops an empty tag, or refuses the line."""
    m = row.measurement
    tags = {
        "site": site, "gateway": row.gateway, "slot": m.slot, "session": m.session, "subject": m.subject,
        "side": m.side, "algorithm": m.algorithm, "devices": "+".join(m.devices),
        "simulated": "true" if m.simulated else "false",
        # A series of its own, which can be deleted once the times are known: then it is written again without.
        "clock": "doubtful" if row.clock == "doubtful" else "",
    }  # fmt: skip
    # A backslash would escape what follows it, differently in each store: it becomes a slash.
    return {key: value.replace("\\", "/") for key, value in tags.items() if value}


def unfit(row: Stored) -> str:
    """Return why a measurement cannot be a line that every store takes as it is meant; empty if it can.

    VictoriaMetrics answers 204 to lines that it skips, such as one that begins with ``#``.
    """
    m = row.measurement
    if not METRIC.fullmatch(m.metric):
        return "the metric is not a name"
    if not all(value.isprintable() for value in tags_of(row, "s").values()):
        return "a tag is not printable"
    return ""


def line(row: Stored, site: str) -> str:
    """Return the line of one measurement."""
    m = row.measurement
    fields = [] if m.value is None else [f"value={m.value!r}"]
    fields += [f"n={m.n}i", f"n_rejected={m.n_rejected}i", f"quality={QUALITY.index(m.quality)}i"]
    fields += [f"duration_ms={(m.end_us - m.start_us) / 1000!r}"]
    fields += [] if m.sync_ms is None else [f"sync_ms={m.sync_ms!r}"]
    named = "".join(f",{key}={value.translate(_TAG)}" for key, value in tags_of(row, site).items())
    return f"{m.metric}{named} {','.join(fields)} {m.end_us // 1000}"


class WriteError(Exception):
    """The store did not take the lines.

    Attributes:
        lasting: Whether the lines themselves are to blame, so that trying again is of no use.
        retry_after_s: How long the store asked us to wait; None if it did not say.
        status: What it answered; None if it did not.
    """

    def __init__(
        self, reason: str, *, lasting: bool, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.lasting = lasting
        self.retry_after_s = retry_after_s


class Writer(Protocol):
    """Something that takes lines; raises WriteError."""

    def write(self, lines: Sequence[str]) -> None:
        """Write lines; they are in the store when this returns, as far as it says."""

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        """Return which of these the store does not have; nothing if it cannot be asked such a thing."""

    def close(self) -> None:
        """Let go of connections."""


class LineWriter:
    """Line protocol over HTTP through influxdb-client, synchronously: its batching mode loses data when a store fails.

    InfluxDB 2, InfluxDB 3 Core and VictoriaMetrics all take ``/api/v2/write``; the bucket is the database of InfluxDB 3
    and means nothing to VictoriaMetrics. InfluxDB 1 takes ``/write``, with the bucket as its database.
    """

    def __init__(self, settings: Store) -> None:
        # Half a second and 50 MB: only where a store is configured.
        from influxdb_client import InfluxDBClient
        from influxdb_client.client.exceptions import InfluxDBError
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        self._settings = settings
        self._answered: tuple[type[Any], ...] = (InfluxDBError, ApiException)
        self._failed = (HTTPError, OSError)
        self._client = InfluxDBClient(
            url=settings.url,
            token=None,
            org=settings.organisation or "-",
            timeout=TIMEOUT_MS,
            enable_gzip=True,
        )  # fmt: skip
        self._api = self._client.write_api(write_options=SYNCHRONOUS)
        self._authorise()

    def write(self, lines: Sequence[str]) -> None:
        """Write lines in one request."""
        body = "\n".join(lines).encode()
        try:
            if self._settings.kind == "influxdb1":
                query = urlencode({"db": self._settings.bucket, "precision": PRECISION})
                self._request("POST", f"/write?{query}", body)
            else:
                self._api.write(self._settings.bucket, record=body, write_precision=PRECISION)
        except self._answered as error:
            raise self._refused(error) from error
        except self._failed as error:
            raise WriteError(f"{type(error).__name__}: {error}", lasting=False) from error

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        """Return which of these the store does not have. Only VictoriaMetrics is asked: it alone answers early."""
        if self._settings.kind != "victoriametrics":
            return []
        times = [_ms(row) for row in rows]
        there: set[_Key] = set()
        for gateway in {row.gateway for row in rows}:
            chosen = f'{{__name__=~".+_n",site={_quoted(site)},gateway={_quoted(gateway)}}}'
            query = urlencode({
                "match[]": chosen, "start": f"{min(times) / 1000 - 1:.3f}", "end": f"{max(times) / 1000 + 1:.3f}",
            })  # fmt: skip
            there |= self._exported(f"/api/v1/export?{query}")
        return [row for row in rows if _key(_labels(row, site), _ms(row)) not in there]

    def close(self) -> None:
        """Let go of connections."""
        self._api.close()
        self._client.close()

    def _exported(self, path: str) -> set[_Key]:
        try:
            found = [orjson.loads(text) for text in self._request("GET", path).splitlines()]
            return {_key(series["metric"], at) for series in found for at in series["timestamps"]}
        except self._answered as error:
            refused = self._refused(error)
            refused.lasting = 400 <= (refused.status or 0) < 500 and refused.status not in MAY_PASS
            raise refused from error
        except (*self._failed, ValueError, KeyError, TypeError) as error:
            raise WriteError(f"{type(error).__name__}: {error}", lasting=False) from error

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        api = self._client.api_client
        answer = api.rest_client.pool_manager.request(
            method, self._settings.url.rstrip("/") + path, body=body, headers=dict(api.default_headers), retries=False,
            timeout=TIMEOUT_MS / 1000,
        )  # fmt: skip
        if answer.status >= 300:
            from influxdb_client.client.exceptions import InfluxDBError

            raise InfluxDBError(answer)
        return bytes(answer.data)

    def _refused(self, error: Any) -> WriteError:
        status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status", None)
        if status in FORBIDDEN:
            # The token may have been replaced.
            self._authorise()
        asked = getattr(error, "retry_after", None)
        return WriteError(
            f"status {status}: {getattr(error, 'message', None) or error}", lasting=status in UNACCEPTABLE,
            retry_after_s=float(asked) if asked and asked.isdigit() else None, status=status,
        )  # fmt: skip

    def _authorise(self) -> None:
        file = self._settings.token_file
        if file is not None and (token := file.read_text().strip()):
            # The proxy of VictoriaMetrics, vmauth, knows bearer tokens only.
            scheme = "Bearer" if self._settings.kind == "victoriametrics" else "Token"
            self._client.api_client.default_headers["Authorization"] = f"{scheme} {token}"


_Key = tuple[frozenset[tuple[str, str]], int]


def _labels(row: Stored, site: str) -> dict[str, str]:
    return {"__name__": f"{row.measurement.metric}_n", **tags_of(row, site)}


def _key(labels: Mapping[str, str], ms: int) -> _Key:
    # Some paths into VictoriaMetrics add a label "db".
    return frozenset(item for item in labels.items() if item[0] != "db"), ms


def _ms(row: Stored) -> int:
    return row.measurement.end_us // 1000


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


class RemoteStore:
    """Write measurements until they are taken, whatever happens between; only what is proved unacceptable is set apart.

    Attributes:
        written: Measurements written, those that were written again included.
        failures: Times that the store did not answer as it should; whoever took its word before may doubt it now.

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
        self.failures = 0
        self._writer = writer
        self._site = site
        self._refuse = refuse
        self._rng = rng or random.Random()
        self._stop = threading.Event()

    def write(self, rows: Sequence[Stored]) -> bool:
        """Write rows; False if stopped before they were taken. What cannot be a line is refused at once."""
        fit = [row for row in rows if not (reason := unfit(row)) or self._unfit(row, reason)]
        return not fit or self._write(fit)

    def missing(self, rows: Sequence[Stored]) -> list[Stored] | None:
        """Return which of these the store does not have, as far as it can be asked; None if it does not answer."""
        try:
            return self._writer.missing([row for row in rows if not unfit(row)], self._site)
        except WriteError as error:
            self._note("store does not answer what it has", error)
            # A store that keeps this from us (vmauth) can only be believed.
            return [] if error.lasting else None

    def _unfit(self, row: Stored, reason: str) -> bool:
        self.errors["not a line"] += 1
        self._refuse(row, reason)
        return False

    def _write(self, rows: Sequence[Stored]) -> bool:
        attempt = 0
        while not self._stop.is_set():
            try:
                self._writer.write([line(row, self._site) for row in rows])
            except WriteError as error:
                if error.lasting:
                    return self._halve(rows, error)
                self.failures += 1
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
        return self._write(rows[:middle]) and self._write(rows[middle:])

    def _note(self, kind: str, error: WriteError) -> None:
        self.errors[kind] += 1
        if self.last_error != str(error):
            self.last_error = str(error)
            log.warning("%s: %s", kind, error)
