"""Programs of the hospital, by their tokens: ``Authorization: Bearer …`` opens what the token's role may, and no page.

A browser never sends a token by itself, so no form of another site can: nothing but the token is asked for. Wrong ones
make their address wait as wrong passwords do; a right one is looked up before that, and never waits for what others do.
"""

from __future__ import annotations

import math
from typing import NoReturn

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.dashboard.access import for_programs, may
from gateway.dashboard.connections import Owner, own
from gateway.dashboard.looks import LOOKS
from gateway.dashboard.proxies import PROXIES, neighbourhood
from gateway.dashboard.signin import GATE, SESSION
from gateway.dashboard.tokens import Token, Tokens

SCHEME = "bearer"
TOKENS = web.AppKey("tokens", Tokens)
CHALLENGE = {hdrs.WWW_AUTHENTICATE: 'Bearer realm="rehab-gateway"'}
INVALID = {hdrs.WWW_AUTHENTICATE: 'Bearer realm="rehab-gateway", error="invalid_token"'}


@web.middleware
async def only_good_tokens(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say who asks where a request brings a token, and refuse one that is none; whatever brings none passes."""
    said = request.headers.get(hdrs.AUTHORIZATION)
    if said is None or request.app.get(GATE) is None:
        return await handler(request)
    scheme, _, secret = said.partition(" ")
    if scheme.lower() != SCHEME:
        raise web.HTTPUnauthorized(
            text="Programs sign in with 'Authorization: Bearer' and a token.\n", headers=CHALLENGE
        )
    token = _good(request, secret.strip())
    route = request.match_info.route.resource
    where = "" if route is None else route.canonical
    if not for_programs(where) and request.match_info.http_exception is None:
        raise web.HTTPForbidden(text="A token opens the API, and no page.\n")
    session = request.app[TOKENS].session(token)
    own(request, Owner(id(session), token.user))
    if request.match_info.http_exception is None and not may(token.role, request.method, where):
        raise web.HTTPForbidden(text=f"This is not for the role '{token.role}'.\n")
    request.app[LOOKS].repeat(
        "token", user=token.user, role=token.role, address=request.app[PROXIES].client(request),
        method=request.method, route=where,
    )  # fmt: skip
    request[SESSION] = session
    return await handler(request)


def _good(request: web.Request, secret: str) -> Token:
    """Return the token of a secret; raises HTTPUnauthorized, or HTTPTooManyRequests after too many that were wrong."""
    tokens = request.app[TOKENS]
    token = tokens.find(secret)
    if token is None:
        _refuse(request)
    if not tokens.is_good(token):
        request.app[LOOKS].repeat(
            "refused", user=token.user, address=request.app[PROXIES].client(request), why="token is over"
        )
        raise web.HTTPUnauthorized(text="This token is over: ask for a new one.\n", headers=INVALID)
    return token


def _refuse(request: web.Request) -> NoReturn:
    address, limiter = request.app[PROXIES].client(request), request.app[GATE].limiter
    key = f"token-address {neighbourhood(address)}"
    wait_s = limiter.wait_s(key)
    if wait_s > 0:
        request.app[LOOKS].repeat("refused", user="", address=address, why="too many tokens")
        waits = {hdrs.RETRY_AFTER: str(math.ceil(wait_s))}
        raise web.HTTPTooManyRequests(text="Too many wrong tokens.\n", headers=waits)
    limiter.failed(key)
    request.app[LOOKS].repeat("refused", user="", address=address, why="wrong token")
    raise web.HTTPUnauthorized(text="There is no such token.\n", headers=INVALID)
