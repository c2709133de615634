"""Several gateways on one dashboard, with a real broker: whose bed is whose, and which gateway is not heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import orjson
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Page, expect

from config.settings import Dashboard, Settings
from gateway.dashboard.feed import Message
from gateway.dashboard.page_states import render
from gateway.dashboard.server import make_app, serve
from gateway.dashboard.site import GATEWAYS, Site, read_view
from gateway.wire.topics import Topics
from gateway.wire.waveform import HEADER
from tests.gateway.dashboard.simulated_gateway import MICRO, SimulatedGateway, Walker, notice
from tests.gateway.dashboard.test_server import WITHIN_S, Client, State, first, status_of
from tests.gateway.dashboard.test_ward import measurements, status

pytestmark = pytest.mark.broker
in_one_loop = pytest.mark.asyncio(loop_scope="module")

NORTH, SOUTH = "north", "south"


def somebody(subject: str) -> Walker:
    """Return somebody in bay 1, of which each gateway has one."""
    person = Walker(1)
    person.subject, person.session = subject, f"s-{subject}"
    return person


@contextmanager
def speaking(settings: Settings, **people: Walker) -> Iterator[dict[str, SimulatedGateway]]:
    """Gateways of the site, by name, with one person each."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                SimulatedGateway(settings.broker.port, [person], topics=Topics(settings.site.site, name))
            )
            for name, person in people.items()
        }


def listening(settings: Settings, *gateways: str) -> Settings:
    """Return settings of a dashboard of the gateway ``north`` that listens to others."""
    site = settings.site.model_copy(update={"gateway": NORTH})
    dashboard = Dashboard(port=settings.dashboard.port, gateways=list(gateways))
    return settings.model_copy(update={"site": site, "dashboard": dashboard})


@pytest_asyncio.fixture(loop_scope="module")
async def all_of_them(settings: Settings) -> AsyncIterator[Client]:
    """Return a client of a dashboard that listens to whoever speaks."""
    async with TestClient(TestServer(make_app(listening(settings, "*")))) as made:
        yield made


def beds(state: State) -> list[tuple[str, str, str]]:
    return sorted((slot["gateway"], slot["id"], slot["subject"]) for slot in state["slots"] if "gateway" in slot)


BOTH = [(NORTH, "bay-1", "p-north"), (SOUTH, "bay-1", "p-south")]


@in_one_loop
async def test_beds_of_one_name_are_distinguished(all_of_them: Client, settings: Settings) -> None:
    with speaking(settings, north=somebody("p-north"), south=somebody("p-south")) as gateways:
        gateways[SOUTH].notices = [notice("device-silent/bay-1-chest", "No data", slot="bay-1")]
        state = await first(all_of_them, "", lambda s: beds(s) == BOTH and bool(s["notices"]))
        north = await first(all_of_them, "?slot=bay-1", lambda s: s["slot"]["known"])
        south = await first(all_of_them, "?slot=bay-1&gateway=south", lambda s: bool(s["slot"]["values"]))
        devices = await first(all_of_them, "?view=devices&gateway=south", lambda s: bool(s["devices"]))
    assert {one["id"]: one["state"] for one in state["gateways"]} == {NORTH: "online", SOUTH: "online"}
    assert [(n["gateway"], n["slot"]) for n in state["notices"]] == [(SOUTH, "bay-1")]
    assert state["doubts"] == []
    assert (north["slot"]["subject"], south["slot"]["subject"]) == ("p-north", "p-south")
    assert (north["gateway"], south["gateway"], devices["gateway"]) == (NORTH, SOUTH, SOUTH)


@in_one_loop
async def test_a_gateway_that_is_gone_is_reported_and_the_others_go_on(all_of_them: Client, settings: Settings) -> None:
    with speaking(settings, north=somebody("p-north"), south=somebody("p-south")) as gateways:
        await first(all_of_them, "", lambda s: beds(s) == BOTH)
        gateways[SOUTH].die()
        state = await first(all_of_them, "", lambda s: bool(s["doubts"]))
        assert beds(state) == BOTH
    assert state["doubts"] == ["Gateway south is offline: what is shown of its beds is old."]
    assert {one["id"]: one["state"] for one in state["gateways"]} == {NORTH: "online", SOUTH: "offline"}


@in_one_loop
async def test_one_that_is_named_and_never_heard_is_reported(settings: Settings) -> None:
    app = make_app(listening(settings, NORTH, SOUTH))
    with speaking(settings, north=somebody("p-north"), east=somebody("p-east")):
        async with TestClient(TestServer(app)) as client:
            state = await first(client, "", lambda s: bool(s["slots"]))
            shown = await status_of(client)
    assert beds(state) == BOTH[:1]  # and nothing of one that is not named
    assert state["doubts"] == ["Gateway south has not been heard yet: its beds are missing."]
    assert shown["gateways"] == {NORTH: "online", SOUTH: "unknown"}


@in_one_loop
async def test_by_default_nobody_else_is_heard(settings: Settings) -> None:
    with speaking(settings, north=somebody("p-north"), south=somebody("p-south")):
        async with TestClient(TestServer(make_app(listening(settings)))) as client:
            state = await first(client, "", lambda s: bool(s["slots"]))
            other = await first(client, "?slot=bay-1&gateway=south", lambda _: True)
    assert [slot["subject"] for slot in state["slots"]] == ["p-north"]
    assert "gateway" not in state["slots"][0]
    assert (other["slot"]["known"], other["slot"]["subject"]) == (False, "")


@in_one_loop
async def test_raw_samples_are_asked_of_the_right_gateway(all_of_them: Client, settings: Settings) -> None:
    with speaking(settings, north=somebody("p-north"), south=somebody("p-south")) as gateways:
        await first(all_of_them, "", lambda s: beds(s) == BOTH)
        address = "/waveform/bay-1-left-foot/imu?gateway=south"
        async with asyncio.timeout(WITHIN_S), all_of_them.ws_connect(address) as socket:
            frame = await socket.receive_bytes()
        watched = {name: list(simulated.watched) for name, simulated in gateways.items()}
    assert HEADER.unpack_from(frame)[0] == 1
    assert watched == {NORTH: [], SOUTH: [("bay-1-left-foot", "imu")]}
    assert (await all_of_them.get("/waveform/bay-1-left-foot/imu?gateway=west")).status == 404


@in_one_loop
async def test_a_tile_opens_the_patient_of_its_gateway(page: Page, settings: Settings) -> None:
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(listening(settings, "*"), stop=stop, ready=ready.set_result), name="dashboard")
    try:
        address = await asyncio.wait_for(ready, WITHIN_S)
        with speaking(settings, north=somebody("p-north"), south=somebody("p-south")) as gateways:
            await page.goto(address)
            await expect(page.locator("#gateway")).to_have_text("2 gateways, 2 online")
            await expect(page.locator(".tile .subject")).to_have_text(["p-north · north", "p-south · south"])
            await page.locator(".tile", has_text="p-south").locator("a").click()
            await expect(page.locator("#subject")).to_contain_text("p-south")
            await expect(page.locator("#gateway")).to_have_text("Gateway south online")
            async with asyncio.timeout(WITHIN_S):
                while not gateways[SOUTH].watched:  # noqa: ASYNC110 - told on the broker's thread
                    await asyncio.sleep(0.02)
            assert not gateways[NORTH].watched
            gateways[SOUTH].seat(somebody("p-new"))
            await expect(page.locator("#subject")).to_contain_text("p-new")
            await page.goto(f"{address}devices?gateway=south")
            await expect(page.locator("#gateway")).to_have_text("Gateway south online")
    finally:
        stop.set()
        await running


def message(gateway: str, kind: str = "status") -> Message:
    return Message(f"rehab/v1/demo/{gateway}/{kind}", b'{"v": 1, "state": "offline"}', retained=True)


def test_a_wrong_publisher_makes_us_hold_no_more_than_fits() -> None:
    site = Site(Settings(dashboard=Dashboard(gateways=["*"])))
    for number in range(GATEWAYS + 20):
        site.on_message(message(f"g-{number}"))
    site.on_message(message("UPPER CASE"))
    site.on_message(message("other", "command/watch"))
    assert len(site.wards()) < GATEWAYS
    assert site.losses()["too many gateways"] == 20 + 1 + 2


def test_what_a_tile_shows_is_as_old_as_its_own_gateway_says() -> None:
    """Its clock is an hour behind that of the page: a stop of just now must not stand there as an old one."""
    site, now_s, person = Site(listening(Settings(), NORTH, SOUTH)), time.time(), somebody("p-south")
    south = now_s - 3600.0
    told = [
        person.measurement(metric, 1.0, "none", south - 2.0, south - 2.0)
        for metric in ("exo_emergency_stop", "heart_rate")
    ]
    for gateway, at_s in ((NORTH, now_s), (SOUTH, south)):
        said = status([person], at_s, gateway=gateway)
        site.on_message(message(gateway)._replace(payload=said, retained=False))
    body = orjson.loads(measurements(person.slot, told)) | {"gateway": SOUTH}
    site.on_message(message(SOUTH, f"measurements/{person.slot}")._replace(payload=orjson.dumps(body)))
    state = render(site, "ward")
    (tile,) = [slot for slot in state["slots"] if slot["gateway"] == SOUTH]
    (stop,) = tile["alarms"]
    ages_s = [(state["now_us"] - one["end_us"]) / MICRO for one in (stop, tile["values"]["heart_rate"])]
    assert ages_s == pytest.approx([2.0, 2.0], abs=60.0)


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("ward", ("ward", "", "")), ("devices", ("devices", "", "")), ("devices/south", ("devices", "", "south")),
        ("slot/bay-1", ("slot", "bay-1", "")), ("slot/bay-1/south", ("slot", "bay-1", "south")),
        ("feedback/bay-1/south", ("feedback", "bay-1", "south")), ("ward/cadence", ("ward", "", "")),
    ],
)  # fmt: skip
def test_views_are_named(name: str, view: tuple[str, str, str]) -> None:
    assert read_view(name) == view
