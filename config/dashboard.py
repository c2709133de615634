"""What a site says of the web pages, and of a trust's own sign-in at them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from config.section import Identifier, Section


class OpenId(Section):
    """A trust's own sign-in by OpenID Connect, beside the users of the users file."""

    issuer: str = Field(description="Address of the provider exactly as its discovery document names it: https://…")
    client_id: str = Field(min_length=1, description="Id under which the provider knows this dashboard.")
    client_secret_file: Path | None = Field(
        None, description="File that holds the client's secret and nothing else; none for a public client."
    )
    ca_file: Path | None = Field(
        None, description="Certificate authority of the provider; by default those that the system trusts."
    )
    redirect_url: str | None = Field(
        None,
        description="Where the provider sends browsers back to, as it is registered there; by default where browsers"
        " reach the pages, with /openid/back.",
    )
    label: str = Field("the trust's account", min_length=1, max_length=60, description="What people call it.")
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "profile"], description="What is asked for; 'openid' has to be among them."
    )
    name_claim: str = Field("preferred_username", description="Claim with the name that stands in every log.")
    roles_claim: str = Field(
        "roles", description="Claim with what a person is; with dots for one within another, as realm_access.roles."
    )
    roles: dict[str, Literal["clinician", "technician", "researcher", "admin"]] = Field(
        description="What a person is there, and the role here: the first in this order that somebody has counts."
    )
    prompt: Literal["login", "select_account", "none sent"] = Field(
        "login",
        description="What the provider asks each time. 'login': everything, so that on a shared tablet nobody signs in"
        " as whoever was there before.",
    )
    leeway_s: int = Field(60, ge=0, le=300, description="Seconds by which the provider's clock may differ from ours.")


class Dashboard(Section):
    """The web pages."""

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback needs TLS and users.")
    port: int = Field(8080, ge=1, le=65535, description="TCP port.")
    cert_file: Path | None = Field(None, description="Certificate of the dashboard: turns TLS on.")
    key_file: Path | None = Field(None, description="Its private key.")
    broker_cert_file: Path | None = Field(
        None, description="The dashboard's certificate to the broker; by default the gateway's."
    )
    broker_key_file: Path | None = Field(None, description="Its private key.")
    gateways: list[Identifier | Literal["*"]] = Field(
        default_factory=list,
        description="Gateways of the site whose beds the ward page shows, by site.gateway; '*' is all that are heard."
        " By default this one.",
    )
    fleet: bool = Field(
        default=False,
        description="Hear the fleet's desk too: rings, roll-outs and who was revoked, for the page /fleet.",
    )
    users_file: Path | None = Field(None, description="Users, as 'rehab-gateway user' keeps them; none by default.")
    forms_folder: Path | None = Field(
        None, description="Folder with forms of the ward's own, a TOML file each, beside the one that comes along."
    )
    language: str = Field(
        "en", description="Language of the pages for whoever has chosen none, and whose browser asks for none of these."
    )
    texts_folder: Path | None = Field(
        None, description="Folder with languages of the site's own, a TOML file each, beside those that come along."
    )
    session_minutes: int = Field(
        10, ge=5, le=15, description="Without a sign of a person for so long, a user is signed out; a viewer is not."
    )
    public_url: str | None = Field(
        None,
        description="Where browsers reach the pages when a reverse proxy stands before them: https://ward.example.",
    )
    proxies: list[str] = Field(
        default_factory=list,
        description="Addresses or networks of reverse proxies whose word on a browser's address is taken; nobody else's"
        " is.",
    )
    access_log_days: int = Field(
        365, ge=1, description="Entries of the log of who looked at what are deleted when they are older than this."
    )
    openid: OpenId | None = Field(None, description="A trust's own sign-in; none by default.")
