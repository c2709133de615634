"""Who may do what in the dashboard: the one table, and nothing that is not in it.

With users configured, a route and method that have no row are refused to everybody; a test walks every route and method
as every role and as nobody. Without users the dashboard listens on loopback only, and whoever is on the machine reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Role = Literal["viewer", "clinician", "technician", "researcher", "admin"]
"""A viewer is a screen on a wall: it reads, and is not locked. The others are people, signed out when they leave."""

ROLES: tuple[Role, ...] = get_args(Role)
SHARED_SCREEN: Role = "viewer"

Allowed = frozenset[str]
NOBODY: Literal["nobody"] = "nobody"
"""Somebody who has not signed in."""

PEOPLE: Allowed = frozenset(ROLES)
ANYBODY: Allowed = PEOPLE | {NOBODY}
STAFF: Allowed = frozenset({"clinician", "technician", "researcher", "admin"})
KEEPERS: Allowed = frozenset({"technician", "admin"})

TABLE: Mapping[tuple[str, str], Allowed] = MappingProxyType(
    {
        ("GET", "/"): PEOPLE,
        ("GET", "/patient/{slot}"): PEOPLE,
        ("GET", "/devices"): STAFF,
        ("GET", "/events"): PEOPLE,  # of the page that it is for: see `PAGE_OF_VIEW`
        ("GET", "/waveform/{device}/{stream}"): PEOPLE,
        ("GET", "/api/history"): PEOPLE,
        ("GET", "/api/catalogue"): PEOPLE,
        ("GET", "/api/status"): KEEPERS,
        ("GET", "/api/session"): PEOPLE,
        ("POST", "/api/active"): PEOPLE,
        ("GET", "/login"): ANYBODY,
        ("POST", "/login"): ANYBODY,
        ("POST", "/logout"): ANYBODY,
        ("GET", "/static"): ANYBODY,  # the program itself, which is public: no word about anybody
    }
)

PAGE_OF_VIEW: Mapping[str, str] = MappingProxyType({"ward": "/", "slot": "/patient/{slot}", "devices": "/devices"})
"""Whose live state is whose: it is told to those who may open the page."""


def may(who: str, method: str, route: str) -> bool:
    """Whether a role, or ``"nobody"``, may call a method of a route; HEAD is GET without the answer's body."""
    return who in TABLE.get(("GET" if method == "HEAD" else method, route), frozenset())


def may_see(who: str, view: str) -> bool:
    """Whether a role may be told the live state of a view: ``"ward"``, ``"devices"`` or ``"slot/<id>"``."""
    return may(who, "GET", PAGE_OF_VIEW[view.partition("/")[0]])
