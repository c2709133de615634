"""Who asks, and where they think we are: the word of a named reverse proxy on it, and of nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, hdrs, web

from config.settings import Dashboard

ONE_SITE = 64
"""Leading bits of an IPv6 address that are one subscriber's: whoever has one address there has them all (RFC 6177)."""
DEFAULT_PORTS = {"http": 80, "https": 443}
SET_BY_PROXIES = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
"""Headers that no browser sends; beside them whatever begins with ``X-Forwarded-``."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse(text: str) -> Address | None:
    """Return an address, without zone, port and brackets; an IPv4 address in IPv6 clothes is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # a port; more colons are an IPv6 address
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def neighbourhood(text: str) -> str:
    """Return what limits count as one address: an IPv4 address, or the /64 of an IPv6 address."""
    address = parse(text)
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, ONE_SITE), strict=False))
    return text if address is None else str(address)


class Proxies:
    """The reverse proxies that a site names, and the address that they serve.

    Args:
        dashboard: Its ``proxies`` and ``public_url``; checked before.
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self.public_origin = _origin(dashboard.public_url) if dashboard.public_url else None
        self._named: list[Network] = [ipaddress.ip_network(name) for name in dashboard.proxies]

    def are_named(self, peer: str) -> bool:
        """Whether a connection comes from a proxy that the site names."""
        address = parse(peer)
        return address is not None and any(address in network for network in self._named)

    def client(self, request: web.BaseRequest) -> str:
        """Return the address of whoever asks.

        Of ``X-Forwarded-For`` the last address counts that is no named proxy's: a proxy appends whom it saw, and what
        stands before that was sent by the browser, who may write anything there.
        """
        found = request.remote or ""
        for before in reversed(list(_forwarded_for(request))):
            if not self.are_named(found):
                break
            address = parse(before)
            if address is None:
                break
            found = str(address)
        return found

    def own_origins(self, request: web.BaseRequest) -> Iterator[str]:
        """Yield the origins that pages of ours have for the browser that asks."""
        yield _origin(f"{request.scheme}://{request.host}")
        if self.public_origin is not None:
            yield self.public_origin


PROXIES = web.AppKey("proxies", Proxies)


def passed_on(request: web.BaseRequest) -> bool:
    """Whether something tells that a request came through a proxy.

    Most say so in a header. nginx as installed does not, and asks in HTTP/1.0, which no browser has done for years;
    where it asks in 1.1 the page that the browser has open, in ``Referer``, is not where we are asked.
    """
    names = (name.lower() for name in request.headers)
    if any(name in SET_BY_PROXIES or name.startswith("x-forwarded-") for name in names):
        return True
    page = request.headers.get(hdrs.REFERER)
    elsewhere = page is not None and not same_origin(page, f"{request.scheme}://{request.host}")
    from_a_link = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
    return request.version < HttpVersion11 or (elsewhere and not from_a_link)


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of one origin (RFC 6454): scheme, host and port."""
    return _origin(one) == _origin(other)


def _forwarded_for(request: web.BaseRequest) -> Iterator[str]:
    for line in request.headers.getall("X-Forwarded-For", []):
        yield from line.split(",")


def _origin(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else ""
