"""A trust's OpenID Connect provider, as this dashboard asks it: discovery, keys, a code for a person, the way out.

Everything goes over HTTPS to the addresses that the provider's own discovery document gives, no redirect is followed,
and every answer is bounded in size and time. Whatever goes wrong is one sentence; no token stands in any.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import orjson
from aiohttp import hdrs, web
from joserfc.jwk import Key

from config.addresses import loopback
from config.pseudonym import nhs_numbers
from config.secret import SecretError, read_secret
from config.settings import OpenId
from gateway.dashboard.access import ROLES, Role
from gateway.dashboard.id_token import Expected, IdTokenError, UnknownKeyError, check, read_keys
from gateway.dashboard.proxies import PROXIES
from gateway.model.usage import UsageError

TIMEOUT = aiohttp.ClientTimeout(total=10.0)
LARGEST = 1_000_000  # bytes of an answer
KEEP_S = 3600.0
"""How long the discovery document and the keys are kept."""
AGAIN_S = 60.0
"""Keys are fetched anew for a key that is not known, but no more often: anybody can make up the name of one."""
AT_ONCE = 8
"""Sign-ins that ask the provider at one time."""
LONGEST_NAME = 64
BACK = "/openid/back"
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")

Json = dict[str, Any]


class ProviderError(Exception):
    """Nobody can be signed in by the provider now, or not this person; the text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says has signed in. ``id_token`` is for signing out."""

    name: str
    role: Role
    subject: str
    id_token: str


class Provider:
    """One provider.

    Args:
        settings: Which; its secret is read now. Raises UsageError.
        now: Wall clock, seconds.
    """

    def __init__(self, settings: OpenId, *, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._now = now
        self._secret = _secret(settings)
        self._tls = _trust(settings)
        self._http: aiohttp.ClientSession | None = None
        self._metadata: Json = {}
        self._keys: list[Key] = []
        self._fetched = {"metadata": -KEEP_S, "keys": -KEEP_S}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def sign_in_address(self, *, back: str, state: str, nonce: str, challenge: str) -> str:
        """Return where a browser goes to sign in. Raises ProviderError."""
        metadata = await self._discovered()
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": back,
            "scope": " ".join(self.settings.scopes), "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        if self.settings.prompt != "none sent":
            asked["prompt"] = self.settings.prompt
        return _with_query(metadata["authorization_endpoint"], asked)

    async def identity(self, code: str, *, verifier: str, nonce: str, back: str) -> Identity:
        """Return who has signed in, for the code that the browser brought. Raises ProviderError."""
        if self._turn.locked():
            raise ProviderError("Too many are signing in. Try again in a moment.")
        async with self._turn:
            answer = await self._tokens(code, verifier=verifier, back=back)
            token = answer.get("id_token")
            if not isinstance(token, str):
                raise ProviderError("The provider sent no ID token: is 'openid' among the scopes of this client?")
            expected = Expected(self.settings.issuer, self.settings.client_id, nonce, self.settings.leeway_s)
            try:
                claims = await self._checked(token, expected)
            except IdTokenError as error:
                raise ProviderError(str(error)) from None
        return Identity(person_name(claims, self.settings), role_of(claims, self.settings), str(claims["sub"]), token)

    async def sign_out_address(self, id_token: str, *, back: str) -> str | None:
        """Return where a browser signs out of the provider too; None where it cannot."""
        with suppress(ProviderError):
            where = (await self._discovered()).get("end_session_endpoint")
            if isinstance(where, str) and self._is_safe(where):
                asked = {"id_token_hint": id_token, "post_logout_redirect_uri": back}
                return _with_query(where, {**asked, "client_id": self.settings.client_id})
        return None

    def origin(self, request: web.Request) -> str:
        """Return where browsers reach our pages, without a slash at its end."""
        if self.settings.redirect_url is not None:
            return self.settings.redirect_url.removesuffix(BACK).rstrip("/")
        return request.app[PROXIES].public_origin or f"{request.scheme}://{request.host}"

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def _checked(self, token: str, expected: Expected) -> Mapping[str, Any]:
        try:
            return check(token, await self._published(KEEP_S), expected, now_s=self._now())
        except UnknownKeyError:  # it has new ones, perhaps
            return check(token, await self._published(AGAIN_S), expected, now_s=self._now())

    async def _tokens(self, code: str, *, verifier: str, back: str) -> Json:
        metadata = await self._discovered()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers = {hdrs.ACCEPT: "application/json"}
        ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret and "client_secret_basic" in ways:
            headers[hdrs.AUTHORIZATION] = _basic(self.settings.client_id, self._secret)
        else:
            form["client_id"] = self.settings.client_id
            form |= {"client_secret": self._secret} if self._secret else {}
        return await self._ask("POST", metadata["token_endpoint"], data=form, headers=headers)

    async def _discovered(self) -> Json:
        if time.monotonic() - self._fetched["metadata"] >= KEEP_S:
            address = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._ask("GET", address)
            if found.get("issuer") != self.settings.issuer:
                raise ProviderError("The provider calls itself otherwise than dashboard.openid.issuer does.")
            if not all(isinstance(found.get(key), str) for key in NEEDED):
                raise ProviderError("The provider's discovery document is not whole.")
            if not all(self._is_safe(found[key]) for key in NEEDED):
                raise ProviderError("The provider names an address that is not https.")
            self._metadata = found
            self._fetched["metadata"] = time.monotonic()
        return self._metadata

    async def _published(self, keep_s: float) -> list[Key]:
        if time.monotonic() - self._fetched["keys"] >= keep_s:
            self._keys = read_keys(await self._ask("GET", (await self._discovered())["jwks_uri"]))
            self._fetched["keys"] = time.monotonic()
        return self._keys

    def _is_safe(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            here = loopback(parts.hostname or "") and loopback(urlsplit(self.settings.issuer).hostname or "")
        except ValueError:
            return False
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and here))

    async def _ask(self, method: str, address: str, **options: Any) -> Json:
        """Return the JSON object that the provider answers. Raises ProviderError."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._http.request(method, address, ssl=self._tls, allow_redirects=False, **options) as answer:
                body = await _bounded(answer)
        except aiohttp.ClientConnectorCertificateError:
            raise ProviderError(
                "The provider's certificate is not trusted here: see dashboard.openid.ca_file."
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise ProviderError("The sign-in of the trust cannot be reached. Local accounts work.") from None
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = None
        if answer.status != web.HTTPOk.status_code or not isinstance(found, dict):
            said = found.get("error") if isinstance(found, dict) else None
            raise ProviderError(f"The provider refuses ({said_error(said) or answer.status}).")
        return found


PROVIDER = web.AppKey("provider", Provider)


def said_error(said: object) -> str:
    """Return the word by which a provider names an error; empty for what is none."""
    return said if isinstance(said, str) and re.fullmatch(r"[a-z_]{1,40}", said) else ""


def role_of(claims: Mapping[str, Any], settings: OpenId) -> Role:
    """Return the first role of the settings that a person's claims have. Raises ProviderError where they have none."""
    found: Any = claims
    for part in [settings.roles_claim] if settings.roles_claim in claims else settings.roles_claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    theirs = found if isinstance(found, list) else [found]
    for value, role in settings.roles.items():
        if value in theirs:
            return next(known for known in ROLES if known == role)
    raise ProviderError("You have signed in, but have no role on this ward: ask whoever looks after accounts.")


def person_name(claims: Mapping[str, Any], settings: OpenId) -> str:
    """Return the name under which a person acts here: never that of a local user. Raises ProviderError."""
    said = claims.get(settings.name_claim)
    if not isinstance(said, str) or not said.strip():
        raise ProviderError(f"The provider does not tell the name of whoever signed in ('{settings.name_claim}').")
    name = re.sub(r"[^a-z0-9._@-]+", "-", said.strip().lower()).strip("-.@_")
    if "@" not in name:
        name = f"{name}@{urlsplit(settings.issuer).hostname}"
    if len(name) > LONGEST_NAME or name.startswith("@") or nhs_numbers(name):
        raise ProviderError("The name of whoever signed in cannot be kept here: it is too long, or a number.")
    return name


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_chunked(65_536):
        body += part
        if len(body) > LARGEST:
            raise ProviderError("The provider's answer is too large.")
    return body


def _basic(name: str, secret: str) -> str:
    """Return the header of RFC 6749, section 2.3.1: both parts are encoded as in a form first."""
    both = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _with_query(address: str, fields: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}"


def _secret(settings: OpenId) -> str:
    if settings.client_secret_file is None:
        return ""
    try:
        return read_secret(settings.client_secret_file)
    except (OSError, SecretError) as error:
        raise UsageError(f"dashboard.openid.client_secret_file: {error}.") from None


def _trust(settings: OpenId) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"dashboard.openid.ca_file cannot be used: {error.strerror or error}.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
