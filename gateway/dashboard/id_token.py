"""The ID token of an OpenID Connect provider: its signature and every claim that says whose it is and for whom.

OpenID Connect Core 1.0, section 3.1.3.7. The algorithms are ours to choose, never the token's: signatures by a public
key only, so that neither ``none`` nor our own client secret can make one.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jwk import Key, import_key
from joserfc.util import urlsafe_b64decode

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
KEY_TYPES: Final = frozenset({"RSA", "EC"})
MOST_KEYS: Final = 50
LARGEST: Final = 32_768  # characters; a person in hundreds of groups has a token of some thousands
OLDEST_S: Final = 600
"""It comes seconds after it was made: an older one is somebody's who keeps tokens."""


class IdTokenError(Exception):
    """The token is not to be believed; the text is a sentence for whoever looks after the sign-in."""


class UnknownKeyError(IdTokenError):
    """The token names a key that the provider has not published, or not yet when we looked."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say; ``leeway_s`` is by how much the two clocks may differ."""

    issuer: str
    client_id: str
    nonce: str
    leeway_s: int


def read_keys(found: object) -> list[Key]:
    """Return the keys of a JWKS that can check a signature; those of kinds that we do not use are left out."""
    entries = found.get("keys") if isinstance(found, dict) else None
    keys: list[Key] = []
    for entry in entries[:MOST_KEYS] if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("kty") in KEY_TYPES and entry.get("use", "sig") == "sig":
            try:
                keys.append(import_key(entry))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return keys


def check(token: str, keys: Sequence[Key], expected: Expected, *, now_s: float) -> Mapping[str, Any]:
    """Return the claims of a token that is right; raises IdTokenError."""
    key = _key(token, keys)
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError) as error:
        raise IdTokenError(f"The signature of the ID token is not right ({_short(error)}).") from None
    _check_claims(claims, expected, int(now_s))
    return claims


def _check_claims(claims: dict[str, Any], expected: Expected, now_s: int) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=now_s, leeway=expected.leeway_s,
        iss={"essential": True, "value": expected.issuer}, aud={"essential": True, "value": expected.client_id},
        exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
        nonce={"essential": True, "value": expected.nonce},
    )  # fmt: skip
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise IdTokenError(
            "The ID token is over already: compare the clocks of this computer and the provider."
        ) from None
    except ClaimError as error:
        hint = ": compare the clocks" if getattr(error, "claim", "") in {"iat", "nbf"} else ""
        raise IdTokenError(f"The ID token is not for this sign-in ({_short(error)}){hint}.") from None
    if not isinstance(claims["nonce"], str):
        raise IdTokenError("The ID token is not for this sign-in (nonce).")
    if now_s - claims["iat"] > OLDEST_S + expected.leeway_s:
        raise IdTokenError("The ID token was made long ago: compare the clocks of this computer and the provider.")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise IdTokenError("The ID token was made for another program (azp).")


def _key(token: str, keys: Sequence[Key]) -> Key:
    """Return the key by which a token says that it is signed; without a name only where there is but one."""
    if len(token) > LARGEST:
        raise IdTokenError("The ID token is too long.")
    try:
        header = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode()))
    except (ValueError, binascii.Error):
        header = None
    if not isinstance(header, dict):
        raise IdTokenError("What the provider sent is no ID token.")
    if header.get("alg") not in ALGORITHMS:
        raise IdTokenError("The ID token is signed in a way that is not taken here.")
    name = header.get("kid")
    fitting = [key for key in keys if key.kid == name] if name is not None else list(keys)
    if len(fitting) != 1:
        raise UnknownKeyError("The ID token is signed by a key that the provider has not published.")
    return fitting[0]


def _short(error: Exception) -> str:
    return " ".join(str(getattr(error, "claim", "") or getattr(error, "error", "") or "form").split())[:60]
