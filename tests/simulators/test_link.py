"""The faults of bumble that simulators.link works round: each shown on the real stack, with no gateway involved."""

from __future__ import annotations

import asyncio
import time

import pytest
from bumble import core, hci, ll
from bumble.device import Advertisement, Device, DeviceConfiguration, Peer
from bumble.gatt import Service
from bumble.host import Host

from simulators.radio.hub import Hub
from simulators.radio.link import SimulatedController
from simulators.radio.peripheral import advertisement, characteristic
from tests.simulators.helpers import until

SENSOR = "D4:22:CD:00:00:01"
OTHER = hci.Address("D4:22:CD:00:00:02", hci.Address.PUBLIC_DEVICE_ADDRESS)


async def powered(hub: Hub, address: str) -> Device:
    controller = hub.controller(address, address)
    config = DeviceConfiguration(
        name="test",
        advertising_data=advertisement("test", services=[0x180D]),
        advertising_interval_min=20.0,
        advertising_interval_max=20.0,
    )
    device = Device(config=config, host=Host(controller, controller))
    await device.power_on()
    return device


async def advertising(hub: Hub, address: str = SENSOR) -> Device:
    device = await powered(hub, address)
    device.add_service(Service("180D", [characteristic("2A38", read=b"\x01", notify=True)]))
    await device.start_advertising(own_address_type=hci.OwnAddressType.PUBLIC)
    return device


async def test_data_arrives_after_the_central_has_changed_its_random_address() -> None:
    hub = Hub()
    await advertising(hub)
    central = await powered(hub, "02:00:00:00:00:01")
    peer_address = hci.Address(SENSOR, hci.Address.PUBLIC_DEVICE_ADDRESS)
    connection = await central.connect_le(peer_address, timeout=2.0)  # from its random address
    await central.send_sync_command(
        hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address.generate_static_address())
    )
    async with asyncio.timeout(2):
        services = await Peer(connection).discover_services()
    assert "180D" in {service.uuid.to_hex_str() for service in services}


async def test_a_cancelled_connection_ends_at_once_and_does_not_appear_later() -> None:
    hub = Hub()
    central = await powered(hub, "02:00:00:00:00:01")
    begin = time.monotonic()
    with pytest.raises(core.TimeoutError):
        async with asyncio.timeout(5):
            await central.connect_le(OTHER, own_address_type=hci.OwnAddressType.PUBLIC, timeout=0.1)
    assert time.monotonic() - begin < 1.0
    late = await advertising(hub, "D4:22:CD:00:00:02")
    seen: list[Advertisement] = []
    central.on(Device.EVENT_ADVERTISEMENT, seen.append)
    await central.start_scanning(active=False)
    await until(lambda: len(seen) >= 2)  # it has had its chance
    assert not central.connections
    assert not late.connections
    assert await central.connect_le(OTHER, own_address_type=hci.OwnAddressType.PUBLIC, timeout=2.0)


async def test_cancelling_nothing_is_refused() -> None:
    central = await powered(Hub(), "02:00:00:00:00:01")
    with pytest.raises(hci.HCI_Error):
        await central.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())


async def test_an_advertisement_is_reported_once_with_its_own_data(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    sent: list[ll.AdvertisingPdu] = []
    send = hub.air.send_advertising_pdu

    def counted(controller: SimulatedController, packet: ll.AdvertisingPdu) -> None:
        sent.append(packet)
        send(controller, packet)

    monkeypatch.setattr(hub.air, "send_advertising_pdu", counted)
    sensor = await advertising(hub)
    central = await powered(hub, "02:00:00:00:00:01")
    seen: list[Advertisement] = []
    central.on(Device.EVENT_ADVERTISEMENT, seen.append)
    await central.start_scanning(active=False)
    await until(lambda: len(seen) >= 3)
    assert len(seen) <= len(sent)
    assert {bytes(found.data) for found in seen} == {sensor.advertising_data}
    assert len({found.address for found in seen}) == 1


async def test_of_two_centrals_one_gets_the_peripheral_and_the_other_keeps_waiting() -> None:
    hub = Hub()
    sensor = await advertising(hub)
    address = hci.Address(SENSOR, hci.Address.PUBLIC_DEVICE_ADDRESS)
    centrals = [await powered(hub, f"02:00:00:00:00:0{i}") for i in (1, 2)]

    async def connect(central: Device) -> bool:
        try:
            await central.connect_le(address, own_address_type=hci.OwnAddressType.PUBLIC, timeout=0.6)
        except core.TimeoutError:
            return False
        return True

    assert sorted(await asyncio.gather(*(connect(central) for central in centrals))) == [False, True]
    assert len(sensor.connections) == 1


async def test_a_controller_that_is_removed_leaves_no_connection_behind() -> None:
    hub = Hub()
    sensor = await advertising(hub)
    controller = hub.controller("central", "02:00:00:00:00:01")
    central = Device(config=DeviceConfiguration(name="test"), host=Host(controller, controller))
    await central.power_on()
    address = hci.Address(SENSOR, hci.Address.PUBLIC_DEVICE_ADDRESS)
    await central.connect_le(address, own_address_type=hci.OwnAddressType.PUBLIC, timeout=2.0)
    assert sensor.connections
    controller.remove()
    await until(lambda: not sensor.connections)
    assert controller not in hub.air.controllers
    assert hub.air.find_le_controller(controller.public_address) is None
