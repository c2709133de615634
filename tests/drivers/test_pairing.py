"""Pairing over a real D-Bus: what BlueZ asks is answered for our devices only, and only its keys count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.errors import AdapterError, ConnectError, NotFoundError
from drivers.transport import pairing
from drivers.transport.agent import Agent
from drivers.transport.pairing import pair
from drivers.transport.system_bus import system_bus
from tests.drivers.fake_bluez import DEVICE, FakeBluez, FakeDevice, RefusedError, fake_bluez, needs_dbus

STRAP, IDENTITY = "C0:FF:EE:00:00:03", "D0:00:00:00:00:01"
PATH = f"/org/bluez/hci0/dev_{STRAP.replace(':', '_')}"

pytestmark = needs_dbus


@pytest.fixture
async def bluez(tmp_path: Path) -> AsyncIterator[FakeBluez]:
    async with fake_bluez(tmp_path, FakeDevice(STRAP)) as daemon:
        yield daemon


def paired(bluez: FakeBluez) -> bool:
    return bool(bluez.objects[PATH][DEVICE]["Paired"])


async def test_one_that_asks_nothing_is_searched_for_and_paired(bluez: FakeBluez) -> None:
    assert await pair(STRAP.lower()) == STRAP
    assert paired(bluez)
    assert [capability for _, capability in bluez.agents.values()] == ["NoInputNoOutput"]
    assert bluez.called("StopDiscovery") == ["/org/bluez/hci0"]


async def test_one_that_shows_a_number_is_paired_with_it(bluez: FakeBluez) -> None:
    bluez.devices[0].asks = "passkey"
    with pytest.raises(ConnectError, match=f"{STRAP} could not be paired: it asks for a passkey") as problem:
        await pair(STRAP)
    assert problem.value.advice.startswith("Give the six digits")
    assert problem.value.problem == "unpaired"
    with pytest.raises(ConnectError, match="the passkey is not right"):
        await pair(STRAP, 654321)
    assert not paired(bluez)
    assert await pair(STRAP, "123456") == STRAP
    assert paired(bluez)
    assert [capability for _, capability in bluez.agents.values()][-1] == "KeyboardOnly"


async def test_a_pairing_that_left_no_keys_is_none(bluez: FakeBluez) -> None:
    """BlueZ answers so where the kernel's self-test of a cipher failed."""
    bluez.devices[0].asks = "lie"
    with pytest.raises(ConnectError, match="BlueZ says that it is done, and has no keys"):
        await pair(STRAP)


async def test_a_refusal_is_told_in_one_line(bluez: FakeBluez) -> None:
    bluez.devices[0].asks = "refuse"
    with pytest.raises(ConnectError) as problem:
        await pair(STRAP)
    assert str(problem.value) == f"{STRAP} could not be paired: the device refused it, or the passkey is not right"
    assert "pairing mode" in problem.value.advice


async def test_a_pairing_without_end_is_ended(bluez: FakeBluez, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "PAIR_S", 0.3)
    bluez.devices[0].asks = "never"
    with pytest.raises(ConnectError, match=r"no answer to Pair within 0\.3 s"):
        await pair(STRAP)
    assert bluez.called("CancelPairing") == [PATH]


async def test_one_that_is_paired_is_left_as_it_is(bluez: FakeBluez) -> None:
    await pair(STRAP)
    bluez.calls.clear()
    assert await pair(STRAP) == STRAP
    assert {name for name, _ in bluez.calls} == {"GetManagedObjects"}


async def test_a_device_whose_address_changes_is_known_by_its_identity(bluez: FakeBluez) -> None:
    bluez.devices[0].private = IDENTITY
    assert await pair(STRAP) == IDENTITY
    assert await pair(IDENTITY) == IDENTITY


async def test_what_is_not_there_is_not_found(bluez: FakeBluez) -> None:
    with pytest.raises(NotFoundError):
        await pair("00:11:22:33:44:55", search_s=0.3)
    assert not any(bluez.scanning.values())
    bluez.power("hci0", on=False)
    with pytest.raises(AdapterError, match="no Bluetooth adapter is there and switched on"):
        await pair("00:11:22:33:44:55")


async def test_without_bluez_the_adapter_is_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    with pytest.raises(AdapterError, match="the Bluetooth service does not answer"):
        await pair(STRAP)


@pytest.mark.parametrize("passkey", ["12345678", "-1", "abc", "", "1000000"])
async def test_a_passkey_is_six_digits(passkey: str) -> None:
    with pytest.raises(ValueError, match="a passkey is a number of up to six digits"):
        await pair(STRAP, passkey)


async def test_a_cancelled_pairing_is_taken_back(bluez: FakeBluez) -> None:
    bluez.devices[0].asks = "never"
    pairs = asyncio.create_task(pair(STRAP))
    async with asyncio.timeout(30):
        while not bluez.called("Pair"):  # noqa: ASYNC110 - the daemon tells nobody
            await asyncio.sleep(0.01)
    pairs.cancel()
    await asyncio.wait([pairs])
    assert bluez.called("CancelPairing") == [PATH]


async def test_the_agent_answers_for_ours_and_for_nobody_else(bluez: FakeBluez) -> None:
    async with system_bus() as bus:
        agent = Agent(lambda path: path == PATH, lambda _: 4711, "KeyboardOnly")
        await agent.register(bus, default=True)
        assert bluez.called("RequestDefaultAgent")
        assert await bluez.ask_agent("RequestPasskey", "o", [PATH]) == [4711]
        assert await bluez.ask_agent("RequestPinCode", "o", [PATH]) == ["004711"]
        assert await bluez.ask_agent("RequestAuthorization", "o", [PATH]) == []
        assert await bluez.ask_agent("RequestConfirmation", "ou", [PATH, 4711]) == []
        stranger = PATH[:-1] + "9"
        for member, signature, body in (
            ("RequestPasskey", "o", [stranger]),
            ("RequestAuthorization", "o", [stranger]),
            ("RequestConfirmation", "ou", [PATH, 1]),
            ("AuthorizeService", "os", [PATH, "1234"]),
        ):
            with pytest.raises(RefusedError, match="Rejected"):
                await bluez.ask_agent(member, signature, body)
