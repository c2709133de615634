"""A real gateway on simulated devices with its historian and stores, scraped by VictoriaMetrics and by Prometheus.

Beside it, endpoints of the product's own that say what a gateway would say in trouble: each has the status of that
gateway with one thing wrong in it, or one thing that gets worse.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Store
from gateway.historian.store import RemoteStore, writer_of
from gateway.history.reader import HistoryReader
from gateway.history.schema import Stored
from gateway.status.prometheus import serve_metrics
from tests.servers import (
    PASSWORD,
    PROMETHEUS,
    VICTORIA_METRICS,
    Child,
    PostgreSql,
    accepts,
    free_port,
    influxdb_in,
    missing,
    mosquitto_in,
    postgresql,
    wait_until,
)

Status = dict[str, Any]
Make = Callable[[Status, float], None]
"""Spoils a status; the second argument is for how many seconds it has been so."""

BEDS = 2
METRICS = ("heart_rate", "hrv_rmssd", "cadence", "walking_speed", "stride_length", "stride_time", "double_support_pct",
           "foot_clearance", "battery_pct")  # fmt: skip
"""What the ward's dashboards show."""
COMPILED_WITHIN_S = 600.0
"""On a machine that has other things to do, where no test has compiled the kernels before."""
GROWING = frozenset({"OutboxGrowing", "SampleLoss"})
"""Faults that get worse; of the others a status is made once."""
SITE, GATEWAY = "test", "gateway-1"


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of the product as a process; its output lies in the folder."""
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        child = subprocess.Popen([sys.executable, "-m", "gateway", *arguments], stdout=log, stderr=log)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait(30)


@dataclass
class Watched:
    """What the tests ask.

    Attributes:
        engines: Ports by name: what answers the questions of the metrics.
        broker: Port of the broker.
        store: Port of the VictoriaMetrics that holds the measurements, and the metrics too.
        postgres: The PostgreSQL with the measurements.
        influxdb: Port of the InfluxDB with the measurements.
        instances: Address of each endpoint: ``real``, ``well``, and those in trouble by the alert's name.
        stop_broker: Stops the broker of the real gateway.
        stop_gateway: Stops the real gateway.
    """

    engines: dict[str, int]
    broker: int
    store: int
    postgres: PostgreSql
    influxdb: int
    instances: dict[str, str]
    stop_broker: Callable[[], None]
    stop_gateway: Callable[[], None]


def ask(port: int, path: str, **query: str) -> Any:
    """Return what an engine answers to a question in its HTTP API; a refusal has its words."""
    url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{query}: {error.read().decode()}") from error


def series(port: int, query: str) -> list[dict[str, Any]]:
    """Return what a question in PromQL gives now."""
    found: list[dict[str, Any]] = ask(port, "/api/v1/query", query=query)["data"]["result"]
    return found


@contextmanager
def watched(folder: Path, faults: Mapping[str, Make]) -> Iterator[Watched]:
    """Start everything, and wait until all that dashboards show has been measured, stored and scraped."""
    ports = {name: free_port() for name in ("real", *faults)}
    instances = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    scrape = folder / "scrape.yml"
    scrape.write_text(json.dumps({"scrape_configs": [{  # JSON is YAML
        "job_name": "rehab-gateway", "scrape_interval": "2s", "scrape_timeout": "2s",
        "static_configs": [{"targets": list(instances.values())}],
    }]}))  # fmt: skip
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto_in(folder / "broker"))
        store = stack.enter_context(scraping_victoria_metrics(folder, scrape))
        prometheus = stack.enter_context(scraping_prometheus(folder, scrape))
        postgres = stack.enter_context(postgresql())
        influxdb = stack.enter_context(influxdb_in(folder / "influxdb"))
        config = stack.enter_context(simulated_ward(folder))
        configure(config, folder, broker.port, ports["real"], store.port)
        stack.enter_context(process(folder, "historian", str(config)))
        gateway = stack.enter_context(process(folder, "run", str(config)))
        wait_until(lambda: all(is_stored(store.port, metric) for metric in METRICS), COMPILED_WITHIN_S)
        status = status_of(config)
        stack.enter_context(in_trouble(status, faults, ports))
        copy_history(folder, postgres, influxdb.port)
        engines = {"VictoriaMetrics": store.port, "Prometheus": prometheus.port}
        for port in engines.values():
            scraped(port, len(faults))
        yield Watched(
            engines, broker.port, store.port, postgres, influxdb.port, instances, broker.end, lambda: stopped(gateway)
        )


def scraped(port: int, faults: int) -> None:
    """Wait until every endpoint, the real gateway's too, has been scraped a few times."""
    several = "count(count_over_time(rehab_gateway_up[1m]) >= 4)"
    wait_until(lambda: [of["value"][1] for of in series(port, several)] == [str(faults + 1)], 120)


def stopped(gateway: subprocess.Popen[bytes]) -> None:
    gateway.terminate()
    gateway.wait(30)


@contextmanager
def scraping_victoria_metrics(folder: Path, scrape: Path) -> Iterator[Child]:
    if not Path(VICTORIA_METRICS).exists():
        missing("victoria-metrics")
    port = free_port()
    child = Child(port, [VICTORIA_METRICS, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder / 'store'}",
                         "-retentionPeriod=100y", "-memory.allowedBytes=128MB", f"-promscrape.config={scrape}",
                         "-search.latencyOffset=0s"])  # fmt: skip
    try:
        yield child
    finally:
        child.end()


@contextmanager
def scraping_prometheus(folder: Path, scrape: Path) -> Iterator[Child]:
    if not Path(PROMETHEUS).exists():
        missing("prometheus")
    port = free_port()
    child = Child(port, [PROMETHEUS, f"--config.file={scrape}", f"--storage.tsdb.path={folder / 'prometheus'}",
                         f"--web.listen-address=127.0.0.1:{port}"])  # fmt: skip
    try:
        yield child
    finally:
        child.end()


@contextmanager
def simulated_ward(folder: Path) -> Iterator[Path]:
    config, radio = folder / "ward.toml", folder / "radio"
    arguments = ("--beds", str(BEDS), "--socket", str(radio), "--ports", str(folder / "ports"))
    with process(folder, "simulate", "ward", *arguments, "--write-config", str(config)):
        wait_until(lambda: config.exists() and radio.exists(), 60)
        yield config


def configure(config: Path, folder: Path, broker: int, metrics: int, store: int) -> None:
    with config.open("a") as file:
        file.write(
            f'\n[site]\nsite = "{SITE}"\ngateway = "{GATEWAY}"\ndata = "{folder / "data"}"\n'
            f"[broker]\nembedded = false\nport = {broker}\n[prometheus]\nport = {metrics}\n"
            "[home_assistant]\nenabled = true\n"
            f'[historian.store]\nkind = "victoriametrics"\nurl = "http://127.0.0.1:{store}"\nhold_back_s = 3\n'
        )


def is_stored(port: int, metric: str) -> bool:
    return bool(series(port, f'last_over_time({metric}_value{{site="{SITE}"}}[10m])'))


def status_of(config: Path) -> Status:
    """Return what the gateway says of itself, as a technician asks for it, once all its devices stream."""
    found: list[Status] = []

    def streams() -> bool:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "status", str(config), "--json"], capture_output=True, check=False
        )
        said = (json.loads(done.stdout)["status"] or {}) if done.stdout else {}
        found[:] = [said]
        return bool(said.get("devices")) and all(device["state"] == "streaming" for device in said["devices"])

    wait_until(streams, 120)
    return found[0]


def copy_history(folder: Path, postgres: PostgreSql, influxdb: int) -> None:
    """Write what the history holds into the other stores, as a historian with such a store would."""
    password = folder / "password"
    password.write_text(PASSWORD)
    stores = (
        Store(kind="postgresql", url=f"postgresql://127.0.0.1:{postgres.port}", username="rehab", token_file=password),
        Store(kind="influxdb1", url=f"http://127.0.0.1:{influxdb}"),
    )
    with closing(HistoryReader(folder / "data" / "history.db")) as history:
        rows: list[Stored] = history.stored()
    for store in stores:
        with closing(RemoteStore(writer_of(store), SITE, refused)) as remote:
            for first in range(0, len(rows), 1000):
                assert remote.write(rows[first : first + 1000])


def refused(row: Stored, why: str) -> None:
    raise AssertionError(f"{row} was refused: {why}")


@contextmanager
def in_trouble(status: Status, faults: Mapping[str, Make], ports: Mapping[str, int]) -> Iterator[None]:
    """Serve the metrics of a gateway that is well but for each fault; a fault without a function serves nothing."""
    began = time.monotonic()
    ending: list[Callable[[], object]] = []

    def spoilt(name: str, make: Make) -> Callable[[], Any]:
        def now() -> Status:
            of = deepcopy(status)
            make(of, time.monotonic() - began)
            return of

        always = now()
        return now if name in GROWING else lambda: always

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(stop.set))
        tasks = [asyncio.create_task(serve_metrics(ports[name], spoilt(name, make))) for name, make in faults.items()]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="in-trouble")
    thread.start()
    try:
        wait_until(lambda: all(accepts(ports[name]) for name in faults))
        yield
    finally:
        ending[0]()
        thread.join()
