"""What a trust's sign-in needs before anybody is sent there: an address that cannot be read along, and a way back."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from config.addresses import loopback
from config.lines import Path
from config.settings import Dashboard

Finding = tuple[Path, str]
WHERE: Path = ("dashboard", "openid")


def check_openid(dashboard: Dashboard) -> Iterator[Finding]:
    """Yield what is wrong with the settings of OpenID Connect."""
    openid = dashboard.openid
    if openid is None:
        return
    if dashboard.users_file is None:
        sentence = "dashboard.openid needs dashboard.users_file: local users are the way in while the provider is down"
        yield (*WHERE, "issuer"), sentence
    if not (dashboard.cert_file or dashboard.public_url or loopback(dashboard.host)):
        yield (*WHERE, "issuer"), "dashboard.openid needs TLS: set dashboard.cert_file, or public_url behind a proxy"
    for key in ("issuer", "redirect_url"):
        address = getattr(openid, key)
        if address is not None and not _is_safe(address):
            yield (*WHERE, key), f"dashboard.openid.{key} begins with https:// and has no user, query or fragment"
    if "openid" not in openid.scopes:
        yield (*WHERE, "scopes"), "dashboard.openid.scopes lacks 'openid': without it no provider says who signed in"
    if not openid.roles:
        yield (*WHERE, "roles"), "dashboard.openid.roles is empty: nobody who signs in would have a role here"


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback(host))
