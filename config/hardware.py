"""What tells one device from another: addresses, names and ports, however they are written."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

_SEPARATORS = re.compile(r"[\s:.\-_]+")
_ADDRESS = re.compile(r"[0-9A-F]{12}")
_USB = "usb:"
_SERIAL = r"(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[^\s:/]*)"  # that of an ESP32 is its address, colons and all
_ADAPTER = re.compile(
    rf"usb:(?P<vendor>[0-9A-Fa-f]{{4}}):(?P<product>[0-9A-Fa-f]{{4}})(?P<rest>:{_SERIAL}(:[0-9]{{2}})?)?"
)
MOST_PORT = 65535
NOBODY = ("00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF")
"""What is written where no address is known."""

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
"""A name as DNS has it (RFC 1123, section 2.1)."""


def bluetooth_address(text: str) -> str:
    """Return an address as BlueZ writes it, ``D4:22:CD:00:00:01``, whatever case and separators it came in.

    Raises:
        ValueError: with what is expected, when these are not six bytes.
    """
    digits = _SEPARATORS.sub("", text).upper().removeprefix("0X")
    if not _ADDRESS.fullmatch(digits):
        raise ValueError("must be a Bluetooth address: six pairs of 0-9 and A-F, such as D4:22:CD:00:00:01")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def network_address(text: str) -> str:
    """Return an address of the network as it is compared: 192.0.2.10, or 2001:db8::1.

    Raises:
        ValueError: with what is expected, when it is no address of one device.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise ValueError("must be an address such as 192.0.2.10, not a name") from None
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise ValueError(f"must be the address of one device: {address} is everybody's")
    return str(address)


def is_host(text: str) -> bool:
    """Whether a text is a name or an address of one device of the network, and has neither port nor scheme."""
    try:
        network_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None and not text.replace(".", "").isdigit()
    return True


def udp_port(text: str) -> str:
    """Return an address and a port of this computer as they are compared: 192.0.2.10:5005, or [2001:db8::1]:5005.

    Raises:
        ValueError: with what is expected, when they are none.
    """
    host, separator, number = text.strip().rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]{1,5}", number) or not 1 <= int(number) <= MOST_PORT:
        raise ValueError("must be an address and a port such as 192.0.2.10:5005")
    bracketed = host.startswith("[") and host.endswith("]")
    address = network_address(host[1:-1] if bracketed else host)
    if bracketed != (":" in address):
        raise ValueError("must be an address and a port such as 192.0.2.10:5005, or [2001:db8::1]:5005")
    return f"[{address}]:{int(number)}" if bracketed else f"{address}:{int(number)}"


def address_and_port(listen: str) -> tuple[str, int]:
    """Return the two parts of what `udp_port` returns."""
    host, _, number = listen.rpartition(":")
    return host.strip("[]"), int(number)


def plain_name(text: str) -> str:
    """Return a name as it is compared: no case, no padding, single spaces. Two that differ in these are one name."""
    return " ".join(text.replace("\0", " ").split()).casefold()


def is_usb_name(port: Path) -> bool:
    """Whether a serial port is named by its USB adapter (``usb:vendor:product:serial``), and is no path."""
    return str(port).startswith(_USB)


def serial_port(port: Path) -> Path:
    """Return a serial port as it is kept: a path as it is, the name of a USB adapter with small letters in its numbers.

    Raises:
        ValueError: with what is expected, when it begins like the name of an adapter and is none.
    """
    if not is_usb_name(port):
        return port
    named = _ADAPTER.fullmatch(str(port))
    if named is None:
        raise ValueError(
            "must be usb:VENDOR:PRODUCT:SERIAL, such as usb:0403:6001:A50285BI, as 'rehab-gateway doctor' lists it"
        )
    return Path(f"{_USB}{named['vendor'].lower()}:{named['product'].lower()}{named['rest'] or ''}")


def same_tty(port: Path) -> Path:
    """Return the one path of a tty: links such as those in /dev/serial/by-id, ``..`` and ``//`` are followed."""
    return port if is_usb_name(port) else port.resolve()
