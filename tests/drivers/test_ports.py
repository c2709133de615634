"""Serial ports by what they are: a made-up /sys and /dev, with pseudo-terminals behind ttys of any number."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from config.hardware import serial_port as kept_port
from drivers.driver import Link
from drivers.errors import AmbiguousDeviceError, ConnectError, DialogueError, NotFoundError
from drivers.packet import Frame
from drivers.shimmer3.driver import Shimmer3
from drivers.transport import serial_port
from drivers.transport.port_errors import in_use
from drivers.transport.ports import PortSeen, find_port, holders, ports_seen
from drivers.transport.serial_port import SerialTransport, keep_others_out
from simulators.devices.xsens_mti import XsensMti
from simulators.motion.timeline import Timeline
from tests.drivers.test_serial_port import GOOD, Answers
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting

FTDI = ("0403", "6001", "A50285BI", "FTDI", "FT232R USB UART")
XSENS = ("2639", "0300", "03700001", "Xsens", "MTi")


def plug(
    root: Path, tty: str, adapter: tuple[str, str, str, str, str], *, interface: str = "00", at: str = "1-1"
) -> Path:
    """Plug an adapter in, as the kernel shows it; return its tty, which leads nowhere yet."""
    vendor, product, serial, maker, name = adapter
    usb = root / f"sys/devices/pci0/usb1/{at}"
    own = usb / f"{at}:1.{int(interface)}"
    device = own / tty if tty.startswith("ttyUSB") else own
    device.mkdir(parents=True)
    for file, text in {
        "idVendor": vendor,
        "idProduct": product,
        "serial": serial,
        "manufacturer": maker,
        "product": name,
    }.items():
        if text:
            (usb / file).write_text(f"{text}\n")
    (own / "bInterfaceNumber").write_text(f"{interface}\n")
    (root / "sys/class/tty" / tty).mkdir(parents=True)
    (root / "sys/class/tty" / tty / "device").symlink_to(device)
    (root / "dev").mkdir(exist_ok=True)
    return root / "dev" / tty


def unplug(root: Path, tty: str) -> None:
    (root / "dev" / tty).unlink(missing_ok=True)
    (root / "sys/class/tty" / tty / "device").unlink()
    (root / "sys/class/tty" / tty).rmdir()


def test_what_is_plugged_in_is_seen_with_what_it_tells(tmp_path: Path) -> None:
    plug(tmp_path, "ttyUSB0", FTDI)
    plug(tmp_path, "ttyACM0", XSENS, at="1-2")
    (tmp_path / "sys/class/tty/ttyS0/device").mkdir(parents=True)
    (tmp_path / "sys/class/tty/rfcomm0").mkdir()
    (tmp_path / "sys/class/tty/tty7").mkdir()
    dev = tmp_path / "dev"
    assert ports_seen(tmp_path) == [
        PortSeen(dev / "rfcomm0"),
        PortSeen(dev / "ttyACM0", "2639", "0300", "03700001", "00", "Xsens MTi"),
        PortSeen(dev / "ttyUSB0", "0403", "6001", "A50285BI", "00", "FTDI FT232R USB UART"),
    ]
    assert [port.name for port in ports_seen(tmp_path)] == ["", "usb:2639:0300:03700001", "usb:0403:6001:A50285BI"]


def test_nothing_is_seen_where_there_is_nothing(tmp_path: Path) -> None:
    assert ports_seen(tmp_path) == []
    assert find_port(Path("usb:0403:6001"), tmp_path) is None


@pytest.mark.parametrize("name", ["usb:0403:6001:A50285BI", "usb:0403:6001", "usb:0403:6001:A50285BI:00"])
def test_a_port_is_found_by_what_it_is_whatever_its_number(tmp_path: Path, name: str) -> None:
    plug(tmp_path, "ttyUSB0", FTDI).touch()
    plug(tmp_path, "ttyACM0", XSENS, at="1-2").touch()
    assert find_port(Path(name), tmp_path) == tmp_path / "dev/ttyUSB0"
    unplug(tmp_path, "ttyUSB0")
    assert find_port(Path(name), tmp_path) is None
    plug(tmp_path, "ttyUSB7", FTDI, at="1-4").touch()
    assert find_port(Path(name), tmp_path) == tmp_path / "dev/ttyUSB7"


@pytest.mark.parametrize("behind", ["", ":00"])
def test_a_serial_number_with_colons_is_one(tmp_path: Path, behind: str) -> None:
    """An ESP32 tells its address as its serial number: 'doctor' lists that, and the configuration takes it."""
    first, second = (("303a", "1001", f"F4:12:FA:42:1A:B{at}", "Espressif", "USB JTAG/serial") for at in (4, 5))
    plug(tmp_path, "ttyACM0", first).touch()
    plug(tmp_path, "ttyACM1", second, at="1-2").touch()
    for at, seen in enumerate(ports_seen(tmp_path)):
        assert find_port(kept_port(Path(f"{seen.name}{behind}")), tmp_path) == tmp_path / f"dev/ttyACM{at}"


def test_another_serial_number_is_another_port(tmp_path: Path) -> None:
    plug(tmp_path, "ttyUSB0", FTDI).touch()
    assert find_port(Path("usb:0403:6001:A50285BX"), tmp_path) is None


def test_two_of_a_kind_are_not_guessed_between(tmp_path: Path) -> None:
    plug(tmp_path, "ttyUSB0", FTDI).touch()
    plug(tmp_path, "ttyUSB1", (*FTDI[:2], "B1", *FTDI[3:]), at="1-2").touch()
    with pytest.raises(AmbiguousDeviceError, match=r"usb:0403:6001 is 2 ports: .*A50285BI.*B1") as caught:
        find_port(Path("usb:0403:6001"), tmp_path)
    assert "serial number" in caught.value.advice
    assert find_port(Path("usb:0403:6001:B1"), tmp_path) == tmp_path / "dev/ttyUSB1"


def test_the_ports_of_one_adapter_are_told_apart_by_their_interface(tmp_path: Path) -> None:
    for number in range(2):
        plug(tmp_path, f"ttyUSB{number}", FTDI, interface=f"{number:02}").touch()
    with pytest.raises(AmbiguousDeviceError, match=r"interface 00.*interface 01"):
        find_port(Path("usb:0403:6001:A50285BI"), tmp_path)
    assert find_port(Path("usb:0403:6001:A50285BI:01"), tmp_path) == tmp_path / "dev/ttyUSB1"


async def test_a_device_that_is_plugged_in_again_is_found_under_another_number(tmp_path: Path) -> None:
    """Over the whole way: port by its name, exclusive, stream, pulled out, another number, stream."""
    first, second = Answers(dict(GOOD)), Answers(dict(GOOD))
    plug(tmp_path, "ttyUSB0", FTDI).symlink_to(first.path)
    async with streaming_again(SerialTransport(Path("usb:0403:6001:A50285BI"), root=tmp_path)) as streamed:
        await streamed()
        unplug(tmp_path, "ttyUSB0")
        first.hang_up()
        plug(tmp_path, "ttyUSB3", FTDI, at="1-3").symlink_to(second.path)
        await streamed()
    second.close()
    assert 0x07 in second.got


async def test_a_connection_says_behind_which_adapter_it_is_however_the_port_is_named(tmp_path: Path) -> None:
    answers, by_id = Answers(dict(GOOD)), tmp_path / "dev/by-id"
    plug(tmp_path, "ttyUSB0", FTDI).symlink_to(answers.path)
    by_id.symlink_to("ttyUSB0")
    for name in (tmp_path / "dev/ttyUSB0", by_id, Path("usb:0403:6001")):
        connection = await SerialTransport(name, root=tmp_path).connect(Shimmer3(), list[Frame]().append, lambda: 0)
        assert connection.address == "usb:0403:6001:A50285BI"
        await connection.close()
    answers.close()


@contextlib.asynccontextmanager
async def streaming_again(transport: SerialTransport) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Yield what searches, connects and waits for samples, as often as it is called."""
    connections = []

    async def streamed() -> None:
        frames: list[Frame] = []
        driver = Shimmer3()
        await transport.search()
        connection = await transport.connect(driver, frames.append, lambda: 0)
        connections.append(connection)
        await driver.identify(connection)
        await driver.start(connection)
        connection.begin_stream()
        assert any(frame.channel == "data" for frame in frames)

    yield streamed
    for connection in connections:
        await connection.close()


async def test_a_port_that_is_not_there_is_said_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_port, "SEARCH_S", 0.1)
    transport = SerialTransport(Path("usb:0403:6001:A50285BI"), root=tmp_path)
    with pytest.raises(NotFoundError, match="there is no usb:0403:6001:A50285BI") as caught:
        await transport.search()
    assert "'rehab-gateway doctor' lists the ports" in caught.value.advice
    with pytest.raises(NotFoundError):
        await transport.connect(Shimmer3(), list[Frame]().append, lambda: 0)


async def test_no_answer_at_any_rate_is_said_with_the_rates(tmp_path: Path) -> None:
    class Deaf(Shimmer3):
        rates: ClassVar[tuple[int, ...]] = (9_600, 115_200)
        asked = 0

        async def probe(self, link: Link) -> bool:
            self.asked += 1
            return False

    device = Answers(dict(GOOD))
    driver = Deaf()
    with pytest.raises(DialogueError, match=r"no answer on .* at any of its rates \(9600, 115200 baud\)"):
        await SerialTransport(device.path).connect(driver, list[Frame]().append, lambda: 0)
    assert driver.asked == 4, "each rate twice"
    driver.rates = (115_200,)  # type: ignore[misc]
    connection = await SerialTransport(device.path).connect(driver, list[Frame]().append, lambda: 0)
    assert driver.asked == 4, "one rate is not asked about, and the port was let go of"
    await connection.close()
    device.close()


async def test_the_rate_that_worked_is_the_first_to_be_tried(tmp_path: Path) -> None:
    heard: list[int] = []

    class Xsens(Shimmer3):
        rates: ClassVar[tuple[int, ...]] = (9_600, 19_200, 38_400)

        async def probe(self, link: Link) -> bool:
            heard.append(device.rate())
            return heard[-1] == 38_400

    device = Rated(dict(GOOD))
    transport = SerialTransport(device.path)
    for _ in range(2):
        connection = await transport.connect(Xsens(), list[Frame]().append, lambda: 0)
        await connection.close()
    assert heard == [9_600, 19_200, 38_400, 38_400]
    device.close()


class Rated(Answers):
    """One that knows to what rate the port is set."""

    def rate(self) -> int:
        import termios

        with self.path.open("rb", buffering=0) as tty:
            speed = termios.tcgetattr(tty)[5]
        return next(rate for rate in (9_600, 19_200, 38_400, 115_200) if getattr(termios, f"B{rate}") == speed)


HOLD = """
import os, sys, time
os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print("open", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def held_by_a_program(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        yield program
        program.kill()


async def test_a_port_that_another_program_has_open_is_refused_with_its_name() -> None:
    """It knows no locks: two readers of a tty would get half of the bytes each."""
    device = Answers(dict(GOOD))
    with held_by_a_program(device.path) as program:
        with pytest.raises(
            ConnectError, match=r"is in use by another program on this computer: python\S* \(process \d+\)"
        ) as caught:
            await SerialTransport(device.path).connect(Shimmer3(), list[Frame]().append, lambda: 0)
        assert str(program.pid) in str(caught.value)
        assert holders(device.path) == [str(caught.value).rpartition(": ")[2]]
    assert holders(device.path) == []
    connection = await SerialTransport(device.path).connect(Shimmer3(), list[Frame]().append, lambda: 0)
    await connection.close()
    device.close()


@pytest.mark.parametrize(
    ("holder", "word"),
    [("ModemManager (process 4)", "modem"), ("brltty (process 4)", "Braille"), ("x", "End the other")],
)
def test_who_takes_ports_by_himself_is_known(holder: str, word: str) -> None:
    assert word in in_use(Path("/dev/ttyACM0"), [holder]).advice


def test_the_kernel_keeps_others_out() -> None:
    import fcntl
    import struct

    master, slave = os.openpty()
    keep_others_out(slave)
    assert struct.unpack("i", fcntl.ioctl(slave, 0x80045440, bytes(4))) == (1,), "TIOCGEXCL"
    os.close(slave)
    os.close(master)


FORBIDDEN = """
import asyncio, sys
from pathlib import Path
from drivers.transport.serial_port import SerialTransport
from drivers.shimmer3.driver import Shimmer3
from drivers.errors import AdapterError
import os
async def main():
    await asyncio.to_thread(int)  # nobody may read the libraries of an administrator: what is needed is loaded before
    if os.geteuid() == 0:
        os.setgroups([]); os.setegid(65534); os.seteuid(65534)
    try:
        await SerialTransport(Path(sys.argv[1])).connect(Shimmer3(), print, lambda: 0)
    except AdapterError as problem:
        print(problem, "|", problem.advice)
asyncio.run(main())
"""


def test_a_port_that_this_user_may_not_open_says_who_may() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    Path(path).chmod(0o060)
    try:
        done = subprocess.run([sys.executable, "-c", FORBIDDEN, path], capture_output=True, text=True, check=False)
    finally:
        os.close(slave)
        os.close(master)
    assert f"no permission to open {path}: it belongs to" in done.stdout, done.stderr
    assert "adduser" in done.stdout or "udev rule" in done.stdout


async def test_bytes_that_mean_nothing_are_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a device was set to another rate meanwhile: the rate is found anew, and the stream goes on."""
    from drivers.transport import supervisor
    from drivers.xsens_mti.driver import XsensMti as Driver

    monkeypatch.setattr(supervisor, "NONSENSE_S", 1.0)
    sensor = XsensMti(name="back", timeline=Timeline(), path=tmp_path / "port", source=Counting(100.0), rate=115_200)
    monkeypatch.setattr(Driver, "silence_s", 0.5)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 10)
            sensor.port.rate = 230_400
            silent = await watched.until_state("silent")
            before = watched.samples("imu")
            await watched.until(lambda: watched.samples("imu") > before + 20)
    finally:
        await sensor.stop()
    assert silent.error == "nothing but bytes that mean nothing for 1 s"
    assert "baud rate" in silent.advice
