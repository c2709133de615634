"""What one setting alone cannot say: ids that clash, devices without an address, pages open to the network.

Every check is a generator of ``(path, sentence)`` over settings that are valid one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from config.addresses import addresses, loopback
from config.checks_openid import check_openid
from config.checks_placements import Drivers, KnownDriver, check_placements
from config.checks_ward import check_addresses, check_text, check_ward
from config.hardware import NOBODY, is_usb_name, plain_name, same_tty
from config.lines import Path
from config.pseudonym import nhs_numbers
from config.settings import Dashboard, Device, Settings, Slot
from config.wording import suggestion

__all__ = ["Drivers", "KnownDriver", "check", "check_device", "check_worn", "devices", "ports"]

Finding = tuple[Path, str]

WAYS = {
    "address": ("ble", "Bluetooth"), "name": ("ble", "Bluetooth"), "port": ("serial", "a tty"),
    "listen": ("udp", "UDP"), "sender": ("udp", "UDP"),
}  # fmt: skip
"""Keys that say how a device is found: the transport of each, and what it is called."""
MOST_AT_HOME = 4
"""Beds of a home: a ward has screens that show a person by session, and no bed's past."""
KINDS = {"ble": "Bluetooth", "serial": "serial", "udp": "UDP"}


def check(settings: Settings, drivers: Drivers | None) -> Iterator[Finding]:
    """Yield everything that is wrong between settings; ``drivers`` None leaves drivers unchecked."""
    yield from check_text(settings)
    yield from check_addresses(settings)
    yield from check_ward(settings)
    if drivers is not None:
        yield from check_placements(settings, drivers)
    yield from _unique(settings)
    yield from _no_names(settings)
    yield from _network(settings)
    yield from addresses(settings)
    yield from _store(settings)
    if settings.historian.share is not None and settings.historian.id is None:
        yield ("historian", "share"), "historian.share needs historian.id: receipts say whose they are"
    yield from _simulation(settings)
    yield from _home(settings)
    if settings.backup.folder is not None and settings.backup.key_file is None:
        yield ("backup", "folder"), "backup.folder needs backup.key_file: a backup holds secrets, and is encrypted"
    if settings.backup.sftp_to is not None and None in (settings.backup.folder, settings.backup.sftp_key_file):
        yield (
            ("backup", "sftp_to"),
            "backup.sftp_to needs backup.folder, whose backups are sent, and backup.sftp_key_file",
        )
    for path, device in devices(settings):
        yield from _axes(path, device)
        if drivers is not None:
            yield from _driver(path, device, drivers)


def devices(settings: Settings) -> Iterator[tuple[Path, Device]]:
    """Yield every device with its path in the file."""
    for i, slot in enumerate(settings.slot):
        for j, device in enumerate(slot.device):
            yield ("slot", i, "device", j), device


def _unique(settings: Settings) -> Iterator[Finding]:
    seen: set[tuple[str, object]] = set()

    def again(what: str, value: object) -> bool:
        if value is None or (what, value) not in seen:
            seen.add((what, value))
            return False
        return True

    for i, slot in enumerate(settings.slot):
        if again("slot", slot.id):
            yield ("slot", i, "id"), f"slot.id = '{slot.id}' is already another slot's: each needs its own"
    for path, device in devices(settings):
        if again("device", device.id):
            yield (
                (*path, "id"),
                f"slot.device.id = '{device.id}' is already another device's: each needs its own",
            )
        yield from _identity(path, device, again)
        if again("port", device.port):
            yield (*path, "port"), f"slot.device.port = '{device.port}' is already another device's"
        if again("listen", device.listen):
            yield (*path, "listen"), f"slot.device.listen = '{device.listen}' is already another device's"
        if again("place", (path[1], device.placement, device.driver)):
            yield (
                (*path, "placement"),
                f"slot.device.placement = '{device.placement}' already has a {device.driver} in this slot",
            )


def check_device(device: Device, others: Iterable[Device], drivers: Drivers) -> Iterator[str]:
    """Yield what is wrong with a device that comes to others: what a file with all of them would be refused for."""
    beside = [*others, device]
    slots = [Slot.model_construct(id=f"{n}", subject="", device=[one]) for n, one in enumerate(beside)]
    settings = Settings.model_construct(slot=slots)
    path: Path = ("slot", len(beside) - 1, "device", 0)
    if device.port is not None and not device.port.is_absolute() and not is_usb_name(device.port):
        yield f"port = '{device.port}' must be a whole path, such as /dev/rfcomm0"
    for found, sentence in (
        *_unique(settings),
        *ports(settings),
        *_axes(path, device),
        *_driver(path, device, drivers),
    ):
        if found[: len(path)] == path:
            yield _alone(sentence)


def check_worn(device: Device, beside: Iterable[Device], drivers: Drivers) -> Iterator[str]:
    """Yield why a device cannot be worn where it says, beside what somebody wears already."""
    worn = [*beside, device]
    path: Path = ("slot", 0, "device", len(worn) - 1)
    settings = Settings.model_construct(slot=[Slot.model_construct(id="0", subject="", device=worn)])
    for found, sentence in (*check_placements(settings, drivers), *_axes(path, device)):
        if found[: len(path)] == path:
            yield _alone(sentence)


def _alone(sentence: str) -> str:
    """Return a sentence as it is said to whoever speaks of one device, and of no file."""
    return sentence.replace("slot.device.", "").replace("in this slot", "in this bed")


def _identity(path: Path, device: Device, again: Callable[[str, object], bool]) -> Iterator[Finding]:
    """Say what one device has of another's: each of these is how a device is told from all others."""
    if device.address in NOBODY:
        yield (*path, "address"), f"slot.device.address = '{device.address}' is no device's: read it off the device"
    elif again("address", device.address):
        yield (*path, "address"), f"slot.device.address = '{device.address}' is already another device's"
    if device.name is not None and not plain_name(device.name):
        yield (*path, "name"), "slot.device.name is empty: give the name that the device advertises, or an 'address'"
    elif again("name", plain_name(device.name) if device.name and not device.address else None):
        yield (
            (*path, "name"),
            f"slot.device.name = '{device.name}' is already another device's: give each its own 'address'",
        )
    for key in ("serial", "tag"):
        value = getattr(device, key)
        if again(key, None if value is None else (device.driver, plain_name(value))):
            yield (*path, key), f"slot.device.{key} = '{value}' is already another device's"


def ports(settings: Settings) -> Iterator[Finding]:
    """Yield every tty that two devices are given by different names; ``settings`` with absolute paths."""
    seen: dict[object, str] = {}
    for path, device in devices(settings):
        if device.port is None:
            continue
        other = seen.setdefault(same_tty(device.port), device.id)
        if other != device.id:
            yield (
                (*path, "port"),
                f"slot.device.port = '{device.port}' is already the tty of '{other}' by another name",
            )


def _no_names(settings: Settings) -> Iterator[Finding]:
    for i, slot in enumerate(settings.slot):
        for key, value in (("id", slot.id), ("label", slot.label), ("subject", slot.subject)):
            if nhs_numbers(value):
                yield (
                    ("slot", i, key),
                    f"slot.{key} has the form of an NHS number: use a pseudonym and keep the link elsewhere",
                )


def _network(settings: Settings) -> Iterator[Finding]:
    yield from _dashboard(settings.dashboard)
    yield from _pairs(settings)
    broker = settings.broker
    if broker.embedded and "@" not in broker.host and not loopback(broker.host):
        yield (
            ("broker", "host"),
            f"broker.host = '{broker.host}' is not this machine, but broker.embedded is true: set it to false",
        )
    if broker.embedded and broker.ca_file:
        yield ("broker", "ca_file"), "broker.ca_file is for a broker elsewhere: set broker.embedded = false"
    if broker.cert_file and not broker.ca_file:
        yield ("broker", "cert_file"), "broker.cert_file needs broker.ca_file, which turns TLS on"
    if broker.crl_file and not broker.ca_file:
        yield ("broker", "crl_file"), "broker.crl_file needs broker.ca_file, whose certificates it takes back"
    if broker.password_file and not broker.username:
        yield ("broker", "password_file"), "broker.password_file needs broker.username beside it"


def _dashboard(dashboard: Dashboard) -> Iterator[Finding]:
    needed = ("cert_file", "key_file", "users_file")
    lacking = [key for key in needed if getattr(dashboard, key) is None]
    if not loopback(dashboard.host) and lacking:
        yield (
            ("dashboard", "host"),
            f"dashboard.host = '{dashboard.host}' lets the network in: set dashboard.{lacking[0]} or use 127.0.0.1",
        )
    yield from _behind_a_proxy(dashboard)
    yield from check_openid(dashboard)


def _behind_a_proxy(dashboard: Dashboard) -> Iterator[Finding]:
    where = ("dashboard", "proxies")
    for name in dashboard.proxies:
        try:
            network = ip_network(name)
        except ValueError:
            yield where, f"dashboard.proxies: '{name}' is no address and no network: write 127.0.0.1 or 10.1.2.0/24"
            continue
        if network.prefixlen == 0:
            yield where, f"dashboard.proxies: '{name}' is everybody, who could then claim any address: name the proxy"
    if dashboard.proxies and dashboard.public_url is None:
        yield where, "dashboard.proxies needs dashboard.public_url beside it: where browsers reach the proxy"
    for key in ("proxies", "public_url"):
        if getattr(dashboard, key) and dashboard.users_file is None:
            yield (
                ("dashboard", key),
                f"dashboard.{key} needs dashboard.users_file: a proxy would show the pages to everybody who reaches it",
            )
    if dashboard.public_url is not None:
        yield from _public_url(dashboard.public_url)


def _public_url(url: str) -> Iterator[Finding]:
    where = ("dashboard", "public_url")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.username is not None:
        yield where, "dashboard.public_url is not an address: write https://ward.example or https://ward.example:8443"
    elif parts.scheme != "https":
        yield where, "dashboard.public_url begins with https://: over http, passwords could be read on the way"
    elif parts.path not in {"", "/"} or parts.query or parts.fragment:
        yield where, "dashboard.public_url has a path: give the dashboard a name or a port of its own at the proxy"


def _pairs(settings: Settings) -> Iterator[Finding]:
    pairs = (
        ("broker", "cert_file", "key_file"),
        ("historian", "cert_file", "key_file"),
        ("dashboard", "cert_file", "key_file"),
        ("dashboard", "broker_cert_file", "broker_key_file"),
    )
    for table, cert, key in pairs:
        section = getattr(settings, table)
        if (getattr(section, cert) is None) != (getattr(section, key) is None):
            given, lacks = (cert, key) if getattr(section, cert) else (key, cert)
            yield (table, given), f"{table}.{given} needs {table}.{lacks} beside it"


def _store(settings: Settings) -> Iterator[Finding]:
    store = settings.historian.store
    if store is None:
        return
    path: Path = ("historian", "store")
    if store.kind == "influxdb2":
        if not store.organisation:
            yield path, "[historian.store] lacks 'organisation': InfluxDB 2 asks for it"
        if store.token_file is None:
            yield path, "[historian.store] lacks 'token_file': InfluxDB 2 asks for a token"
    if store.kind != "postgresql":
        for key in ("username", "ca_file"):
            if getattr(store, key) is not None:
                yield (*path, key), f"historian.store.{key} is for kind = 'postgresql' alone"


def _home(settings: Settings) -> Iterator[Finding]:
    path: Path = ("home_assistant", "enabled")
    if settings.home_assistant.enabled and len(settings.slot) > MOST_AT_HOME:
        sentence = f"is for a home, of {MOST_AT_HOME} beds at most: it shows and keeps values by bed"
        yield path, f"home_assistant.enabled {sentence}"
    if settings.home_assistant.enabled and settings.broker.embedded:
        yield path, "home_assistant.enabled needs the broker that Home Assistant has too: broker.embedded = false"


def _simulation(settings: Settings) -> Iterator[Finding]:
    if settings.speed != 1 and not settings.simulated:
        yield (
            ("speed",),
            f"speed = {settings.speed:g} needs simulated = true: real time does not hurry",
        )
    if settings.radio.name == "simulated":
        if settings.radio.socket is None:
            yield ("radio",), "[radio] lacks 'socket': where the simulators listen"
        if not settings.simulated:
            yield ("radio", "name"), "radio.name = 'simulated' needs simulated = true, so that nobody takes it for real"


def _axes(path: Path, device: Device) -> Iterator[Finding]:
    parts = device.axes.split()
    letters = [part[-1] for part in parts]
    if sorted(letters) != ["x", "y", "z"]:
        yield (*path, "axes"), f"slot.device.axes = '{device.axes}' must name each of x, y and z once"
        return
    swaps = sum(a > b for i, a in enumerate(letters) for b in letters[i + 1 :])
    minuses = sum(part.startswith("-") for part in parts)
    if (swaps + minuses) % 2:
        yield (
            (*path, "axes"),
            f"slot.device.axes = '{device.axes}' is a mirror image: no way of wearing gives it, turn one sign",
        )


def _driver(path: Path, device: Device, drivers: Drivers) -> Iterator[Finding]:
    try:
        known = drivers.get(device.driver)
    except ValueError as error:
        yield (*path, "driver"), f"slot.device.driver: {error}"
        return
    if known is None:
        hint = suggestion(device.driver, drivers)
        yield (*path, "driver"), f"slot.device.driver = '{device.driver}' is not a driver{hint}"
        return
    yield from _way(path, device, known.transport)
    yield from _options(path, device, known)


def _options(path: Path, device: Device, known: KnownDriver) -> Iterator[Finding]:
    try:
        known.build(**device.options)
    except (ValueError, TypeError) as error:
        yield (*path, "options", *_named(device, str(error))), f"slot.device.options: {error}"
        return
    for doubt in known.of(device.options).doubts:
        yield (*path, "options", *_named(device, doubt)), f"slot.device.options: {doubt}"


def _named(device: Device, sentence: str) -> Path:
    """Return the option that a sentence names first, so that its line is told where it has one of its own."""
    found = [(match.start(), key) for key in device.options if (match := re.search(rf"\b{re.escape(key)}\b", sentence))]
    return (min(found)[1],) if found else ()


def _way(path: Path, device: Device, transport: str) -> Iterator[Finding]:
    """Say what the way to a device lacks, and what is of another way."""
    if transport == "ble" and not (device.address or device.name):
        yield path, f"device '{device.id}' is a Bluetooth device: give it an 'address' or a 'name'"
    if transport == "serial" and device.port is None:
        yield path, f"device '{device.id}' is a serial device: give it a 'port' such as /dev/rfcomm0"
    if transport == "udp":
        for key, such in (("listen", "192.0.2.10:5005, of this computer"), ("sender", "192.0.2.20")):
            if getattr(device, key) is None:
                yield path, f"device '{device.id}' is a UDP device: give it a '{key}' such as {such}"
        if device.listen and device.sender and (":" in device.sender) != device.listen.startswith("["):
            yield (*path, "sender"), f"slot.device.sender = '{device.sender}' does not reach '{device.listen}'"
    for key, (of, kind) in WAYS.items():
        if of != transport and getattr(device, key):
            yield (*path, key), f"slot.device.{key} is for {kind}, and {device.driver} is a {KINDS[transport]} driver"
