"""The server with a real broker: what its pages are sent, what it refuses, and how it stops."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Broker, Dashboard, Settings
from gateway.dashboard import results_api, timed_api
from gateway.dashboard.server import check, make_app, serve
from gateway.history.history import History
from gateway.model.usage import UsageError
from gateway.wire.payload import Message
from gateway.wire.topics import Topics
from gateway.wire.waveform import HEADER
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.simulated_gateway import MICRO, SimulatedGateway, Walker, walking
from tests.gateway.samples import measurement

pytestmark = pytest.mark.broker

WITHIN_S = 10.0

Client = TestClient[Any, Any]
State = dict[str, Any]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """Return a client of a running dashboard."""
    async with TestClient(TestServer(make_app(settings))) as made:
        yield made


async def states(client: Client, query: str = "") -> AsyncIterator[State]:
    """Yield what a page is sent."""
    async with client.get(f"/events{query}") as response:
        assert response.status == 200
        async for line in response.content:
            if line.startswith(b"data: "):
                yield orjson.loads(line.removeprefix(b"data: "))


async def first(client: Client, query: str, wanted: Callable[[State], bool]) -> State:
    """Return the first state that is wanted."""
    async with asyncio.timeout(WITHIN_S):
        async for state in states(client, query):
            if wanted(state):
                return state
    raise AssertionError("the stream ended")


async def status_of(client: Client) -> State:
    """Return what the dashboard says of itself."""
    answer: State = await (await client.get("/api/status")).json()
    return answer


def slot_of(state: State, slot: str) -> State:
    """Return one tile of the ward; empty if it is not there."""
    return next((item for item in state["slots"] if item["id"] == slot), {})


async def test_the_ward_shows_who_walks_and_how(client: Client, settings: Settings, topics: Topics) -> None:
    with walking(settings.broker.port, 3, topics=topics):
        state = await first(client, "", lambda s: bool((slot_of(s, "bay-2").get("values") or {}).get("cadence")))
    assert [slot["id"] for slot in state["slots"]] == ["bay-1", "bay-2", "bay-3"]
    assert state["simulated"] is True
    assert state["gateway_state"] == "online"
    tile = slot_of(state, "bay-2")
    assert tile["label"] == "Bay 2"
    assert tile["activity"] == "walking"
    assert tile["age_s"] < 2
    assert tile["values"]["cadence"]["value"] == pytest.approx(120 / 1.16, abs=3.1)
    assert [device["battery"] for device in tile["devices"]] == [82.0] * 4


async def test_a_patient_has_strides_of_both_sides(client: Client, settings: Settings, topics: Topics) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        state = await first(client, "?slot=bay-1", lambda s: all(s["slot"]["strides"].values()))
    for strides in state["slot"]["strides"].values():
        assert strides[0]["stance"] + strides[0]["swing"] == pytest.approx(strides[0]["stride"])
    assert {"stride_time", "initial_contact"} <= {value["metric"] for value in state["slot"]["values"]}


async def test_a_silent_bed_grows_old_while_its_neighbour_stays_young(
    client: Client, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 2, topics=topics) as simulated:
        await first(client, "", lambda s: len(s["slots"]) == 2)
        simulated.silent.add("bay-1")
        state = await first(client, "", lambda s: slot_of(s, "bay-1")["age_s"] > 2)
    assert slot_of(state, "bay-2")["age_s"] < 2


async def test_the_last_will_is_shown(client: Client, settings: Settings, topics: Topics) -> None:
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as simulated:
        await first(client, "", lambda s: s["gateway_state"] == "online")
        simulated.die()
        state = await first(client, "", lambda s: s["gateway_state"] == "offline")
    assert [slot["id"] for slot in state["slots"]] == ["bay-1"]


async def test_no_broker_is_reported(settings: Settings) -> None:
    alone = settings.model_copy(update={"broker": Broker(embedded=False, port=free_port())})
    async with TestClient(TestServer(make_app(alone))) as client:
        state = await first(client, "", lambda _: True)
    assert state["broker"] is False
    assert state["slots"] == []


async def test_nonsense_on_the_topics_is_counted_and_the_page_goes_on(
    client: Client, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 1, topics=topics) as simulated:
        await first(client, "", lambda s: len(s["slots"]) == 1)
        simulated.shout(topics.status, b"\x00\xff")
        simulated.shout(topics.measurements("bay-1"), b"[1, 2]")
        simulated.shout(topics.waveform("bay-1-left-foot", "imu"), b"short")
        async with asyncio.timeout(WITHIN_S):
            async for _ in states(client):
                if len((await status_of(client))["dropped"]) == 3:
                    break
        state = await first(client, "", lambda s: bool(slot_of(s, "bay-1")["values"]["cadence"]))
    assert state["gateway_state"] == "online"


async def test_a_watched_stream_flows_and_stops_when_nobody_watches(
    client: Client, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 1, topics=topics) as simulated:
        await first(client, "", lambda s: len(s["slots"]) == 1)
        assert simulated.watched == {}
        async with client.ws_connect("/waveform/bay-1-left-foot/imu") as socket:
            frames = [await socket.receive_bytes(timeout=WITHIN_S) for _ in range(10)]
        heads = [HEADER.unpack_from(frame) for frame in frames]
        assert {head[:4] for head in heads} == {(1, 6, 6, 60.0)}
        times = [head[4] for head in heads]
        assert times == sorted(set(times))
        assert abs(times[-1] / MICRO - time.time()) < 2
        assert simulated.watched.keys() == {("bay-1-left-foot", "imu")}
        assert simulated.watched["bay-1-left-foot", "imu"] <= time.monotonic() + 10  # it ends by itself, should we die
        async with asyncio.timeout(WITHIN_S):
            async for _ in states(client):
                if (await status_of(client))["strips"] == 0:  # nobody watches: it is not asked for again
                    break


@pytest.mark.parametrize(
    "path", ["/waveform/nobody/imu", "/waveform/bay-1-left-foot/secret", "/waveform/+/imu", "/waveform/a%2Fb/imu"]
)
async def test_a_stream_that_the_gateway_does_not_know_is_not_asked_for(
    client: Client, settings: Settings, topics: Topics, path: str
) -> None:
    with walking(settings.broker.port, 1, topics=topics) as simulated:
        await first(client, "", lambda s: len(s["slots"]) == 1)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await client.ws_connect(path)
    assert simulated.watched == {}


async def test_history_comes_from_the_file_that_the_historian_writes(settings: Settings) -> None:
    now_us = time.time_ns() // 1000
    ends = [now_us - (20 - i) * MICRO for i in range(20)]
    rows = [replace(measurement(), start_us=end - 10 * MICRO, end_us=end) for end in ends]
    async with TestClient(TestServer(make_app(settings))) as client:
        query = "/api/history?slot=bay-1&metric=cadence&side=both&minutes=10"
        assert (await (await client.get(query)).json())["rows"] == []  # there is no history yet, and that is no error
        history = History(settings.site.data / "history.db")
        history.store([Message("gateway-1", "0" * 16, 0, list(enumerate(rows, 1)))])
        found = await (await client.get(query)).json()
        assert found["rows"] == [[row.end_us, row.value, "ok"] for row in rows]
        assert len((await (await client.get(f"{query}&algorithm=cadence/1")).json())["rows"]) == 20
        assert (await (await client.get(f"{query}&algorithm=other/1")).json())["rows"] == []
        history.close()


async def test_a_dashboard_that_has_ended_holds_nothing_of_the_history(settings: Settings) -> None:
    History(settings.history_file).close()
    app = make_app(settings)
    async with TestClient(TestServer(app)) as client:
        await client.get("/api/history?slot=bay-1&metric=cadence&side=both&minutes=10")
        for reader in (app[results_api.RESULTS].reader, app[timed_api.API].history):
            await asyncio.to_thread(reader.gaps)
        assert held(settings.history_file) == 3
    assert held(settings.history_file) == 0


def held(file: Path) -> int:
    """Return how often this process has a file open."""
    wanted = file.stat()
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was open to list them
            found += descriptor.stat().st_ino == wanted.st_ino and descriptor.stat().st_dev == wanted.st_dev
    return found


async def test_history_is_that_of_who_is_in_the_bed_now(client: Client, settings: Settings, topics: Topics) -> None:
    person, now_us = Walker(1), time.time_ns() // 1000
    people = [("p-before", 50.0, True, 60), (person.subject, 88.0, True, 30), (person.subject, 66.0, False, 10)]
    rows = [
        replace(measurement(value=value), subject=subject, simulated=simulated, session=f"s-{subject}-{simulated}",
                start_us=now_us - ago * MICRO, end_us=now_us - ago * MICRO)
        for subject, value, simulated, ago in people
    ]  # fmt: skip
    history = History(settings.site.data / "history.db")
    history.store([Message("gateway-1", "0" * 16, 0, list(enumerate(rows, 1)))])
    history.close()
    query = "/api/history?slot=bay-1&metric=cadence&side=both&minutes=10"
    with walking(settings.broker.port, 1, topics=topics):
        await first(client, "", lambda s: len(s["slots"]) == 1)
        now = await (await client.get(query)).json()
        before = await (await client.get(f"{query}&subject=p-before")).json()
        real = await (await client.get(f"{query}&subject={person.subject}&simulated=false")).json()
    assert [value for _, value, _ in now["rows"]] == [88.0]
    assert (now["subject"], now["simulated"], now["new_patient"]) == (person.subject, True, True)
    assert [(s["session"], s["slot"]) for s in now["sessions"]] == [(f"s-{person.subject}-True", "bay-1")]
    assert [value for _, value, _ in before["rows"]] == [50.0]
    assert [value for _, value, _ in real["rows"]] == [66.0]


async def test_a_proxy_is_asked_to_hand_events_on_at_once(client: Client) -> None:
    async with client.get("/events") as response:
        assert response.headers["X-Accel-Buffering"] == "no"


async def test_the_live_state_comes_over_a_websocket_where_one_is_asked_for(
    client: Client, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        async with client.ws_connect("/events?slot=bay-1") as socket:
            shown = [orjson.loads(await socket.receive_str(timeout=WITHIN_S)) for _ in range(5)]
            assert {state["slot"]["id"] for state in shown} == {"bay-1"}
            sent = [state["sent_ms"] for state in shown]
            assert sent == sorted(sent)
            assert (await status_of(client))["viewers"] == 1
        async with asyncio.timeout(WITHIN_S):
            async for _ in states(client):
                if (await status_of(client))["viewers"] == 1:  # this one: the socket has let its place go
                    break


@pytest.mark.parametrize(
    "query",
    ["", "slot=a&metric=charm", "slot=a&metric=cadence&side=up", "slot=a&metric=cadence&minutes=x",
     "slot=a&metric=cadence&minutes=-1", "slot=a&metric=cadence&minutes=nan", "slot=a&metric=cadence&minutes=1e9"],
)  # fmt: skip
async def test_a_wrong_question_to_the_history_is_refused(client: Client, query: str) -> None:
    response = await client.get(f"/api/history?{query}")
    assert response.status == 400
    assert "error" in await response.json()


async def test_the_catalogue_names_every_metric_of_the_pages(client: Client) -> None:
    catalogue = await (await client.get("/api/catalogue")).json()
    for metric in ("cadence", "heart_rate", "stride_time", "symmetry_index", "symmetry_ratio", "walking_speed"):
        assert {"title", "unit_text", "digits", "description"} <= catalogue[metric].keys()


@pytest.mark.parametrize("path", ["/", "/patient/bay-1", "/devices", "/api/status", "/static/base.css", "/nowhere"])
async def test_every_answer_is_protected(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status == (404 if path == "/nowhere" else 200)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "aiohttp" not in response.headers["Server"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_reading_is_all_one_can_do(client: Client, method: str) -> None:
    for path in ("/", "/api/history", "/events", "/static/base.css"):
        assert (await client.request(method, path)).status == 405


async def test_a_page_of_another_site_gets_nothing(client: Client, settings: Settings, topics: Topics) -> None:
    rebound = await client.get("/api/status", headers={"Host": "evil.example:8080"})
    assert rebound.status == 421
    with walking(settings.broker.port, 1, topics=topics) as simulated:
        await first(client, "", lambda s: len(s["slots"]) == 1)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.ws_connect("/waveform/bay-1-left-foot/imu", origin="http://evil.example")
    assert simulated.watched == {}


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/patient/A", "/patient/+"]
)
async def test_there_is_nothing_beside_the_pages(client: Client, path: str) -> None:
    assert (await client.get(path)).status in {403, 404}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "ward.example", "::"])  # noqa: S104 - that they are refused is the point
def test_it_serves_this_machine_only(settings: Settings, host: str) -> None:
    open_to_all = settings.model_copy(update={"dashboard": Dashboard(host=host)})
    with pytest.raises(UsageError, match=f"dashboard.host is {host}"):
        check(open_to_all)


async def test_a_taken_port_is_reported_in_one_sentence(settings: Settings) -> None:
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(settings, stop=stop, ready=ready.set_result), name="dashboard")
    async with asyncio.timeout(WITHIN_S):
        assert await ready == f"http://127.0.0.1:{settings.dashboard.port}/"
        with pytest.raises(UsageError, match=f"Port {settings.dashboard.port} of 127.0.0.1 is taken"):
            await serve(settings, stop=asyncio.Event())
        stop.set()
        await running


async def test_sigterm_ends_the_process_in_good_order_even_while_pages_are_open(settings: Settings) -> None:
    program = (
        "import sys; from config.settings import Settings; from gateway.dashboard.server import run_dashboard; "
        "run_dashboard(Settings.model_validate_json(sys.argv[1]), ready=lambda address: print(address, flush=True))"
    )
    # Not Python's development mode: that says of what took long on a busy machine, too.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program, settings.model_dump_json(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        address = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        async with aiohttp.ClientSession() as session, session.get(f"{address}events") as response:
            await response.content.readline()
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(response.content.read(), WITHIN_S)
        assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0
        assert (await process.stderr.read()).decode() == ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
