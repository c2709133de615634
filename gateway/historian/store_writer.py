"""What a writer to a store does; and lines over HTTP, one request at a time, and what a store's answers mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from gzip import compress
from time import monotonic
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import orjson

from config.secret import read_secret
from config.settings import Store
from gateway.historian.store_line import canary, line, tags_of
from gateway.history.schema import Stored

PRECISION = "ms"
TIMEOUT_MS = 10_000
"""Of one write; a store that takes longer is down."""
ANSWER_WITHIN_S = 60.0
"""From the headers of an answer to its end: what a store has of a few seconds, which it finds on a slow disk."""
LARGEST_ANSWER = 64 << 20
SMALL_ANSWER = 64 << 10
"""Bytes, unpacked, that are read of what a store has, and of an answer whose status says all but a sentence."""
PIECE = 64 << 10
SPAN_MS = 600_000
"""Asked for at one time: what a large ward measures in ten minutes is 10 MB of answer."""
TAKEN = 204
"""The one answer of all kinds of store that says yes (their documentation of the write API); a 200 is a web page's."""
UNACCEPTABLE = frozenset({400, 422})
"""Statuses that may speak of the lines themselves; a wrong address, or a proxy, answers them to everything."""
TOO_LARGE = 413
"""Of one request: half of it may pass."""
FORBIDDEN = frozenset({401, 403})
VERSION = "X-Influxdb-Version"
"""Every answer of InfluxDB to a ping has this header; what says yes to a ping without it is something else."""
MAY_PASS = frozenset({401, 408, 429})
"""Of the statuses below 500, those that a question may get and get over."""

TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]+")
"""What needs no quoting in the request of any store: ids and pseudonyms as the configuration has them."""
LONGEST_REASON = 300
"""Characters of what a store says that are kept."""
ADDRESS = "check historian.store.url"
ANOTHER = f"what answers there is no such store: {ADDRESS} and kind"
ADVICE = {
    401: "check historian.store.token_file",
    403: "check the rights of the token in historian.store.token_file",
    404: f"{ADDRESS} and bucket",
    405: ADDRESS,
    407: f"a proxy is between: {ADDRESS}",
    413: "something between us and the store takes small requests only",
}
"""By status, what a person can mend."""


class WriteError(Exception):
    """The store did not take the lines.

    Attributes:
        lasting: Whether the lines themselves may be to blame: then halves of them tell more.
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

    @property
    def divisible(self) -> bool:
        """Whether fewer lines may pass where these did not."""
        return self.lasting or self.status == TOO_LARGE


class UndeletableError(WriteError):
    """The store has no request by which this could be deleted."""


class Answer(NamedTuple):
    """What a store has answered; ``trouble`` says why the body is not all of it, and is empty where it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    trouble: str


class Writer(Protocol):
    """Something that takes measurements to a store; raises WriteError."""

    def write(self, rows: Sequence[Stored], site: str) -> None:
        """Write measurements; they are in the store when this returns, as far as it says."""

    def prove(self, site: str) -> None:
        """Have the store take something that is right, always the same; raises WriteError where it refuses that too."""

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        """Return which of these the store does not have; nothing if it cannot be asked such a thing."""

    def erase(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> None:
        """Delete every series of a subject, or of these further tags alone; raises UndeletableError."""

    def has(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> bool:
        """Whether there still is anything of them; False if it cannot be asked such a thing."""

    def close(self) -> None:
        """Let go of connections."""


class LineWriter:
    """Line protocol over HTTP through influxdb-client's connections: no answer is followed elsewhere or taken for yes.

    InfluxDB 2, InfluxDB 3 Core and VictoriaMetrics all take ``/api/v2/write``; the bucket is the database of InfluxDB 3
    and means nothing to VictoriaMetrics. InfluxDB 1 takes ``/write``, with the bucket as its database.
    """

    def __init__(self, settings: Store) -> None:
        # Half a second and 50 MB: only where a store is configured.
        from influxdb_client import InfluxDBClient
        from urllib3.exceptions import HTTPError

        self._settings = settings
        self._failed = (HTTPError, OSError)
        self._met = False
        self._client = InfluxDBClient(
            url=settings.url, token=None, org=settings.organisation or "-", timeout=TIMEOUT_MS
        )
        self._authorise()

    def write(self, rows: Sequence[Stored], site: str) -> None:
        """Write one line for each measurement."""
        self.write_lines([line(row, site) for row in rows])

    def prove(self, site: str) -> None:
        """Write the line that every store takes: a wrong address refuses this one, too."""
        self.write_lines([canary(site)])

    def write_lines(self, lines: Sequence[str]) -> None:
        """Write lines in one request."""
        store = self._settings
        if not self._met:
            self._meet()
        if store.kind == "influxdb1":
            path = f"/write?{urlencode({'db': store.bucket, 'precision': PRECISION})}"
        else:
            named = {"org": store.organisation or "-", "bucket": store.bucket, "precision": PRECISION}
            path = f"/api/v2/write?{urlencode(named)}"
        try:
            status = self._request("POST", path, "\n".join(lines).encode()).status
        except WriteError:
            self._met = False
            raise
        if status != TAKEN:
            raise WriteError(f"status {status}, where a store says {TAKEN}: {ANOTHER}", lasting=False, status=status)

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        """Return which of these the store does not have. Only VictoriaMetrics is asked: it alone answers early."""
        if self._settings.kind != "victoriametrics":
            return []
        there: set[_Key] = set()
        for gateway in {row.gateway for row in rows}:
            chosen = f'{{__name__=~".+_n",site={_quoted(site)},gateway={_quoted(gateway)}}}'
            for first, last in _spans(_ms(row) for row in rows if row.gateway == gateway):
                query = urlencode({
                    "match[]": chosen, "start": f"{first / 1000 - 1:.3f}", "end": f"{last / 1000 + 1:.3f}",
                })  # fmt: skip
                there |= self._exported(f"/api/v1/export?{query}")
        return [row for row in rows if _key(_labels(row, site), _ms(row)) not in there]

    def erase(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> None:
        """Have the store delete every series of a subject, or of these further tags alone.

        Raises:
            UndeletableError: The store has no such request, or not for what stands in these tags.
            WriteError: It was not done.
        """
        settings, tags = self._settings, {"site": site, "subject": subject, **(of or {})}
        if of is not None and (settings.kind == "influxdb3" or not all(map(TAG_VALUE.fullmatch, tags.values()))):
            raise UndeletableError("the store has no request to delete it: it shows it under the wrong person still",
                                   lasting=True)  # fmt: skip
        if settings.kind == "victoriametrics":
            chosen = urlencode({"match[]": _matcher(tags)})
            self._delete(f"/api/v1/admin/tsdb/delete_series?{chosen}")
        elif settings.kind == "influxdb1":
            where = " AND ".join(f"\"{tag}\" = '{value}'" for tag, value in tags.items())
            query = urlencode({"db": settings.bucket, "q": f"DROP SERIES FROM /.*/ WHERE {where}"})
            self._delete(f"/query?{query}")
        elif settings.kind == "influxdb2":
            predicate = " AND ".join(f'{tag}="{value}"' for tag, value in tags.items())
            body = {"start": "1970-01-01T00:00:00Z", "stop": "2200-01-01T00:00:00Z", "predicate": predicate}
            where = urlencode({"org": settings.organisation or "-", "bucket": settings.bucket})
            self._delete(f"/api/v2/delete?{where}", orjson.dumps(body))

    def has(self, site: str, subject: str, of: Mapping[str, str] | None = None) -> bool:
        """Whether the store still shows anything of a subject; only VictoriaMetrics is asked, others are believed."""
        if self._settings.kind != "victoriametrics":
            return False
        chosen = _matcher({"site": site, "subject": subject, **(of or {})})
        query = urlencode({"match[]": chosen, "start": "0", "end": "9999999999"})
        found = self._request("GET", f"/api/v1/series?{query}", most=LARGEST_ANSWER)
        try:
            return bool(orjson.loads(found.body)["data"])
        except (ValueError, KeyError, TypeError):
            raise WriteError(f"status {found.status}: {ANOTHER}", lasting=False, status=found.status) from None

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _meet(self) -> None:
        """Refuse what says yes to everything, such as the door of a guest network; one that is silent is believed."""
        if self._settings.kind == "victoriametrics":
            return  # which is asked what it has
        try:
            answer = self._request("GET", "/ping")
        except WriteError:
            return
        if VERSION not in answer.headers:
            raise WriteError(f"status {answer.status} to a ping, and not from InfluxDB: {ANOTHER}", lasting=False)
        self._met = True

    def _exported(self, path: str) -> set[_Key]:
        try:
            found = [orjson.loads(text) for text in self._request("GET", path, most=LARGEST_ANSWER).body.splitlines()]
            return {_key(series["metric"], at) for series in found for at in series["timestamps"]}
        except WriteError as refused:
            refused.lasting = 400 <= (refused.status or 0) < 500 and refused.status not in MAY_PASS
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise WriteError(f"{type(error).__name__}: {error}", lasting=False) from error

    def _delete(self, path: str, body: bytes | None = None) -> None:
        """Have something deleted: a page, such as that of a guest network, has deleted nothing, nor has an error."""
        answer = self._request("POST", path, body)
        if is_page(answer.headers, answer.body):
            raise WriteError(f"status {answer.status}: a web page: {ANOTHER}", lasting=False, status=answer.status)
        if failed := _failed_statement(answer.body):
            raise WriteError(f"status {answer.status}: {failed}", lasting=False, status=answer.status)

    def _request(self, method: str, path: str, body: bytes | None = None, most: int = SMALL_ANSWER) -> Answer:
        """Return an answer below 300; raises WriteError. A redirection is no yes, and is not followed."""
        api = self._client.api_client
        headers = {**api.default_headers, "Content-Type": "text/plain; charset=utf-8"}
        if body is not None:
            headers["Content-Encoding"] = "gzip"
        try:
            answer = api.rest_client.pool_manager.request(
                method, self._settings.url.rstrip("/") + path, body=None if body is None else compress(body, 6),
                headers=headers, retries=False, redirect=False, timeout=TIMEOUT_MS / 1000, preload_content=False,
            )  # fmt: skip
        except self._failed as error:
            raise WriteError(_in_words(error), lasting=False) from error
        found = Answer(answer.status, answer.headers, *self._read_body(answer, most))
        if found.status >= 300:
            if found.status in FORBIDDEN:
                # The token may have been replaced.
                self._authorise_again()
            raise refusal(found.status, found.headers, found.body)
        if found.trouble:
            raise WriteError(f"status {found.status}, {found.trouble}", lasting=False, status=found.status)
        return found

    def _read_body(self, answer: Any, most: int) -> tuple[bytes, str]:
        """Return what came of a body, and why that is not all of it: what answers there may be anything."""
        until, body = monotonic() + ANSWER_WITHIN_S, bytearray()
        try:
            while piece := answer.read1(PIECE):
                body += piece
                if len(body) > most or monotonic() > until:
                    answer.close()
                    return bytes(body[:most]), f"and an answer without an end: {ANOTHER}"
        except self._failed as error:
            answer.close()
            return bytes(body), _in_words(error)
        return bytes(body), ""

    def _authorise_again(self) -> None:
        try:
            self._authorise()
        except (OSError, ValueError) as error:
            raise WriteError(f"historian.store.token_file: {error}", lasting=False) from error

    def _authorise(self) -> None:
        file = self._settings.token_file
        if file is not None:
            # The proxy of VictoriaMetrics, vmauth, knows bearer tokens only.
            scheme = "Bearer" if self._settings.kind == "victoriametrics" else "Token"
            self._client.api_client.default_headers["Authorization"] = f"{scheme} {read_secret(file)}"


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> WriteError:
    """Return what an answer of the store says; only one in the words of a store can be about the lines."""
    asked = headers.get("Retry-After", "")
    page = is_page(headers, body)
    answer = "a web page" if page else _message(body)
    if 300 <= status < 400:
        answer = f"it sends us to {plain(headers.get('Location', 'elsewhere')).rpartition('@')[2]}"
    advice = ADVICE.get(status, ADDRESS if 300 <= status < 400 or page else "")
    return WriteError(
        ": ".join(filter(None, (f"status {status}", answer, advice))), lasting=status in UNACCEPTABLE and not page,
        retry_after_s=float(asked) if asked.isascii() and asked.isdigit() else None, status=status,
    )  # fmt: skip


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is for a browser: no store has made it."""
    return "html" in headers.get("Content-Type", "").lower() or body.lstrip()[:1] == b"<"


def _message(body: bytes) -> str:
    try:
        fields = orjson.loads(body)
        text = fields.get("message") or fields.get("error") or ""
    except (ValueError, AttributeError):
        text = body[:LONGEST_REASON].decode("utf-8", "replace")
    return plain(str(text))


def _failed_statement(body: bytes) -> str:
    """Return why a statement was not carried out, which InfluxDB 1 says under status 200; empty where none says so."""
    try:
        results = orjson.loads(body)["results"]
        return next((plain(str(result["error"])) for result in results if "error" in result), "")
    except (ValueError, KeyError, TypeError):
        return ""


def plain(text: str) -> str:
    """Return the beginning of what a store says, without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST_REASON]).strip()


def _in_words(error: Exception) -> str:
    if "SSL" in f"{type(error).__name__} {error}":
        return plain(f"TLS failed, check historian.store.url and the store's certificate: {error}")
    return plain(f"{type(error).__name__}: {error}")


_Key = tuple[frozenset[tuple[str, str]], int]


def _labels(row: Stored, site: str) -> dict[str, str]:
    return {"__name__": f"{row.measurement.metric}_n", **tags_of(row, site)}


def _key(labels: Mapping[str, str], ms: int) -> _Key:
    # Some paths into VictoriaMetrics add a label "db".
    return frozenset(item for item in labels.items() if item[0] != "db"), ms


def _ms(row: Stored) -> int:
    return row.measurement.end_us // 1000


def _spans(times: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last of times that lie within `SPAN_MS`, each time in one of them.

    What one gateway measures now is written together with what another had before an outage of a day.
    """
    spans: list[tuple[int, int]] = []
    for ms in sorted(times):
        if spans and ms <= spans[-1][0] + SPAN_MS:
            spans[-1] = (spans[-1][0], ms)
        else:
            spans.append((ms, ms))
    return spans


def _matcher(tags: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{tag}={_quoted(value)}' for tag, value in tags.items())}}}"


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
