"""Every panel of the dashboards and every alert, asked of real engines that hold what our own processes gave them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.config.watched_gateway import Make, Status, Watched, ask, series, watched
from tests.servers import free_port, missing, retained, wait_until

CONFIG = Path(__file__).parents[2] / "config"
BOARDS = sorted((CONFIG / "grafana").glob("*.json"))
RULES = CONFIG / "prometheus" / "rules.yaml"
UNIT_TESTS = Path(__file__).parent / "rules.test.yaml"
DAYS = 86_400.0
COLUMNS = 24
"""Of Grafana's grid."""

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.store, pytest.mark.timeout(900)]


def well(status: Status, _seconds: float) -> None:
    """What a gateway on a ward says where nothing is wrong; this test's machine may be hot, full or off the clock."""
    status["clock"] |= {"synchronised": True, "steps": 0}
    status["machine"] = {"temperature_c": 52.0, "undervoltage": False, "life_used_pct": 10.0, "reserve": "normal",
                         "written_bytes": 1 << 30}  # fmt: skip
    status["disk"] = {"free_bytes": 40 << 30, "keep_free": 768 << 20}
    status["certificates"] = [{"name": "broker.cert_file", "days_left": 300.0}]
    status["radio"] = {"adapters": [{"name": "hci0", "links": 3, "limit": 5}], "steps": {}}
    status["outbox"] |= {"set_aside": 0, "bytes": 9000}
    for of in status["outbox"]["classes"].values():
        of |= {"oldest_s": 20.0, "dropped": {}}
    status["pipeline"]["dropped"] = {}
    status["recorder"] = {"recording": True, "bytes": 10, "dropped": {}}
    status["parts"] = {}
    status["publisher"]["connected"] = True
    for device in status["devices"]:
        device |= {"state": "streaming", "battery": 80.0, "lost": 3}
        device["clock"] = {"offset_s": 0.0, "drift_ppm": 10.0, "uncertainty_ms": 3.0}


def with_(spoil: Make) -> Make:
    def make(status: Status, seconds: float) -> None:
        well(status, seconds)
        spoil(status, seconds)

    return make


def first(status: Status) -> dict[str, Any]:
    device: dict[str, Any] = status["devices"][0]
    return device


FAULTS: dict[str, Make] = {
    "well": well,
    "GatewayNotReady": lambda status, _: status.clear(),
    "BrokerUnreachable": with_(lambda status, _: status["publisher"].update(connected=False)),
    "HistorianBehind": with_(lambda status, _: status["outbox"]["classes"]["metric"].update(oldest_s=900.0)),
    "OutboxFilling": with_(lambda status, _: status["outbox"].update(bytes=0.7 * status["outbox"]["max_bytes"])),
    "OutboxGrowing": with_(lambda status, s: status["outbox"].update(bytes=(1 << 20) * s)),
    "MeasurementsDropped": with_(
        lambda status, _: status["outbox"]["classes"]["metric"].update(dropped={"outbox full": 5})
    ),
    "OutboxDamaged": with_(lambda status, _: status["outbox"].update(set_aside=1)),
    "ClockNotSynchronised": with_(lambda status, _: status["clock"].update(synchronised=False)),
    "ClockSet": with_(lambda status, _: status["clock"].update(steps=1)),
    "DeviceClockUnsure": with_(lambda status, _: first(status)["clock"].update(uncertainty_ms=80.0)),
    "CertificateEnds": with_(lambda status, _: status["certificates"][0].update(days_left=10.0)),
    "DiskNearlyFull": with_(lambda status, _: status["disk"].update(free_bytes=800 << 20)),
    "DiskWorn": with_(lambda status, _: status["machine"].update(life_used_pct=95.0)),
    "ComputerHot": with_(lambda status, _: status["machine"].update(temperature_c=85.0)),
    "PowerWeak": with_(lambda status, _: status["machine"].update(undervoltage=True)),
    "PipelineTooSlow": with_(lambda status, _: status["pipeline"].update(dropped={"pipeline too slow": 3})),
    "PartRestarts": with_(
        lambda status, _: status.update(parts={"device:dot": {"failures": 4, "given_up": False, "error": "x"}})
    ),
    "RecordingDropped": with_(lambda status, _: status["recorder"].update(dropped={"disk too slow": 2})),
    "DeviceSilent": with_(lambda status, _: first(status).update(state="silent")),
    "DeviceAway": with_(lambda status, _: first(status).update(state="searching")),
    "SampleLoss": with_(lambda status, s: first(status).update(lost=int(10 * s), samples=int(50 * s))),
    "BatteryLow": with_(lambda status, _: first(status).update(battery=9.0)),
    "AdapterFull": with_(lambda status, _: status["radio"]["adapters"][0].update(links=5)),
}
"""By alert, what is wrong with a gateway that is well otherwise. ``GatewayDown`` is shown on the real one."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched"), FAULTS) as made:
        yield made


@cache
def alerts() -> dict[str, str]:
    """Return the expression of each alert, by name, as promtool's own reader would: the file is plain enough."""
    found: dict[str, str] = {}
    for block in re.split(r"^ +- alert: ", RULES.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        text = re.search(r"^ +expr: (?:>-\n)?(.*?)^ +(?:for|labels):", rest, re.MULTILINE | re.DOTALL)
        assert text, name
        found[name] = " ".join(text[1].split())
    return found


def test_every_alert_has_its_fault_and_says_what_to_do() -> None:
    assert {"GatewayDown", *FAULTS} - {"well"} == alerts().keys()
    text = RULES.read_text("utf-8")
    assert text.count("- alert:") == text.count("summary:") == text.count("action:") == text.count("severity: ")
    page = (CONFIG.parent / "docs" / "watching.md").read_text("utf-8")
    assert [name for name in alerts() if f"`{name}`" not in page] == []


@pytest.mark.parametrize("engine", ["VictoriaMetrics", "Prometheus"])
def test_every_alert_is_silent_on_a_gateway_that_is_well_and_fires_on_its_fault_alone(
    running: Watched, engine: str
) -> None:
    of_instance = {address: name for name, address in running.instances.items()}
    port = running.engines[engine]
    # What gets worse does so from scrape to scrape; what is constant is there at once.
    wait_until(lambda: fired(port, "OutboxGrowing") and fired(port, "SampleLoss"), 60)
    for name in alerts():
        who = {of_instance[of["metric"]["instance"]] for of in fired(port, name)} - {"real"}
        assert who == ({name} & FAULTS.keys()), f"{name} by {engine}"


def fired(port: int, name: str) -> list[dict[str, Any]]:
    return series(port, alerts()[name])


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_every_panel_shows_something_of_our_data(running: Watched, board: Path) -> None:
    empty = []
    for panel, target in targets(board):
        rows = asked(running, target)
        if not rows:
            empty.append((panel["title"], target))
    assert empty == []


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_every_choice_of_a_dashboard_has_something_to_choose(running: Watched, board: Path) -> None:
    for variable in json.loads(board.read_text("utf-8"))["templating"]["list"]:
        if variable["type"] == "query":
            assert choices(running, variable), variable["name"]


def test_the_real_gateway_s_panels_have_its_devices(running: Watched) -> None:
    real = running.instances["real"]
    states = series(running.store, f'rehab_gateway_device_state{{instance="{real}"}}')
    assert len({of["metric"]["device"] for of in states}) == 12


def test_a_running_gateway_announces_its_beds_to_home_assistant(running: Watched) -> None:
    said = {topic.split("/")[-2]: json.loads(raw) for topic, raw in retained(running.broker, "homeassistant/#").items()}
    assert said.keys() == {"gateway", "bed_bed-1", "bed_bed-2"}
    assert {"heart_rate", "cadence"} <= said["bed_bed-1"]["components"].keys()
    assert "sim-00" not in json.dumps(said)  # who is in them
    assert retained(running.broker, "rehab/v1/+/+/home/#") == {}


def test_a_broker_and_a_gateway_that_are_gone_are_seen(running: Watched) -> None:
    """The last test here: it ends what the others look at."""
    real = running.instances["real"]
    running.stop_broker()
    for port in running.engines.values():
        wait_until(lambda port=port: real in instances(fired(port, "BrokerUnreachable")), 60)  # type: ignore[misc]
        assert real not in instances(fired(port, "GatewayDown"))
    running.stop_gateway()
    for port in running.engines.values():
        wait_until(lambda port=port: instances(fired(port, "GatewayDown")) == {real}, 60)  # type: ignore[misc]


def instances(found: list[dict[str, Any]]) -> set[str]:
    return {of["metric"]["instance"] for of in found}


def targets(board: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for panel in json.loads(board.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel, target


def asked(running: Watched, target: dict[str, Any]) -> list[Any]:
    """Ask what a panel asks, with Grafana's variables as it would fill them in; return rows or series."""
    if "expr" in target:
        return series(running.store, filled(target["expr"]))
    if "rawSql" in target:
        return [row for row in running.postgres.sql(filled_sql(target["rawSql"])) if row[-1] != ""]
    return influx(running.influxdb, filled_influxql(target["query"]))


def filled(expr: str) -> str:
    expr = expr.replace("$__rate_interval", "1m").replace("$__interval", "5m")
    return re.sub(r"\$(instance|site|gateway|slot)\b", ".*", expr)


def filled_sql(sql: str) -> str:
    for name in ("site", "gateway", "slot"):
        every = f"(SELECT {name} FROM rehab_measurements)"  # noqa: S608 - our own names
        sql = sql.replace(f"(${name})", every)
    sql = sql.replace("$__interval", "'1m'")
    sql = re.sub(
        r"\$__timeGroupAlias\(time, '(\d+)m'\)",
        lambda of: f'floor(extract(epoch from time) / {60 * int(of[1])}) * {60 * int(of[1])} AS "time"', sql,
    )  # fmt: skip
    return sql.replace("$__timeFilter(time)", "time BETWEEN now() - interval '3 hours' AND now() + interval '1 hour'")


def filled_influxql(query: str) -> str:
    query = query.replace("$timeFilter", "time > now() - 3h AND time < now() + 1h").replace("$__interval", "1m")
    return re.sub(r"\$(site|gateway|slot)\b", ".*", query)


def influx(port: int, query: str) -> list[Any]:
    body = urllib.parse.urlencode({"db": "rehab", "q": query}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", body) as answer:
        result = json.load(answer)["results"][0]
    assert "error" not in result, (query, result)
    return list(result.get("series", []))


def choices(running: Watched, variable: dict[str, Any]) -> list[Any]:
    query = variable["query"]
    if isinstance(query, dict):
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query["query"])
        assert found, query
        answer = ask(running.store, f"/api/v1/label/{found[2]}/values", **{"match[]": filled(found[1])})
        return list(answer["data"])
    if query.startswith("SELECT"):
        return running.postgres.sql(filled_sql(query))
    return influx(running.influxdb, filled_influxql(query))


class TestFiles:
    """What needs no engine."""

    @pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
    def test_a_dashboard_is_one_that_grafana_takes(self, board: Path) -> None:
        made = json.loads(board.read_text("utf-8"))
        assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= made.keys()
        assert made.get("id") is None  # Grafana gives it
        ids = [panel["id"] for panel in made["panels"]]
        assert len(set(ids)) == len(ids)
        taken: set[tuple[int, int]] = set()
        for panel in made["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= COLUMNS
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
            assert not cells & taken, panel["title"]
            taken |= cells
            assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))

    def test_no_two_dashboards_have_one_name(self) -> None:
        uids = [json.loads(board.read_text("utf-8"))["uid"] for board in BOARDS]
        assert len(uids) == len(set(uids)) == 4

    def test_promtool_and_vmalert_take_the_rules(self) -> None:
        promtool, metrics = shutil.which("promtool"), shutil.which("victoria-metrics")
        if promtool is None:
            missing("promtool (Debian's prometheus)")
        if metrics is None:
            missing("vmalert (Debian's victoria-metrics)")
        vmalert = Path(metrics or "").with_name("vmalert")
        for command in (
            [promtool, "check", "rules", RULES], [promtool, "test", "rules", UNIT_TESTS],
            [vmalert, "-dryRun", f"-rule={RULES}", f"-httpListenAddr=127.0.0.1:{free_port()}"],
        ):  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=UNIT_TESTS.parent)  # type: ignore[arg-type]
            assert done.returncode == 0, done.stdout + done.stderr
