"""The version in the paths of the API: what is at ``/api/history`` is at ``/api/v1/history`` too, and stays there.

Programs of others ask the versioned paths. Our pages, which come from the server that they ask, ask the plain ones.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

VERSION: Final = 1
PREFIX: Final = f"/api/v{VERSION}"
STREAMS: Final = ("/events", "/waveform/")
"""Of the API too, outside ``/api/``: live state, and raw samples."""

_PART = re.compile(r"\(\?P<(\w+)>([^()]*)\)")


def is_api(route: str) -> bool:
    """Whether a plain route is one of the API's."""
    return route.startswith(("/api/", *STREAMS)) and not route.startswith(f"{PREFIX}/")


def versioned(route: str) -> str:
    """Return where a plain route of the API is with its version."""
    return PREFIX + route.removeprefix("/api")


def unversioned(route: str) -> str:
    """Return the plain route of a versioned one; any other as it is."""
    rest = route.removeprefix(PREFIX)
    if rest == route or not rest.startswith("/"):
        return route
    return rest if rest.startswith(STREAMS) else f"/api{rest}"


def add_versions(app: web.Application) -> None:
    """Answer at the versioned path of every route of the API; called when all of them are there."""
    for route in list(app.router.routes()):
        if route.resource is not None and is_api(route.resource.canonical):
            app.router.add_route(route.method, versioned(_with_patterns(route.resource)), route.handler)


def _with_patterns(resource: web.AbstractResource) -> str:
    """Return the path of a resource as it was added: each part with what it may be."""
    info = resource.get_info()
    if "pattern" not in info:
        return resource.canonical
    path = resource.canonical
    for name, pattern in _PART.findall(info["pattern"].pattern):
        path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
    return path
