"""Exoskeletons in a running gateway, over a port, over the air and over the network: read, and never written to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from config.settings import Broker, Device, Radio, Settings, Site, Slot
from drivers.exo_frame.driver import FOREIGN
from gateway.model.measurement import Measurement
from gateway.outbox.outbox import Outbox
from gateway.run.run import Gateway
from gateway.wire.payload import decode_measurements, encode_measurements
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import Joint, WornExoskeleton
from simulators.devices.exo_frame import ExoFrame
from simulators.devices.exo_frame_udp import ExoFrameUdp
from simulators.devices.openexo import OpenExo
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.drivers.test_udp import free_port as udp_port
from tests.servers import free_port
from tests.simulators.helpers import on_air

WITHIN_S = 240.0
ADDRESS = "02:45:58:0A:1B:2C"
SLOTS = ("gym-1", "gym-2")

pytestmark = pytest.mark.timeout(300)  # the kernel of the clocks may have to be compiled meanwhile


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.05)


def exoskeleton(*joints: Joint) -> WornExoskeleton:
    return WornExoskeleton(WalkingBody(4).figure(), joints=joints)


def measured(box: Outbox) -> list[Measurement]:
    """Return what waits in the outbox of a gateway whose broker is away."""
    found = []
    for slot in SLOTS:
        rows = [row for row in box.read(0, 100_000) if row.slot == slot]
        for at in range(0, len(rows), 100):
            payload = encode_measurements("gateway-1", box.epoch, 0, rows[at : at + 100])
            parsed = decode_measurements("gateway-1", slot, payload)
            assert not parsed.rejected
            found += [measurement for _, measurement in parsed.measurements]
    return found


async def test_what_two_exoskeletons_do_is_measured_and_nothing_is_written_to_them(tmp_path: Path) -> None:
    hub, timeline = Hub(), Timeline()
    port = ExoFrame(name="exo-1", timeline=timeline, path=tmp_path / "exo", source=exoskeleton("hip", "knee"))
    air = OpenExo(name="exo-2", timeline=timeline, hub=hub, address=ADDRESS, source=exoskeleton("ankle"))
    settings = Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=free_port()), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"),
        slot=[
            Slot(id="gym-1", subject="p-1", device=[
                Device(id="exo-1", driver="exo_frame", placement="exoskeleton", port=tmp_path / "exo"),
            ]),
            Slot(id="gym-2", subject="p-2", device=[
                Device(id="exo-2", driver="openexo", placement="exoskeleton", name="EXOBLE_0A1B2C"),
            ]),
        ],
    )  # fmt: skip
    gateway, stop = Gateway(settings), asyncio.Event()
    async with on_air(hub, tmp_path / "radio", port, air):
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            await until(lambda: _states(gateway) == {"exo-1": "streaming", "exo-2": "streaming"})
            await until(lambda: _prepared(gateway))
            assert _device(gateway, "exo-2")["silence_s"] == 3600.0, "it is silent between trials"
            assert _device(gateway, "exo-1")["silence_s"] == 5.0
            port.press_stop()
            await until(lambda: air.notify_error(7, "ankle", "R"))
            before = port.counts.sent, air.counts.sent
            await until(lambda: port.counts.sent > before[0] + 250 and air.counts.sent > before[1] + 250)
        finally:
            stop.set()
            await asyncio.wait({task})
    assert bytes(port.received) == b""
    assert air.commands == []
    with closing(Outbox(settings.site.data / "outbox.db")) as box:
        results = measured(box)
    of = {slot: {(m.metric, m.side) for m in results if m.slot == slot} for slot in SLOTS}
    sides = ("left", "right")
    both = {
        (f"exo_{joint}_{what}", side) for joint in ("hip", "knee") for what in ("angle", "torque") for side in sides
    }
    whole = {("exo_assistance", "none"), ("exo_battery_voltage", "none"), ("battery_pct", "none")}
    assert both | whole <= of["gym-1"]
    ankles = {(f"exo_ankle_{what}", side) for what in ("torque", "peak_torque", "command") for side in sides}
    assert ankles | {("exo_battery_voltage", "none")} <= of["gym-2"]
    assert {m.value for m in results if m.metric == "exo_emergency_stop"} == {0.0, 1.0}
    assert [m.value for m in results if m.metric == "exo_fault" and m.slot == "gym-2"] == [7.0]
    assert {m.placement for m in results} == {("exoskeleton",)}
    assert {m.subject for m in results if m.slot == "gym-2"} == {"p-2"}


async def test_an_exoskeleton_of_the_network_is_measured_and_a_stranger_is_told_of(tmp_path: Path) -> None:
    there = udp_port()
    exo = ExoFrameUdp(
        name="exo-1", timeline=Timeline(), target=there, sender="127.0.0.1", source=exoskeleton("hip", "knee")
    )
    settings = Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=free_port()), simulated=True,
        slot=[
            Slot(id="gym-1", subject="p-1", device=[
                Device(
                    id="exo-1", driver="exo_frame_udp", placement="exoskeleton", listen=f"{there[0]}:{there[1]}",
                    sender="127.0.0.1",
                ),
            ]),
        ],
    )  # fmt: skip
    gateway, stop = Gateway(settings), asyncio.Event()
    await exo.start()
    task = asyncio.create_task(gateway.run(stop), name="gateway")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            await until(lambda: _states(gateway) == {"exo-1": "streaming"})
            stranger.sendto(b"\x11", there)
            exo.press_stop()
            await until(lambda: _device(gateway, "exo-1")["faults"].get(FOREIGN) == 1)
            await until(lambda: _prepared(gateway))
            before = exo.counts.sent
            await until(lambda: exo.counts.sent > before + 250)
            told = _device(gateway, "exo-1")
    finally:
        stop.set()
        await asyncio.wait({task})
        await exo.stop()
    assert (told["transport"], told["told"]["serial"], told["silence_s"]) == ("udp", "1001", 5.0)
    with closing(Outbox(settings.site.data / "outbox.db")) as box:
        results = measured(box)
    assert {m.subject for m in results} == {"p-1"}
    assert {("exo_hip_angle", "left"), ("exo_knee_torque", "right")} <= {(m.metric, m.side) for m in results}
    assert 1.0 in {m.value for m in results if m.metric == "exo_emergency_stop"}


def _device(gateway: Gateway, name: str) -> dict[str, Any]:
    (found,) = [device for device in gateway.status["devices"] if device["id"] == name]
    return {**found}


def _prepared(gateway: Gateway) -> bool:
    """Whether the kernels are compiled, which they are once for each version of the sources."""
    return not gateway.status.get("preparing")


def _states(gateway: Gateway) -> dict[str, str]:
    return {device["id"]: device["state"] for device in gateway.status.get("devices", ())}
