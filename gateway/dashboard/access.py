"""Who may do what in the dashboard: the one table, and nothing that is not in it.

With users configured, a route and method that have no row are refused to everybody; a test walks every route and method
as every role and as nobody. Without users the dashboard listens on loopback only, and whoever is on the machine reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from gateway.dashboard.versions import is_api, unversioned
from gateway.wire.commands import WARD

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
CARERS: Allowed = frozenset({"clinician", "admin"})
EVALUATORS: Allowed = frozenset({"researcher", "admin"})
"""Whoever may take everything of a person away as a file."""
KEEPER_OF_RECORDS: Allowed = frozenset({"admin"})
"""Whoever may read who works here, what they did and what they looked at."""
READERS: Allowed = frozenset({"clinician", "researcher", "admin"})
"""Whoever may read what a session gave, and a trend of years."""
FITTERS: Allowed = CARERS | KEEPERS
"""Whoever may put a sensor on somebody. A researcher reads."""

CHANGES: Mapping[str, Allowed] = MappingProxyType(
    {
        **dict.fromkeys(("admit", "discharge", "move", "plan"), CARERS),
        **dict.fromkeys(("assign", "take-off"), FITTERS),
        **dict.fromkeys(("session-start", "session-pause", "session-resume", "session-mark", "session-end"), CARERS),
        **dict.fromkeys(("session-correct", "session-discard", "session-report", "test-correct"), CARERS),
        **dict.fromkeys(("notices-choose", "feedback-choose"), CARERS),
        **dict.fromkeys(("add-bed", "add-beds", "remove-bed", "add-device", "remove-device"), KEEPERS),
    }
)
"""Who may change what of the ward, by the name of the command."""

DEVICE_WORK: Mapping[str, Allowed] = MappingProxyType(
    {**dict.fromkeys(("scan", "blink", "tap", "lift"), FITTERS), **dict.fromkeys(("bond", "unbond"), KEEPERS)}
)
"""Who may look for devices, have one show itself and see on which leg it is; and who bonds with one."""

NOTICE_WORK: Mapping[str, Allowed] = MappingProxyType({"acknowledge": FITTERS, "pause": CARERS, "resume": CARERS})
"""Who may say that they have seen a notice, and who may have those of a bed be quiet for a while."""

TABLE: Mapping[tuple[str, str], Allowed] = MappingProxyType(
    {
        ("GET", "/"): PEOPLE,
        ("GET", "/patient/{slot}"): PEOPLE,
        ("GET", "/feedback/{slot}"): PEOPLE,  # the screen before a patient may be one that hangs on a wall
        ("GET", "/devices"): STAFF,
        ("GET", "/report/{session}"): READERS,
        ("GET", "/report/{session}/pdf"): READERS,
        ("GET", "/trend/{subject}"): READERS,
        ("GET", "/api/report/{session}"): READERS,
        ("GET", "/api/trend/{subject}"): READERS,
        ("GET", "/api/days/{subject}"): READERS,
        ("GET", "/api/bands"): STAFF,
        ("GET", "/beds"): STAFF,
        ("GET", "/dock"): STAFF,
        ("GET", "/fleet"): KEEPERS,
        ("GET", "/api/fleet"): KEEPERS,
        ("GET", "/people"): KEEPER_OF_RECORDS,
        **{("GET", f"/api/{name}"): KEEPER_OF_RECORDS for name in ("people", "audit", "access-log", "chains")},
        ("GET", "/bed/{bed}"): STAFF,
        ("GET", "/test/{bed}"): CARERS,
        ("GET", "/api/tests"): CARERS,
        ("GET", "/api/test/{bed}"): CARERS,
        ("GET", "/events"): PEOPLE,  # of the page that it is for: see `PAGE_OF_VIEW`
        ("GET", "/waveform/{device}/{stream}"): PEOPLE,
        ("GET", "/api/history"): PEOPLE,
        ("GET", "/api/catalogue"): PEOPLE,
        ("GET", "/api/status"): KEEPERS,
        ("GET", "/api/ward"): STAFF,
        **{("POST", f"/api/ward/{name}"): who for name, who in CHANGES.items() if name in WARD},
        **{("POST", f"/api/devices/{name}"): who for name, who in DEVICE_WORK.items()},
        ("GET", "/api/openapi.json"): PEOPLE,
        ("GET", "/api/export"): EVALUATORS,
        **{("POST", f"/api/notices/{name}"): who for name, who in NOTICE_WORK.items()},
        ("GET", "/api/session"): PEOPLE,
        ("POST", "/api/active"): PEOPLE,
        ("GET", "/login"): ANYBODY,
        ("POST", "/login"): ANYBODY,
        ("POST", "/logout"): ANYBODY,
        ("GET", "/openid"): ANYBODY,  # to a trust's sign-in, and back
        ("GET", "/openid/back"): ANYBODY,
        ("POST", "/lock"): STAFF,
        ("POST", "/unlock"): ANYBODY,
        ("GET", "/pin"): STAFF,
        ("POST", "/pin"): STAFF,
        ("GET", "/static/{path}"): ANYBODY,  # the program itself, which is public: no word about anybody
    }
)

PAGE_OF_VIEW: Mapping[str, str] = MappingProxyType(
    {
        "ward": "/",
        "slot": "/patient/{slot}",
        "feedback": "/feedback/{slot}",
        "devices": "/devices",
        "beds": "/beds",
        "bed": "/bed/{bed}",
        "dock": "/dock",
        "fleet": "/fleet",
        "people": "/people",
        "test": "/test/{bed}",
    }
)
"""Whose live state is whose: it is told to those who may open the page."""


def may(who: str, method: str, route: str) -> bool:
    """Whether a role, or ``"nobody"``, may call a method of a route; HEAD is GET without the answer's body.

    A versioned route of the API is for whom the plain one is.
    """
    return who in TABLE.get(("GET" if method == "HEAD" else method, unversioned(route)), frozenset())


def for_programs(route: str) -> bool:
    """Whether a route may be called with a token: the API, but for the sign of life of a person at a page."""
    plain = unversioned(route)
    return is_api(plain) and plain != "/api/active"


def may_see(who: str, view: str) -> bool:
    """Whether a role may be told the live state of a view: ``"ward"``, ``"slot/<id>"`` and so on."""
    return may(who, "GET", PAGE_OF_VIEW[view.partition("/")[0]])


def may_change(who: str) -> list[str]:
    """Return the changes of the ward that a role may ask for."""
    return [name for name in WARD if may(who, "POST", f"/api/ward/{name}")]


def may_pair(who: str) -> list[str]:
    """Return what a role may have done with devices."""
    return [name for name in DEVICE_WORK if may(who, "POST", f"/api/devices/{name}")]


def may_answer(who: str) -> list[str]:
    """Return the answers to notices that a role may give."""
    return [name for name in NOTICE_WORK if may(who, "POST", f"/api/notices/{name}")]
