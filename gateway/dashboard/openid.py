"""Signing in at a trust's own provider: there with a code's challenge, back with a code, and in as who it says.

What has to be remembered meanwhile (state, nonce, verifier) stands in a cookie of the browser itself, signed by us and
good for ten minutes: nobody can fill a memory of ours, and nobody else's answer fits. It is a lax cookie, for the way
back comes from another site; it opens nothing by itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import time
from dataclasses import asdict, dataclass

import orjson
from aiohttp import web

from gateway.dashboard import login_page
from gateway.dashboard.looks import LOOKS
from gateway.dashboard.openid_provider import BACK, PROVIDER, Identity, Provider, ProviderError, said_error
from gateway.dashboard.proxies import PROXIES, neighbourhood
from gateway.dashboard.signin import GATE, from_here, let_in, ours
from gateway.dashboard.users import from_elsewhere
from gateway.texts.languages import text

log = logging.getLogger(__name__)

WITHIN_S = 600
"""To sign in there, with a telephone for the second factor."""
LONGEST_COOKIE = 3000
LONGEST_CODE = 2048


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way; ``at`` is seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    onward: str
    at: int


def add_routes(app: web.Application) -> None:
    """Add the routes; without a provider there is nothing at them."""
    if app.get(GATE) is not None:
        app.router.add_get("/openid", begin)
        app.router.add_get(BACK, come_back)


async def begin(request: web.Request) -> web.StreamResponse:
    """Send the browser to the provider."""
    provider, onward = _provider(request), ours(request.query.get("next", "/"))
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    begun = Begun(state, nonce, verifier, onward, int(time.time()))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
    try:
        address = await provider.sign_in_address(
            back=_back(request, provider), state=begun.state, nonce=begun.nonce, challenge=challenge
        )
    except ProviderError as error:
        return _refuse(request, onward, str(error), status=503)
    answer = web.HTTPSeeOther(address)
    gate = request.app[GATE]
    answer.set_cookie(
        _cookie_name(request), _sealed(begun, gate.key), max_age=WITHIN_S, httponly=True, samesite="Lax",
        secure=gate.secure, path="/",
    )  # fmt: skip
    raise answer


async def come_back(request: web.Request) -> web.StreamResponse:
    """Take the provider's answer: let in whom it names, or say why not."""
    provider, gate = _provider(request), request.app[GATE]
    limit = f"address {neighbourhood(request.app[PROXIES].client(request))}"
    begun = _opened(request.cookies.get(_cookie_name(request), ""), gate.key)
    query = request.query
    if begun is None or not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
        return _refuse(request, "/", text("signing.other_sign_in"), status=403)
    if (wait_s := gate.limiter.wait_s(limit)) > 0:
        return _refuse(request, begun.onward, text("signing.too_many_tries", n=round(wait_s)), status=429)
    if query.get("iss", provider.settings.issuer) != provider.settings.issuer:  # RFC 9207
        return _refuse(request, begun.onward, text("signing.other_sign_in"), status=403)
    code = query.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        word = said_error(query.get("error"))
        why = text("signing.provider_did_not_word", word=word) if word else text("signing.provider_did_not")
        return _refuse(request, begun.onward, why)
    gate.limiter.failed(limit)  # before the answer is known: many tries at one time are many
    try:
        who = await provider.identity(code, verifier=begun.verifier, nonce=begun.nonce, back=_back(request, provider))
    except ProviderError as error:
        return _refuse(request, begun.onward, str(error))
    gate.limiter.succeeded(limit)
    return _in(request, who, begun.onward)


def _in(request: web.Request, who: Identity, onward: str) -> web.Response:
    user = from_elsewhere(who.name, who.role, who.subject)
    log.info("%s signed in as %s by OpenID Connect", user.name, user.role)
    request.app[LOOKS].record(
        "signed-in", user=user.name, role=user.role, address=request.app[PROXIES].client(request),
        known_browser=False, by="openid", sub=who.subject[:255],
    )  # fmt: skip
    page = login_page.onward(from_here(request, onward), text("signing.signed_in"), root=from_here(request, "/"))
    answer = web.Response(text=page, content_type="text/html")
    let_in(request, user, answer, id_token=who.id_token)
    _drop(request, answer)
    return answer


def _refuse(request: web.Request, onward: str, reason: str, *, status: int = 403) -> web.Response:
    address = request.app[PROXIES].client(request)
    log.warning("a sign-in by OpenID Connect from %s failed: %s", address, reason)
    request.app[LOOKS].repeat("refused", user="", address=address, why=f"openid: {reason}")
    where = from_here(request, "/login")
    text = login_page.not_let_in(where, onward, reason, root=from_here(request, "/"))
    answer = web.Response(text=text, content_type="text/html", status=status)
    _drop(request, answer)
    return answer


def _drop(request: web.Request, answer: web.StreamResponse) -> None:
    secure = request.app[GATE].secure
    answer.del_cookie(_cookie_name(request), path="/", secure=secure, httponly=True, samesite="Lax")


def _provider(request: web.Request) -> Provider:
    provider = request.app.get(PROVIDER)
    if provider is None:
        raise web.HTTPNotFound(text="Nobody signs in elsewhere here.\n")
    return provider


def _back(request: web.Request, provider: Provider) -> str:
    return provider.settings.redirect_url or f"{provider.origin(request)}{BACK}"


def _cookie_name(request: web.Request) -> str:
    return "__Host-openid" if request.app[GATE].secure else "openid"


def _sealed(begun: Begun, key: bytes) -> str:
    body = base64.urlsafe_b64encode(orjson.dumps(asdict(begun))).decode()
    return f"{body}.{_sum(body, key)}"


def _opened(cookie: str, key: bytes) -> Begun | None:
    body, _, said = cookie.partition(".")
    if len(cookie) > LONGEST_COOKIE or not cookie.isascii() or not hmac.compare_digest(said, _sum(body, key)):
        return None
    begun = Begun(**orjson.loads(base64.urlsafe_b64decode(body)))
    return begun if 0 <= time.time() - begun.at <= WITHIN_S else None


def _sum(body: str, key: bytes) -> str:
    return hmac.new(key, f"openid {body}".encode(), hashlib.sha256).hexdigest()
