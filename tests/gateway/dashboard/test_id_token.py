"""ID tokens: what a provider signed for this sign-in is believed, and nothing that differs in one point."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from config.pseudonym import check_digit
from config.settings import OpenId
from gateway.dashboard.access import ROLES
from gateway.dashboard.id_token import Expected, IdTokenError, UnknownKeyError, check, read_keys
from gateway.dashboard.openid_provider import ProviderError, person_name, role_of

NOW = 1_790_000_000
EXPECTED = Expected("https://trust.example", "ward", "once", 60)
GOOD = {"iss": "https://trust.example", "aud": "ward", "nonce": "once", "sub": "7", "iat": NOW - 5, "exp": NOW + 300}
SETTINGS = OpenId(
    issuer="https://trust.example", client_id="ward", roles={"ward-admins": "admin", "physios": "clinician"}
)


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "now", "use": "sig"})


def published(*keys: Key) -> list[Key]:
    return read_keys({"keys": [key.as_dict(private=False) for key in keys]})


def signed(key: Key, claims: dict[str, Any], *, algorithm: str = "RS256", **header: str) -> str:
    said = {"alg": algorithm, "kid": str(key.kid), **header}
    return jwt.encode(said, claims, key, algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "RS512"])
def test_a_good_token_is_believed(key: RSAKey, algorithm: str) -> None:
    claims = check(signed(key, GOOD, algorithm=algorithm), published(key), EXPECTED, now_s=NOW)
    assert claims["sub"] == "7"
    several = {**GOOD, "aud": ["ward", "other"], "azp": "ward"}
    assert check(signed(key, several), published(key), EXPECTED, now_s=NOW)["sub"] == "7"


def test_a_token_of_an_elliptic_curve_is_believed() -> None:
    curve = ECKey.generate_key("P-256", {"kid": "curve"})
    assert check(signed(curve, GOOD, algorithm="ES256"), published(curve), EXPECTED, now_s=NOW)["sub"] == "7"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iss": "https://trust.example/"}, "iss"), ({"iss": ["https://trust.example"]}, "iss"),
        ({"aud": "other"}, "aud"), ({"aud": []}, "aud"), ({"aud": ["other"]}, "aud"), ({"nonce": "twice"}, "nonce"),
        ({"nonce": ["once"]}, "nonce"), ({"nonce": None}, "form|nonce"), ({"sub": None}, "form|sub"),
        ({"exp": NOW - 61}, "over already"), ({"exp": None}, "form|exp"), ({"exp": "never"}, "exp"),
        ({"iat": NOW + 61}, "clocks"), ({"iat": NOW - 661}, "long ago"), ({"nbf": NOW + 61}, "clocks"),
        ({"aud": ["ward", "other"]}, "azp"), ({"azp": "other"}, "azp"),
    ],
)  # fmt: skip
def test_what_differs_in_one_claim_is_refused(key: RSAKey, changes: dict[str, Any], said: str) -> None:
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(IdTokenError, match=said):
        check(signed(key, claims), published(key), EXPECTED, now_s=NOW)


@pytest.mark.parametrize("changes", [{"exp": NOW - 55}, {"iat": NOW + 55}, {"nbf": NOW + 55}])
def test_clocks_may_differ_by_the_leeway(key: RSAKey, changes: dict[str, int]) -> None:
    assert check(signed(key, {**GOOD, **changes}), published(key), EXPECTED, now_s=NOW)


def unsigned(header: dict[str, str]) -> str:
    parts = (base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in (header, GOOD))
    return f"{'.'.join(parts)}."


def test_a_signature_that_anybody_can_make_is_none(key: RSAKey) -> None:
    for algorithm in ("none", "None", "NONE"):
        with pytest.raises(IdTokenError):
            check(unsigned({"alg": algorithm, "kid": "now"}), published(key), EXPECTED, now_s=NOW)
    body = unsigned({"alg": "HS256", "kid": "now"}).rstrip(".")
    made = hmac.new(key.as_pem(private=False), body.encode(), "sha256").digest()  # by what everybody knows
    token = f"{body}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"
    with pytest.raises(IdTokenError, match="not taken here"):
        check(token, published(key), EXPECTED, now_s=NOW)
    secret = OctKey.import_key("of the client, which the provider knows too", {"kid": "secret"})
    assert read_keys({"keys": [secret.as_dict(private=True)]}) == []


def test_another_key_of_that_name_or_a_changed_word_is_refused(key: RSAKey) -> None:
    other = RSAKey.generate_key(2048, {"kid": "now"})
    with pytest.raises(IdTokenError, match="signature"):
        check(signed(other, GOOD), published(key), EXPECTED, now_s=NOW)
    head, _, tail = signed(key, GOOD).split(".")
    body = base64.urlsafe_b64encode(orjson.dumps({**GOOD, "sub": "8"})).rstrip(b"=").decode()
    with pytest.raises(IdTokenError, match="signature"):
        check(f"{head}.{body}.{tail}", published(key), EXPECTED, now_s=NOW)


def test_a_key_that_is_not_published_is_asked_for_again(key: RSAKey) -> None:
    later = RSAKey.generate_key(2048, {"kid": "later"})
    with pytest.raises(UnknownKeyError):
        check(signed(later, GOOD), published(key), EXPECTED, now_s=NOW)
    assert check(signed(later, GOOD), published(key, later), EXPECTED, now_s=NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "x", "e30.e30.e30", "é", "W10.e30.", "x" * 40_000, "\0.\0.\0"])
def test_what_is_no_token_is_refused(key: RSAKey, token: str) -> None:
    with pytest.raises(IdTokenError):
        check(token, published(key), EXPECTED, now_s=NOW)


@pytest.mark.parametrize(
    "found", [None, [], {}, {"keys": 1}, {"keys": [1, {}, {"kty": "RSA"}, {"kty": "RSA", "n": 1}]}]
)
def test_what_are_no_keys_are_none(found: object) -> None:
    assert read_keys(found) == []


@pytest.mark.parametrize(
    ("claims", "path", "role"),
    [
        ({"roles": ["physios"]}, "roles", "clinician"), ({"roles": "physios"}, "roles", "clinician"),
        ({"roles": ["physios", "ward-admins"]}, "roles", "admin"),
        ({"realm_access": {"roles": ["physios"]}}, "realm_access.roles", "clinician"),
        ({"https://trust.example/roles": ["physios"]}, "https://trust.example/roles", "clinician"),
    ],
)  # fmt: skip
def test_a_claim_gives_the_role(claims: dict[str, Any], path: str, role: str) -> None:
    found = role_of(claims, SETTINGS.model_copy(update={"roles_claim": path}))
    assert found == role
    assert found in ROLES


@pytest.mark.parametrize(
    "claims", [{}, {"roles": []}, {"roles": ["admin"]}, {"roles": {"physios": 1}}, {"roles": None}]
)
def test_without_a_role_of_this_ward_nobody_comes_in(claims: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="no role on this ward"):
        role_of(claims, SETTINGS)


@pytest.mark.parametrize(
    ("said", "name"),
    [("anna", "anna@trust.example"), ("Anna.Smith@Trust.Example", "anna.smith@trust.example"),
     ("DOMAIN\\anna", "domain-anna@trust.example"), ("a:b~c", "a-b-c@trust.example")],
)  # fmt: skip
def test_a_name_is_never_a_local_user_s(said: str, name: str) -> None:
    assert person_name({"preferred_username": said}, SETTINGS) == name


@pytest.mark.parametrize("said", [None, 7, "", "  ", "@", "x" * 70, f"999000001{check_digit('999000001')}"])
def test_a_name_that_cannot_be_kept_is_refused(said: object) -> None:
    with pytest.raises(ProviderError):
        person_name({"preferred_username": said}, SETTINGS)
