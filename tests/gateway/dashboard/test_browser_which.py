"""Which sensor is in somebody's hand: the page of sensors, a real gateway, and simulated devices that are tapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.async_api import BrowserContext, expect

from config.settings import Broker, Dashboard, Device, Radio, Settings, Site, Slot
from gateway.dashboard.users import User, save
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.test_browser_beds import sign_in
from tests.gateway.run.test_pairing import FREE, TOPICS, WORN, dot_settings, kernels, running, until
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child

__all__ = ["kernels"]  # compiled before the first of these

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

TAPPED_MS = 60_000
HARD = 200
"""Of a tap, beside a hand that holds still."""


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    worn = [Device(**dot_settings(name, at, f"{name}_foot")) for at, name in enumerate(WORN)]
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    users = tmp_path / "users.jsonl"
    save(users, [User("anna", "technician", digest)])
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"), slot=[Slot(id="bay-1", subject="p-1", device=worn)],
        dashboard=Dashboard(port=free_port(), users_file=users),
    )  # fmt: skip


@pytest.fixture
def desk(mosquitto: Child) -> Iterator[Desk]:
    made = Desk(mosquitto.port, TOPICS)
    yield made
    made.close()


async def test_the_sensor_in_the_hand_is_named_and_another_blinks(
    context: BrowserContext, settings: Settings, desk: Desk
) -> None:
    async with running(settings, desk) as ward, served(settings) as address:
        page = await sign_in(context, address, "dock")
        await expect(page.locator(".sensor h3")).to_have_count(len(WORN) + len(FREE))
        said = page.locator("#pairing-said")
        await page.locator("#tap").click()
        await expect(said).to_contain_text("Tap the sensor in your hand")
        await expect(page.locator("#scan")).to_be_disabled()
        await until(lambda: all(ward.dots[name].streaming for name in FREE))
        ward.limbs["other"].taps = HARD
        await expect(said).to_have_text("It is other.", timeout=TAPPED_MS)
        await expect(page.locator("#scan")).to_be_enabled()
        ward.limbs["other"].taps = 0
        await page.get_by_role("button", name="Have spare blink").click()
        await expect(said).to_have_text("spare blinks now.", timeout=TAPPED_MS)
        assert {name: ward.dots[name].blinked for name in FREE} == {"spare": 1, "other": 0}
        assert [ward.device(name)["lost"] for name in WORN] == [0, 0], "who is measured is not disturbed"
