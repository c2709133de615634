"""The scripts, styles and pictures of the pages, read once and packed once: a ward's radio carries a third of them.

What this process serves is what it read when it started, as are its pages: `pages.BUILD` names both. The pages name
each file in a folder of that name, so that a browser may keep it for good; it is there without it too, and in that of
another build, for a page that was sent before an update.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from gateway.dashboard.pages import tag

LEAST: Final = 512
"""Bytes: what is smaller fits into one packet as it is."""
WORTH: Final = 0.9
"""Of the size: a picture that is packed already gains less, and is sent as it is."""
TYPES: Final[Mapping[str, str]] = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""By suffix, whatever the table of this machine says: a browser runs no script of another type."""
_OF_A_BUILD: Final = re.compile(r"^[0-9a-f]{16}/")


class Packed:
    """Something that is sent again and again; it is packed when somebody first asks, and then kept.

    Args:
        body: As it is.
        content_type: Of the answer.

    Attributes:
        etag: Changes exactly when the body does.
    """

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body = body
        self.content_type = content_type
        self.etag = tag(body)

    @cached_property
    def packed(self) -> bytes | None:
        """The same by gzip; None where that gains nothing."""
        if len(self.body) < LEAST:
            return None
        packed = gzip.compress(self.body, mtime=0)
        return packed if len(packed) < WORTH * len(self.body) else None

    def answer(self, request: web.Request) -> web.Response:
        """Return it for a request: packed where the browser can unpack it, without a body where it has this one."""
        charset = "utf-8" if self.content_type.startswith("text/") else None
        headers = {hdrs.VARY: hdrs.ACCEPT_ENCODING}
        response = web.Response(content_type=self.content_type, charset=charset, headers=headers)
        response.etag = self.etag
        if any(known.value in {self.etag, "*"} for known in request.if_none_match or ()):
            response.set_status(304)
            return response
        if "gzip" not in request.headers.get(hdrs.ACCEPT_ENCODING, "") or self.packed is None:
            response.body = self.body
            return response
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.body = self.packed
        return response


def read_files(folder: Path) -> dict[str, Packed]:
    """Return every file of a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): Packed(path.read_bytes(), _type_of(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _type_of(path: Path) -> str:
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"


def serve(folder: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler of ``{path}``: a file of a folder, for whatever build, and nothing else of this machine."""
    files = read_files(folder)

    async def handler(request: web.Request) -> web.StreamResponse:
        found = files.get(_OF_A_BUILD.sub("", request.match_info["path"]))
        if found is None:
            raise web.HTTPNotFound
        return found.answer(request)

    return handler
