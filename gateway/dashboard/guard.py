"""What stands between the pages and everybody else: loopback only, one's own pages only, nothing from elsewhere."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


HAS_USERS = web.AppKey("has users", bool)
HSTS = "max-age=31536000"  # a year: over TLS once, over TLS always (RFC 6797)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@web.middleware
async def only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another site could make a browser on this machine ask for.

    A foreign name that resolves to 127.0.0.1 (DNS rebinding) shows in Host, a foreign page that opens our WebSocket
    shows in Origin. Without users, that the question comes from this machine is all that protects the data; with users
    it is the cookie, which a browser gives to no other name.
    """
    if not request.app.get(HAS_USERS, False) and not is_loopback(_host(f"//{request.host}")):
        raise web.HTTPMisdirectedRequest(text="This dashboard answers on localhost only.\n")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This dashboard answers its own pages only.\n")
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the protection on every answer, errors included; nothing about a patient is ever kept."""
    response.headers.update(HEADERS)
    response.headers[hdrs.CACHE_CONTROL] = "no-cache" if request.path.startswith("/static/") else "no-store"
    response.headers[hdrs.SERVER] = "rehab-gateway"
    if request.secure:
        response.headers["Strict-Transport-Security"] = HSTS


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
