"""What may stand in an address, and which secrets may go to it: none in an address, and none in clear text.

No sentence here shows what was written before an @: it may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from config.lines import Path
from config.settings import Broker, Settings, Store

Finding = tuple[Path, str]

_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")
STORE: Path = ("historian", "store")


def addresses(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with the addresses of broker and store."""
    broker, store = settings.broker, settings.historian.store
    yield from _host(broker)
    if not broker.embedded:
        yield from _clear_broker(broker)
    if store is not None:
        found = list(_url(store))
        yield from found or _clear_store(store)


def loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: nobody else is asked who it is."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host(broker: Broker) -> Iterator[Finding]:
    if not _HOST.fullmatch(broker.host):
        sentence = "broker.host is a name or an address and nothing else: no mqtt://, no port (that is broker.port)"
        yield ("broker", "host"), f"{sentence}, no password (broker.password_file)"


def _url(store: Store) -> Iterator[Finding]:
    key = (*STORE, "url")
    shown = store.url if "@" not in store.url else f"…@{store.url.rpartition('@')[2]}"
    if "@" in store.url:
        yield key, f"historian.store.url = '{shown}' names a user or a password: put the token into token_file"
        return
    schemes = ("postgresql://",) if store.kind == "postgresql" else ("http://", "https://")
    if not store.url.startswith(schemes):
        yield key, f"historian.store.url = '{shown}' must begin with {' or '.join(schemes)}"
        return
    port = 5432 if store.kind == "postgresql" else 8428
    try:
        parts = urlsplit(store.url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or not store.url.isprintable() or " " in store.url:
        yield key, f"historian.store.url = '{shown!r}' is not an address such as {schemes[0]}127.0.0.1:{port}"
    elif parts.path.strip("/") or parts.query or parts.fragment:
        base = f"{parts.scheme}://{parts.netloc}"
        yield key, f"historian.store.url = '{shown}' has a path: the address alone is wanted, {base}"


def _clear_broker(broker: Broker) -> Iterator[Finding]:
    if broker.password_file and not broker.ca_file and broker.clear_text != "accepted" and not loopback(broker.host):
        sentence = f"broker.password_file would go to {broker.host} in clear text"
        yield (
            ("broker", "password_file"),
            f'{sentence}: set broker.ca_file, which turns TLS on, or broker.clear_text = "accepted"',
        )


def _clear_store(store: Store) -> Iterator[Finding]:
    parts = urlsplit(store.url)
    host = parts.hostname or ""
    if store.token_file and parts.scheme == "http" and store.clear_text != "accepted" and not loopback(host):
        sentence = f"historian.store.token_file would go to {host} in clear text"
        yield (
            (*STORE, "token_file"),
            f'{sentence}: use https:// in historian.store.url, or set historian.store.clear_text = "accepted"',
        )
