"""Facts about this machine, as far as they can be found out without changing it. `gateway.cli.doctor` judges them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from

from drivers.errors import AmbiguousDeviceError
from drivers.transport.ports import ROOT, PortSeen, find_port, holders, ports_seen

FSYNC_TRIES = 15  # the median of so few is steady enough to tell an SD card from a disk
FSYNC_BYTES = 4096
CONNECT_S = 3.0  # a broker on a hospital network answers within this, or is not there for us

TRUE_FROM_US = 1_735_689_600_000_000
"""2025-01-01: a clock that is earlier than this program has not been set since the machine was switched on."""

_TIMEX_BYTES = 256  # struct timex is 208 bytes on 64-bit Linux
_TIMEX_STATUS, _TIMEX_MAXERROR = 40, 24  # offsets in it (adjtimex(2)): after modes, offset, frequency, max error, ...
_STA_UNSYNC = 0x0040
_SERVICE_NAME = "org.bluez"


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor and the Python that runs on it."""

    machine: str
    bits: int
    cores: int
    python: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bluetooth:
    """Adapters by name, those that are switched off, and whether BlueZ answers on D-Bus."""

    adapters: tuple[str, ...]
    blocked: tuple[str, ...]
    bluez: bool


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port: as a configuration names it, whether it is there, and whether this user may open it.

    Attributes:
        path: As it is named, or its tty.
        exists: Whether it is there.
        usable: Whether this user may read and write it.
        tty: The tty that it has now, where it is named otherwise.
        name: What it is called whatever its number: ``usb:vendor:product:serial``; empty where it is no USB device.
        about: Maker and product in their own words.
        held_by: Other programs that have it open.
    """

    path: str
    exists: bool
    usable: bool
    tty: str = ""
    name: str = ""
    about: str = ""
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """The kernel's opinion of its wall clock; ``synchronised`` None when it may not be asked."""

    synchronised: bool | None
    max_error_s: float


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk under a folder; ``fsync_s`` None when the folder is not writable."""

    folder: str
    free_bytes: int
    fsync_s: float | None


def processor() -> Processor:
    """Return the processor, with the cores that this process may use."""
    bits = 64 if sys.maxsize > 1 << 32 else 32
    return Processor(platform.machine(), bits, len(os.sched_getaffinity(0)), sys.version_info[:2])


def memory_bytes() -> int:
    """Return the memory there is, in bytes; less where a container or service has a limit."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _word(Path("/sys/fs/cgroup/memory.max"))
    return min(total, int(limit)) if limit.isdigit() else total


def bluetooth() -> Bluetooth:
    """Return the adapters that the kernel knows."""
    adapters = sorted(path.name for path in Path("/sys/class/bluetooth").glob("hci*") if ":" not in path.name)
    blocked = [name for name in adapters if _blocked(Path("/sys/class/bluetooth", name))]
    return Bluetooth(tuple(adapters), tuple(blocked), asyncio.run(_bluez()))


def ports(named: Sequence[Path] | None, root: Path = ROOT) -> list[Port]:
    """Return the ports that a configuration names or, without one, those that a device may be behind."""
    seen = {port.path.resolve(): port for port in ports_seen(root)}
    return [_port(path, seen, root) for path in ([port.path for port in seen.values()] if named is None else named)]


def _port(path: Path, seen: Mapping[Path, PortSeen], root: Path) -> Port:
    try:
        tty = find_port(path, root)
    except AmbiguousDeviceError as problem:
        return Port(str(path), exists=False, usable=False, about=str(problem))
    if tty is None:
        return Port(str(path), exists=False, usable=False)
    known = seen.get(tty.resolve(), PortSeen(tty))
    usable = os.access(tty, os.R_OK | os.W_OK, effective_ids=True)
    other = str(tty.resolve()) if tty.resolve() != path else ""
    return Port(str(path), tty.exists(), usable, other, known.name, known.description, tuple(holders(tty)))


def udp_trouble(host: str, port: int) -> int:
    """Return the number of the error with which a UDP port of this machine refuses to be opened; 0 if it does not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((host, port))
    except OSError as problem:
        return problem.errno or -1
    return 0


def clock() -> Clock:
    """Ask the kernel whether something keeps its clock right (adjtimex)."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
        return Clock(None, 0.0)
    (max_error_us,) = unpack_from("@l", timex.raw, _TIMEX_MAXERROR)
    (status,) = unpack_from("@i", timex.raw, _TIMEX_STATUS)
    return Clock(not status & _STA_UNSYNC, max_error_us / 1e6)


def disk(folder: Path) -> Disk:
    """Return the disk that a folder is on, or would be on, and how long it takes to be sure of a write."""
    existing = folder.resolve()
    while not os.access(existing, os.F_OK):  # a path below a closed folder must not be asked more
        existing = existing.parent
    return Disk(str(folder), shutil.disk_usage(existing).free, _fsync_s(existing))


def mosquitto() -> str | None:
    """Return the path of the broker that the gateway would start; system folders are searched too."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def answers(host: str, port: int) -> str:
    """Return why nothing accepts a connection there; empty if something does."""
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def writable(folder: Path) -> bool:
    """Return whether files can be made there, or in the nearest folder above that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):  # asking is not enough: the administrator is always told yes
            return True
    except OSError:
        return False


def _fsync_s(folder: Path) -> float | None:
    took = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(FSYNC_TRIES):
                file.write(bytes(FSYNC_BYTES))
                file.flush()
                start = time.perf_counter()
                os.fsync(file.fileno())
                took.append(time.perf_counter() - start)
    except OSError:
        return None
    return statistics.median(took)


def _blocked(adapter: Path) -> bool:
    switches = [rfkill / kind for rfkill in adapter.glob("rfkill*") for kind in ("soft", "hard")]
    return any(_word(switch) == "1" for switch in switches)


def _word(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""


async def _bluez() -> bool:
    """Return whether BlueZ is on the system bus."""
    from dbus_fast import BusType, DBusError, Message
    from dbus_fast.aio import MessageBus

    try:
        async with asyncio.timeout(CONNECT_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, DBusError, EOFError):  # no bus at all, as in a container; TimeoutError is an OSError
        return False
    try:
        question = Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="NameHasOwner",
            signature="s",
            body=[_SERVICE_NAME],
        )
        answer = await bus.call(question)
        return bool(answer and answer.body and answer.body[0])
    finally:
        bus.disconnect()
