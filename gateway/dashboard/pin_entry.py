"""Locking a shared tablet, and going on with a PIN; one's own PIN, set by whoever has signed in whole."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NoReturn
from urllib.parse import quote

from aiohttp import web

from gateway.dashboard import login_page
from gateway.dashboard.hashing import BusyError
from gateway.dashboard.language import links
from gateway.dashboard.looks import LOOKS
from gateway.dashboard.proxies import PROXIES
from gateway.dashboard.signin import (
    GATE,
    SESSION,
    drop_cookie,
    end_session,
    from_here,
    let_in,
    may_return,
    ours,
    read_form,
    show_form,
)
from gateway.model.usage import UsageError
from gateway.texts.languages import text

log = logging.getLogger(__name__)


def add_routes(app: web.Application) -> None:
    """Add the routes, where there are users."""
    if app.get(GATE) is not None:
        app.router.add_post("/lock", lock)
        app.router.add_post("/unlock", unlock)
        app.router.add_get("/pin", own)
        app.router.add_post("/pin", keep)


async def lock(request: web.Request) -> NoReturn:
    """End the session, and let whoever it was go on with the PIN: nothing stays on the screen."""
    fields = await read_form(request)
    end_session(request, "locked")
    onward = ours(str(fields.get("next", "/")))
    answer = web.HTTPSeeOther(from_here(request, f"/login?next={quote(onward, safe='')}"))
    drop_cookie(request, answer)
    raise answer


async def unlock(request: web.Request) -> web.StreamResponse:
    """Let somebody go on who has signed in whole in this browser today, with their PIN."""
    gate, looks = request.app[GATE], request.app[LOOKS]
    fields = await read_form(request)
    name, pin, onward = (str(fields.get(key, "")) for key in ("name", "pin", "next"))
    there = may_return(gate, request.cookies.get(gate.browser_cookie, ""), name)
    if there is None:
        return show_form(request, onward, text("signing.with_your_password"), status=403)
    number, user, since = there
    address = request.app[PROXIES].client(request)
    left = gate.today.tried(number, name)  # before the answer is known: many tries at one time are many
    try:
        right = await gate.hashing.work(partial(gate.pins.verify, user, pin), known=True)
    except BusyError:
        return show_form(request, onward, text("signing.busy"), status=503)
    if not right:
        looks.repeat("refused", user=user.name, address=address, why="wrong PIN")
        reason = text("signing.pin_wrong", n=left) if left else text("signing.pin_wrong_password_now")
        return show_form(request, onward, reason, status=403)
    gate.today.succeeded(number, name)
    looks.record("unlocked", user=user.name, role=user.role, address=address)
    answer = web.HTTPSeeOther(from_here(request, ours(onward)))
    let_in(request, user, answer, began=since)
    raise answer


async def own(request: web.Request) -> web.Response:
    """Show whether one has a PIN, and the form to set it."""
    return _page(request)


async def keep(request: web.Request) -> web.Response:
    """Set or remove the PIN of whoever has signed in."""
    session, gate = request[SESSION], request.app[GATE]
    fields = await read_form(request)
    pin, again, remove = (str(fields.get(key, "")) for key in ("pin", "again", "remove"))
    if not session.whole:
        return _page(request, text("signing.whole_to_change_pin"), status=403)
    if not remove and pin != again:
        return _page(request, text("signing.not_the_same"), status=400)
    try:
        if remove:
            await asyncio.to_thread(gate.pins.remove, session.user)
        else:
            await gate.hashing.work(partial(gate.pins.set, session.user, pin), known=True)
    except UsageError as error:
        return _page(request, str(error), status=400)
    except BusyError:
        return _page(request, text("signing.busy"), status=503)
    except OSError as error:
        log.error("a PIN cannot be kept: %s", error.strerror)  # noqa: TRY400 - the sentence says it all
        return _page(request, text("signing.lost"), status=503)
    address = request.app[PROXIES].client(request)
    what = "removed" if remove else "set"
    request.app[LOOKS].record("pin", user=session.user.name, role=session.user.role, address=address, change=what)
    return _page(request, text("signing.pin_taken_away") if remove else text("signing.pin_kept"))


def _page(request: web.Request, said: str = "", *, status: int = 200) -> web.Response:
    session, gate = request[SESSION], request.app[GATE]
    page = login_page.own_pin(
        name=session.user.name,
        has_one=gate.pins.has(session.user),
        may_set=session.whole,
        said=said,
        well=status == 200,
        languages=links(request),
    )
    return web.Response(text=page, content_type="text/html", status=status)
