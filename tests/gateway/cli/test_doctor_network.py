"""The doctor looks at the ports on which devices of the network are heard: by opening them."""

from __future__ import annotations

import socket

import pytest

from config.settings import Device, Settings, Slot
from gateway.cli.doctor.doctor import examine
from gateway.cli.doctor.finding import Finding
from gateway.cli.doctor.network import judge_listening


def listening(*places: str) -> Settings:
    devices = [
        Device(id=f"exo-{at}", driver="exo_frame_udp", placement="exoskeleton", listen=place, sender="127.0.0.1")
        for at, place in enumerate(places)
    ]
    return Settings(slot=[Slot(id="gym-1", subject="p-1", device=devices)])


@pytest.fixture
def taken() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    return found


def judged(*places: str) -> Finding:
    found = judge_listening(listening(*places))
    assert found is not None
    return found


def test_a_port_that_is_free_one_that_is_not_and_an_address_of_another_machine(taken: socket.socket) -> None:
    place = f"127.0.0.1:{taken.getsockname()[1]}"
    found = judged(place)
    assert (found.state, found.found) == ("warn", f"in use: {place}")
    taken.close()
    assert (judged(place).state, judged(place).found) == ("ok", place)
    found = judged(place, "192.0.2.1:5005")
    assert (found.state, found.found) == ("fail", "not an address of this machine: 192.0.2.1:5005")


def test_who_has_no_device_of_the_network_hears_nothing_of_it(taken: socket.socket) -> None:
    assert judge_listening(listening()) is None
    place = f"127.0.0.1:{taken.getsockname()[1]}"
    taken.close()
    assert [each.state for each in examine(listening(place)) if each.name == "udp"] == ["ok"]
