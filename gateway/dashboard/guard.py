"""What stands between the pages and everybody else: loopback only, one's own pages only, nothing from elsewhere."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.dashboard.pages import FILES
from gateway.dashboard.proxies import PROXIES, passed_on, same_origin

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with it a browser posts our own forms with "Origin: null" (Fetch, "append a request Origin").
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


HAS_USERS = web.AppKey("has users", bool)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FETCH_SITE, FETCH_MODE = "Sec-Fetch-Site", "Sec-Fetch-Mode"  # Fetch Metadata: sent over TLS and to localhost only
NEEDS_USERS = (
    "This dashboard has no users, so it answers this machine only, and this came through a proxy: set"
    " dashboard.users_file, dashboard.proxies and dashboard.public_url, or take the proxy away.\n"
)
FOR_GOOD = "public, max-age=31536000, immutable"  # a year, and not asked for again (RFC 8246)
KEPT = frozenset({200, 304})
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
    """Refuse what a page of another site could make a browser ask for.

    A foreign name that resolves to 127.0.0.1 (DNS rebinding) shows in Host. Without users, that the question comes from
    this machine is all that protects the data, so nothing that a proxy passes on is answered; with users it is the
    cookie, which a browser gives to no other name.
    """
    if not request.app.get(HAS_USERS, False):
        if not is_loopback(_host(f"//{request.host}")):
            raise web.HTTPMisdirectedRequest(text="This dashboard answers on localhost only.\n")
        if passed_on(request):
            raise web.HTTPForbidden(text=NEEDS_USERS)
    if not is_our_page(request):
        raise web.HTTPForbidden(text="This dashboard answers its own pages only.\n")
    return await handler(request)


def is_our_page(request: web.Request) -> bool:
    """Whether a request comes from a page of ours, or from no page at all.

    ``Origin`` names the page; "null" is a page without one: of a sandboxed frame, or ours where something on the way
    has set another referrer policy. ``Sec-Fetch-Site`` tells these two apart. A script can set neither.
    """
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get(FETCH_SITE)
    if site in {"cross-site", "same-site"} and request.headers.get(FETCH_MODE) != "navigate":
        return False
    if site in {"cross-site", "same-site"} and request.method not in SAFE_METHODS:
        return False
    if origin is None:
        return True
    if origin == "null":
        return site == "same-origin"
    return any(same_origin(origin, ours) for ours in request.app[PROXIES].own_origins(request))


def names_its_page(request: web.Request) -> bool:
    """Whether a request says where it comes from, as every browser does when a form is sent."""
    return hdrs.ORIGIN in request.headers or request.headers.get(FETCH_SITE) == "same-origin"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the protection on every answer, errors included; nothing about a patient is ever kept."""
    response.headers.update(HEADERS)
    response.headers[hdrs.CACHE_CONTROL] = _may_keep(request.path, response.status)
    response.headers[hdrs.SERVER] = "rehab-gateway"
    if request.secure or request.app[PROXIES].public_origin is not None:
        response.headers["Strict-Transport-Security"] = HSTS


def _may_keep(path: str, status: int) -> str:
    """Return what a browser may keep: for good a file at the address of its build, and any other after asking."""
    if path.startswith(f"/{FILES}/") and status in KEPT:
        return FOR_GOOD
    return "no-cache" if path.startswith("/static/") else "no-store"


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
