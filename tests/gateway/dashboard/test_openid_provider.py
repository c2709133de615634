"""What a provider may get wrong, over real sockets: each is a sentence, in bounded time, and nobody is let in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import RSAKey

from config.checks_openid import check_openid
from config.settings import Dashboard, OpenId
from gateway.dashboard.access import ROLES
from gateway.dashboard.openid_provider import LARGEST, Provider, ProviderError
from gateway.model.usage import UsageError

BACK = "https://ward.example/openid/back"


@dataclass
class Place:
    """A provider whose answers a test chooses.

    Attributes:
        metadata: What its discovery document says otherwise.
        asked: What came to its token endpoint.
        jwks: How often its keys were asked for.
    """

    issuer: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [RSAKey.generate_key(2048, {"kid": "first"})])
    answer: Callable[[], web.StreamResponse] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    jwks: int = 0

    def discovery(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/jwks",
        }  # fmt: skip
        return {**found, **self.metadata}

    async def show(self, _request: web.Request) -> web.StreamResponse:
        return self.answer() if self.answer else web.json_response(self.discovery())

    async def publish(self, _request: web.Request) -> web.StreamResponse:
        self.jwks += 1
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def give(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append({**form, "authorization": request.headers.get("Authorization", "")})
        if form["code"] != "good":
            return web.json_response({"error": "invalid_grant", "error_description": "x" * 500}, status=400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "ward", "nonce": "n", "sub": "7", "iat": now, "exp": now + 60,
                  "preferred_username": "anna", "roles": ["physios"], **self.claims}  # fmt: skip
        header = {"alg": "RS256", "kid": str(self.keys[-1].kid)}
        return web.json_response({"id_token": jwt.encode(header, claims, self.keys[-1])})

    def settings(self, **changes: Any) -> OpenId:
        return OpenId(**{"issuer": self.issuer, "client_id": "ward", "roles": {"physios": "clinician"}, **changes})


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.show)
    app.router.add_get("/jwks", made.publish)
    app.router.add_post("/token", made.give)
    async with TestServer(app) as server:
        made.issuer = str(server.make_url("/")).rstrip("/")
        yield made


@pytest.fixture
async def provider(place: Place) -> AsyncIterator[Provider]:
    made = Provider(place.settings())
    yield made
    await made.close()


async def sign_in(provider: Provider, code: str = "good", nonce: str = "n") -> str:
    found = await provider.identity(code, verifier="v", nonce=nonce, back=BACK)
    return f"{found.name} {found.role}"


async def test_a_browser_is_sent_with_a_challenge_and_a_prompt(place: Place, provider: Provider) -> None:
    address = await provider.sign_in_address(back=BACK, state="s", nonce="n", challenge="c")
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{place.issuer}/authorize?tenant=1&")
    assert {name: values[0] for name, values in asked.items()} == {
        "tenant": "1", "response_type": "code", "client_id": "ward", "redirect_uri": BACK, "scope": "openid profile",
        "state": "s", "nonce": "n", "code_challenge": "c", "code_challenge_method": "S256", "prompt": "login",
    }  # fmt: skip


async def test_a_code_is_changed_for_a_person(place: Place, provider: Provider, tmp_path: Path) -> None:
    assert await sign_in(provider) == "anna@127.0.0.1 clinician"
    assert place.asked[-1] == {
        "grant_type": "authorization_code", "code": "good", "redirect_uri": BACK, "code_verifier": "v",
        "client_id": "ward", "authorization": "",
    }  # fmt: skip
    (tmp_path / "secret").write_text("of: the client\n")
    told = Provider(place.settings(client_secret_file=tmp_path / "secret"))
    await sign_in(told)
    assert place.asked[-1]["authorization"] == "Basic d2FyZDpvZiUzQSUyMHRoZSUyMGNsaWVudA=="
    assert "client_secret" not in place.asked[-1]
    await told.close()


async def test_new_keys_are_fetched_for_a_name_that_is_not_known_but_seldom(place: Place, provider: Provider) -> None:
    await sign_in(provider)
    await sign_in(provider)
    assert place.jwks == 1
    place.keys.append(RSAKey.generate_key(2048, {"kid": "second"}))
    for _ in range(3):  # made up, as far as we know: not each of them is a question
        with pytest.raises(ProviderError, match="not published"):
            await sign_in(provider)
    assert place.jwks == 1


@pytest.mark.parametrize(
    ("claims", "said"),
    [({"nonce": "other"}, "nonce"), ({"aud": "other"}, "aud"), ({"iss": "https://other"}, "iss"), ({"exp": 1}, "over"),
     ({"roles": []}, "no role"), ({"preferred_username": ""}, "name")],
)  # fmt: skip
async def test_a_person_of_another_sign_in_is_refused(
    place: Place, provider: Provider, claims: dict[str, Any], said: str
) -> None:
    place.claims = claims
    with pytest.raises(ProviderError, match=said):
        await sign_in(provider)


async def test_a_clock_that_is_wrong_is_said_to_be(place: Place) -> None:
    late = Provider(place.settings(), now=lambda: time.time() + 300)
    with pytest.raises(ProviderError, match="clocks"):
        await sign_in(late)
    await late.close()


async def test_a_code_that_is_none_is_refused_in_a_word(provider: Provider) -> None:
    with pytest.raises(ProviderError, match=r"refuses \(invalid_grant\)\.$"):
        await sign_in(provider, "used")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [({"issuer": "https://other.example"}, "otherwise"), ({"token_endpoint": "http://trust.example/t"}, "not https"),
     ({"jwks_uri": "file:///etc/passwd"}, "not https"), ({"jwks_uri": 1}, "not whole"),
     ({"authorization_endpoint": "https://"}, "not https")],
)  # fmt: skip
async def test_a_discovery_document_that_is_another_s_is_not_believed(
    place: Place, provider: Provider, metadata: dict[str, Any], said: str
) -> None:
    place.metadata = metadata
    with pytest.raises(ProviderError, match=said):
        await provider.sign_in_address(back=BACK, state="s", nonce="n", challenge="c")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.Response(text="<html>", status=200), "refuses"), (lambda: web.Response(status=500), "refuses"),
        (lambda: web.json_response(["x"]), "refuses"), (lambda: web.Response(body=b" " * (LARGEST + 1)), "too large"),
        (lambda: web.Response(status=302, headers={"Location": "/jwks"}), "refuses"),
    ],
)  # fmt: skip
async def test_what_is_no_discovery_document_is_one_sentence(
    place: Place, provider: Provider, answer: Callable[[], web.StreamResponse], said: str
) -> None:
    place.answer = answer
    with pytest.raises(ProviderError, match=said):
        await sign_in(provider)
    place.answer = None
    assert await sign_in(provider) == "anna@127.0.0.1 clinician"  # and it is asked again


async def test_a_provider_that_is_gone_is_said_to_be(place: Place) -> None:
    gone = Provider(place.settings(issuer="http://127.0.0.1:1"))
    with pytest.raises(ProviderError, match="cannot be reached"):
        await sign_in(gone)
    assert await gone.sign_out_address("x", back=BACK) is None
    await gone.close()


def test_a_secret_or_authority_that_cannot_be_read_stops_the_start(place: Place, tmp_path: Path) -> None:
    for key in ("client_secret_file", "ca_file"):
        with pytest.raises(UsageError, match=key):
            Provider(place.settings(**{key: tmp_path / "none"}))


@pytest.mark.parametrize(
    ("openid", "dashboard", "said"),
    [
        ({"issuer": "http://trust.example"}, {}, "begins with https"), ({"issuer": "https://a@b"}, {}, "https"),
        ({"issuer": "https://trust.example?x=1"}, {}, "query"), ({"scopes": ["profile"]}, {}, "lacks 'openid'"),
        ({"redirect_url": "http://ward.example/openid/back"}, {}, "redirect_url"), ({"roles": {}}, {}, "no role|empty"),
        ({}, {"users_file": None}, "users_file"), ({}, {"host": "0.0.0.0"}, "needs TLS"),  # noqa: S104
    ],
)  # fmt: skip
def test_settings_that_let_a_sign_in_be_read_along_are_refused(
    openid: dict[str, Any], dashboard: dict[str, Any], said: str
) -> None:
    chosen = OpenId(**{"issuer": "https://trust.example", "client_id": "w", "roles": {"x": "admin"}, **openid})
    made = Dashboard(**{"users_file": Path("users"), "openid": chosen, **dashboard})
    assert any(word in sentence for _, sentence in check_openid(made) for word in said.split("|"))


def test_a_trust_names_people_and_no_screen_on_a_wall() -> None:
    """A viewer is never locked: only an account of the ward itself may be one."""
    (_, value) = get_args(OpenId.model_fields["roles"].annotation)
    assert set(get_args(value)) == set(ROLES) - {"viewer"}
    good = OpenId(issuer="https://trust.example/v2.0", client_id="w", roles={"x": "admin"})
    assert list(check_openid(Dashboard(users_file=Path("users"), openid=good))) == []
