"""The doctor: judgements of made-up machines, and a look at this one."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Broker, Device, Settings, Site, Slot
from gateway.cli.doctor.doctor import (
    MEGABYTE,
    Finding,
    examine,
    judge_bluetooth,
    judge_broker,
    judge_clock,
    judge_disk,
    judge_memory,
    judge_ports,
    judge_processor,
    judge_python,
    show,
    verdict,
)
from gateway.cli.doctor.meaning import MEANING
from gateway.machine import facts
from gateway.machine.facts import Bluetooth, Clock, Disk, Port, Processor
from tests.drivers.test_ports import FTDI, XSENS, plug
from tests.servers import Child

DOCTOR = Path(__file__).parents[3] / "gateway/cli/doctor"
PI_5 = Processor("aarch64", 64, 4, (3, 13))
GOOD_DISK = Disk("var", 50_000 * MEGABYTE, 0.002)


@pytest.mark.parametrize(
    ("cpu", "state"),
    [
        (PI_5, "ok"),
        (Processor("x86_64", 64, 2, (3, 11)), "ok"),
        (Processor("aarch64", 64, 1, (3, 11)), "warn"),
        (Processor("armv7l", 32, 4, (3, 11)), "fail"),
        (Processor("aarch64", 32, 4, (3, 11)), "fail"),  # 64-bit kernel, 32-bit system
        (Processor("riscv64", 64, 4, (3, 11)), "fail"),
    ],
)
def test_processors(cpu: Processor, state: str) -> None:
    assert judge_processor(cpu).state == state


@pytest.mark.parametrize(("python", "state"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 14), "ok"), ((3, 15), "fail")])
def test_pythons(python: tuple[int, int], state: str) -> None:
    assert judge_python(Processor("x86_64", 64, 2, python)).state == state


@pytest.mark.parametrize(("megabytes", "state"), [(300, "fail"), (512, "warn"), (1000, "ok"), (8000, "ok")])
def test_memory(megabytes: int, state: str) -> None:
    assert judge_memory(megabytes * MEGABYTE).state == state


@pytest.mark.parametrize(
    ("seen", "needed", "adapter", "state", "word"),
    [
        (Bluetooth(("hci0",), (), bluez=True), True, None, "ok", ""),
        (Bluetooth((), (), bluez=True), True, None, "fail", "Plug in"),
        (Bluetooth((), (), bluez=False), False, None, "warn", "Only Bluetooth devices"),
        (Bluetooth(("hci0",), (), bluez=False), True, None, "fail", "Start BlueZ"),
        (Bluetooth(("hci0",), ("hci0",), bluez=True), True, None, "fail", "rfkill"),
        (Bluetooth(("hci0", "hci1"), ("hci0",), bluez=True), True, None, "ok", ""),
        (Bluetooth(("hci0", "hci1"), ("hci0",), bluez=True), True, "hci0", "fail", "rfkill"),
        (Bluetooth(("hci0",), (), bluez=True), True, "hci1", "fail", "radio.adapter"),
    ],
)
def test_bluetooth(seen: Bluetooth, *, needed: bool, adapter: str | None, state: str, word: str) -> None:
    finding = judge_bluetooth(seen, needed=needed, adapter=adapter)
    assert finding.state == state
    assert word in finding.advice


def test_more_sensors_than_the_adapters_hold() -> None:
    two = Bluetooth(("hci0", "hci1"), (), bluez=True)
    assert judge_bluetooth(two, needed=True, adapter=None, sensors=10).state == "ok"
    finding = judge_bluetooth(two, needed=True, adapter=None, sensors=16)
    assert (finding.state, finding.advice) == ("warn", "Plug in 2 more, or see radio.links.")
    assert finding.found == "16 Bluetooth sensors, and room for 10 (hci0, hci1, 5 links each)"
    assert judge_bluetooth(two, needed=True, adapter="hci0", sensors=6, links=7).state == "ok"
    assert judge_bluetooth(two, needed=True, adapter="hci0", sensors=8, links=7).state == "warn"


@pytest.mark.parametrize(
    ("ports", "named", "state"),
    [
        ([], False, "ok"),
        ([Port("/dev/rfcomm0", exists=True, usable=True)], True, "ok"),
        ([Port("/dev/rfcomm0", exists=False, usable=False)], True, "fail"),
        ([Port("/dev/ttyUSB0", exists=True, usable=False)], True, "fail"),
        ([Port("/dev/ttyUSB0", exists=True, usable=False)], False, "warn"),
    ],
)
def test_ttys(ports: list[Port], *, named: bool, state: str) -> None:
    assert judge_ports(ports, named=named).state == state


def test_ports_are_told_by_what_they_are_and_whether_they_can_be_opened(tmp_path: Path) -> None:
    plug(tmp_path, "ttyUSB0", FTDI).touch()
    plug(tmp_path, "ttyACM0", XSENS, at="1-2").touch()
    dev, usb = tmp_path / "dev", "usb:0403:6001:A50285BI"
    everything = facts.ports(None, tmp_path)
    finding = judge_ports(everything, named=False)
    assert (finding.state, finding.found) == (
        "ok",
        f"{dev}/ttyACM0 (usb:2639:0300:03700001, Xsens MTi), {dev}/ttyUSB0 ({usb}, FTDI FT232R USB UART)",
    )
    named = [Path("usb:0403:6001:A50285BI"), Path("usb:0403:6001:B1")]
    finding = judge_ports(facts.ports(named[:1], tmp_path), named=True, others=everything)
    assert finding.state == "ok"
    assert finding.found == (
        f"usb:0403:6001:A50285BI ({dev}/ttyUSB0, FTDI FT232R USB UART);"
        f" also there: {dev}/ttyACM0 (usb:2639:0300:03700001, Xsens MTi)"
    )
    finding = judge_ports(facts.ports(named, tmp_path), named=True, others=everything)
    assert finding.state == "fail"
    assert finding.found.startswith("not there: usb:0403:6001:B1; also there:")


def test_two_adapters_of_one_name_are_told(tmp_path: Path) -> None:
    for number in range(2):
        plug(tmp_path, f"ttyUSB{number}", FTDI, at=f"1-{number}").touch()
    finding = judge_ports(facts.ports([Path("usb:0403:6001:A50285BI")], tmp_path), named=True)
    assert finding.state == "fail"
    assert "is 2 ports" in finding.found


def test_a_number_that_may_change_and_a_program_that_has_the_port_are_worth_a_word() -> None:
    port = Port("/dev/ttyUSB0", exists=True, usable=True, name="usb:0403:6001:A50285BI")
    finding = judge_ports([port], named=True)
    assert (finding.state, "port = 'usb:0403:6001:A50285BI'" in finding.advice) == ("warn", True)
    held = judge_ports([replace(port, held_by=("minicom (process 7)",))], named=True)
    assert (held.state, "open in minicom (process 7)" in held.found) == ("warn", True)
    ours = Port("/dev/serial/by-id/usb-x", exists=True, usable=True, held_by=("rehab-gateway (process 7)",))
    assert judge_ports([ours], named=True).state == "ok"


@pytest.mark.parametrize(
    ("clock", "state"),
    [(Clock(True, 0.004), "ok"), (Clock(False, 16.0), "warn"), (Clock(None, 0.0), "warn")],
)
def test_clocks(clock: Clock, state: str) -> None:
    assert judge_clock(clock).state == state


@pytest.mark.parametrize(
    ("disk", "state"),
    [
        (GOOD_DISK, "ok"),
        (Disk("var", 50_000 * MEGABYTE, 0.1), "warn"),  # a tired SD card
        (Disk("var", 50_000 * MEGABYTE, 0.3), "fail"),
        (Disk("var", 1_000 * MEGABYTE, 0.002), "warn"),
        (Disk("var", 100 * MEGABYTE, 0.002), "fail"),
        (Disk("var", 50_000 * MEGABYTE, None), "fail"),
    ],
)
def test_disks(disk: Disk, state: str) -> None:
    assert judge_disk(disk, 512 * MEGABYTE).state == state


@pytest.mark.broker
def test_a_broker_elsewhere_must_answer(mosquitto: Child) -> None:
    outside = Settings(broker=Broker(embedded=False, port=mosquitto.port))
    assert judge_broker(outside).state == "ok"
    beside = judge_broker(Settings(broker=Broker(port=mosquitto.port)))  # as Debian's own service is, on 1883
    assert (beside.state, "for this gateway alone" in beside.found) == ("ok", True)
    mosquitto.end()
    finding = judge_broker(outside)
    assert (finding.state, "refused" in finding.found) == ("fail", True)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and is no broker
        finding = judge_broker(Settings(broker=Broker(embedded=False, port=server.getsockname()[1])))
    assert (finding.state, "did not answer" in finding.found) == ("fail", True)


def test_everything_that_is_not_ok_comes_with_advice() -> None:
    findings = [
        judge_processor(Processor("armv7l", 32, 1, (3, 9))),
        judge_python(Processor("armv7l", 32, 1, (3, 9))),
        judge_memory(0),
        judge_clock(Clock(False, 0)),
        judge_disk(Disk("var", 0, None), 1),
    ]
    assert all(finding.state != "ok" and finding.advice for finding in findings)
    assert verdict(findings).startswith("This computer cannot do the job yet: processor, python, memory, disk.")
    assert verdict([Finding("clock", "warn", "")]).endswith("when there is time: clock.")
    assert verdict([Finding("clock", "ok", "")]) == "This computer can do the job."


def test_every_check_says_what_it_means_for_the_ward(capsys: pytest.CaptureFixture[str]) -> None:
    sources = "".join(path.read_text("utf-8") for path in sorted(DOCTOR.glob("*.py")))
    names = set(re.findall(r'(?:(?:Finding|worst)\(\s*|\nNAME = )"([a-z ]+)"', sources))
    assert names == MEANING.keys()
    show([Finding("clock", "warn", "not synchronised", "Do this.")], as_json=False)
    printed = capsys.readouterr().out
    assert MEANING["clock"] in " ".join(printed.split())
    assert "→ Do this." in printed


def test_this_machine_is_looked_at_without_leaving_a_trace(tmp_path: Path) -> None:
    findings = {finding.name: finding for finding in examine(Settings(site=Site(data=tmp_path / "data")))}
    assert list(findings) == [
        "processor", "python", "memory", "bluetooth", "ttys", "clock", "time service", "disk",
        "hardware", "broker", "kernel cache", "dashboard", "backup",
    ]  # fmt: skip
    assert findings["python"].state == "ok"  # or this test would not run
    assert findings["disk"].state in {"ok", "warn", "fail"}
    assert "a safe write takes" in findings["disk"].found
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_decides_what_is_needed(tmp_path: Path) -> None:
    device = Device(id="shimmer-1", driver="shimmer3", placement="lower_back", port=tmp_path / "rfcomm0")
    slot = Slot(id="bay-a", subject="p-1", device=[device])
    findings = {f.name: f for f in examine(Settings(site=Site(data=tmp_path), slot=[slot]))}
    assert findings["ttys"].state == "fail"
    assert str(tmp_path / "rfcomm0") in findings["ttys"].found
    assert findings["bluetooth"].state != "fail"  # a serial device needs no radio


def test_the_kernel_tells_about_its_clock() -> None:
    """Unsynchronised or not, the fields of adjtimex are where we read them: the error is a plausible one."""
    clock = facts.clock()
    assert clock.synchronised in {True, False, None}
    assert 0 <= clock.max_error_s <= 20  # the kernel stops counting at 16 s


def test_json_for_monitoring(capsys: pytest.CaptureFixture[str]) -> None:
    show([Finding("clock", "warn", "not synchronised", "Do."), Finding("disk", "fail", "full", "Free.")], as_json=True)
    body = json.loads(capsys.readouterr().out)
    assert body["ok"] is False
    assert body["checks"][0] == {
        "name": "clock", "state": "warn", "found": "not synchronised", "advice": "Do.", "means": MEANING["clock"],
    }  # fmt: skip
