"""Serial ports of this computer: what is plugged in, by what it is and not by the number that it got this time.

A tty's number depends on what was plugged in first. A port may be named by the vendor, product and serial number that
its USB adapter tells (``usb:0403:6001:A50285BI``): the kernel lists these below /sys, and they stay when it is
unplugged and plugged in again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.errors import AmbiguousDeviceError

SCHEME: Final = "usb:"
ROOT: Final = Path("/")
KINDS: Final = ("ttyUSB", "ttyACM", "rfcomm")  # of ttys that come with a device; those of the board are always there
MOST_PARENTS: Final = 8  # folders from a tty up to its USB device
AMBIGUOUS_ADVICE: Final = (
    "Name one by its serial number, or by its number of interface behind that: 'doctor' lists both."
)


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A serial port that is there.

    Attributes:
        path: Its tty, with the number that it has now.
        vendor: USB vendor id in four digits; empty where it is no USB device.
        product: USB product id in four digits.
        serial: Serial number of the adapter; empty where it tells none.
        interface: Number of the interface, of an adapter that has several ports.
        description: Maker and product in their own words.
    """

    path: Path
    vendor: str = ""
    product: str = ""
    serial: str = ""
    interface: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """How a configuration names it, whatever its number is; empty where it is no USB device."""
        return (
            f"{SCHEME}{self.vendor}:{self.product}" + (f":{self.serial}" if self.serial else "") if self.vendor else ""
        )

    def answers_to(self, wanted: Path) -> bool:
        """Whether it is meant by ``usb:vendor:product``, with a serial number, an interface, or neither."""
        vendor, product, rest = (*str(wanted).removeprefix(SCHEME).split(":", 2), "", "")[:3]
        # A serial number may have colons of its own: that of many an ESP32 is its address.
        return (self.vendor, self.product) == (vendor.lower(), product.lower()) and rest in {
            "", self.serial, f"{self.serial}:{self.interface}", f":{self.interface}",
        }  # fmt: skip


def is_usb_name(port: Path) -> bool:
    """Whether a port is named by what it is."""
    return str(port).startswith(SCHEME)


def ports_seen(root: Path = ROOT) -> list[PortSeen]:
    """Return the serial ports that are there, in order: USB adapters and Bluetooth serial ports."""
    ttys = sorted(tty for tty in (root / "sys/class/tty").glob("*") if tty.name.startswith(KINDS))
    return [_port(root / "dev" / tty.name, tty / "device") for tty in ttys]


def find_port(wanted: Path, root: Path = ROOT) -> Path | None:
    """Return the tty of a port as it is named; None if it is not there.

    Raises:
        AmbiguousDeviceError: several answer to the name.
    """
    if not is_usb_name(wanted):
        return wanted if wanted.exists() else None
    found = [port for port in ports_seen(root) if port.answers_to(wanted)]
    if len(found) > 1:
        each = ", ".join(f"{port.path} ({port.name}, interface {port.interface or '-'})" for port in found)
        raise AmbiguousDeviceError(f"{wanted} is {len(found)} ports: {each}", advice=AMBIGUOUS_ADVICE)
    return found[0].path if found and found[0].path.exists() else None


def usb_name(tty: Path, root: Path = ROOT) -> str:
    """Return what a tty is, as ``usb:vendor:product:serial``; empty where it is no USB adapter."""
    path = tty.resolve()
    return next((port.name for port in ports_seen(root) if port.path.resolve() == path), "")


def holders(tty: Path) -> list[str]:
    """Return the other programs that have a tty open, as far as this user may see: name and process."""
    path, own = tty.resolve(), str(os.getpid())
    found = [each for each in Path("/proc").glob("[0-9]*") if each.name != own and path in _open_files(each)]
    return [f"{_read(each / 'comm') or 'a program'} (process {each.name})" for each in found]


def _open_files(process: Path) -> set[Path]:
    try:
        return {file.readlink() for file in (process / "fd").iterdir()}
    except OSError:  # somebody else's, or it has ended
        return set()


def _port(path: Path, device: Path) -> PortSeen:
    folder = device.resolve()
    interface = ""
    for _ in range(MOST_PARENTS):
        interface = interface or _read(folder / "bInterfaceNumber")
        if vendor := _read(folder / "idVendor"):
            words = (_read(folder / "manufacturer"), _read(folder / "product"))
            return PortSeen(
                path,
                vendor,
                _read(folder / "idProduct"),
                _read(folder / "serial"),
                interface,
                " ".join(filter(None, words)),
            )
        folder = folder.parent
    return PortSeen(path)


def _read(file: Path) -> str:
    try:
        text = file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return text if text.isprintable() else ""
