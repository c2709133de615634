"""A real OpenID Connect provider of its own process: Django with django-oauth-toolkit, over TLS, for tests.

Discovery, keys, authorization code with PKCE (which it demands), RP-initiated sign-out. Two clients, both of this
dashboard; people sign in with a form. Nothing of ours is in it.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "ward", "of-a-client-that-does-not-exist"
PASSWORD = "a password at the trust"  # noqa: S105 - of people who do not exist
STARTS_WITHIN_S = 90.0


@dataclass(frozen=True)
class OpenIdServer:
    """Where it is."""

    issuer: str
    secret_file: Path


@contextmanager
def openid_server(
    folder: Path, port: int, *, tls: tuple[Path, Path], back: str, people: Mapping[str, Mapping[str, Any]]
) -> Iterator[OpenIdServer]:
    """Run one until left; ``people`` have these claims, ``back`` is where the dashboard is."""
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    issuer = f"https://127.0.0.1:{port}/o"
    about = {
        "port": port, "cert": str(tls[0]), "key": str(tls[1]), "pem": pem, "back": back, "people": people,
        "database": str(folder / "provider.sqlite3"), "issuer": issuer,
    }  # fmt: skip
    (folder / "provider.json").write_text(json.dumps(about))
    (folder / "client.secret").write_text(f"{SECRET}\n")
    command = [sys.executable, "-m", "tests.openid_server", str(folder / "provider.json")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=Path(__file__).parents[1])
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n", (folder / "log").read_text()
            yield OpenIdServer(issuer, folder / "client.secret")
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def configure(about: Mapping[str, Any]) -> None:
    """Set Django up."""
    from django.conf import settings

    settings.configure(
        DEBUG=False, SECRET_KEY="of tests", ALLOWED_HOSTS=["127.0.0.1", "localhost"], ROOT_URLCONF=__name__,  # noqa: S106
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": about["database"]}},
        INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                        "django.contrib.sessions", "django.contrib.messages", "oauth2_provider"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                    "django.contrib.auth.middleware.AuthenticationMiddleware",
                    "django.contrib.messages.middleware.MessageMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                    "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                       "django.contrib.auth.context_processors.auth",
                                                       "django.contrib.messages.context_processors.messages"]}}],
        STATIC_URL="/static/", LOGIN_URL="/accounts/login/", USE_TZ=True, SESSION_COOKIE_NAME="provider",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": about["pem"], "PKCE_REQUIRED": True,
            "OIDC_ISS_ENDPOINT": about["issuer"], "SCOPES": {"openid": "who", "profile": "name"},
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True, "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.WithClaims",
        },
    )  # fmt: skip


class Threads(ThreadingMixIn, WSGIServer):
    """Answers several at one time, as a browser asks."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Say nothing."""


def serve(path: Path) -> None:
    """Serve until ended."""
    about = json.loads(path.read_text())
    sys.modules["tests.openid_server"] = sys.modules[__name__]
    configure(about)
    import django

    django.setup()
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.contrib.auth.views import LoginView
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.urls import include
    from django.urls import path as at
    from oauth2_provider import urls as oauth_urls
    from oauth2_provider.models import get_application_model
    from oauth2_provider.oauth2_validators import OAuth2Validator

    call_command("migrate", verbosity=0)
    for name in about["people"]:
        get_user_model().objects.create_user(name, password=PASSWORD, is_staff=True)
    get_application_model().objects.create(
        name="ward", client_id=CLIENT, client_secret=SECRET, client_type="confidential", skip_authorization=True,
        authorization_grant_type="authorization-code", algorithm="RS256",
        redirect_uris=f"{about['back']}/openid/back", post_logout_redirect_uris=f"{about['back']}/login",
    )  # fmt: skip

    class WithClaims(OAuth2Validator):  # type: ignore[misc]
        oidc_claim_scope = None

        def get_additional_claims(self, request: Any) -> dict[str, Any]:
            name = request.user.username
            return {"preferred_username": name, **about["people"][name]}

    form = LoginView.as_view(template_name="admin/login.html")  # asks also somebody who has signed in
    this = sys.modules[__name__]
    vars(this)["WithClaims"] = WithClaims
    vars(this)["urlpatterns"] = [
        at("admin/", admin.site.urls),
        at("accounts/login/", form),
        at("o/", include(oauth_urls)),
    ]
    server = make_server("127.0.0.1", about["port"], get_wsgi_application(), Threads, Quiet)
    server.base_environ["HTTPS"] = "on"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(about["cert"], about["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("ready", flush=True)  # noqa: T201 - to the process that waits
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
