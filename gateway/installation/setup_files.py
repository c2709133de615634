"""Answers to files: configuration, who may sign in, certificates, secrets, time servers. Nothing is written here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from gateway.dashboard import users
from gateway.installation.setup_certificates import (
    CertificateError,
    Pair,
    issue,
    make_authority,
    make_request,
    make_stand_in,
)
from gateway.installation.setup_questions import Answers, id_from, parts

CONFIGURATION = "ward.toml"
CERTIFICATES, SECRETS = "certificates", "secrets"
AUTHORITY, DASHBOARD = "authority", "dashboard"
EVERYBODY, GROUP, OWNER = 0o644, 0o640, 0o600
"""Rights of files: for all, for the service's group, for root alone."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of secrets that somebody writes down: nothing that looks like another letter."""
KEY_OF_BACKUPS = "key of the backups"
GROUPS, LETTERS = 6, 4
"""24 letters of 31 are 118 bits."""
PRACTICE = (("left-foot", "movella_dot", "left_foot"), ("right-foot", "movella_dot", "right_foot"),
            ("strap", "heart_rate", "chest"))  # fmt: skip
"""Simulated sensors of each bed where nothing real is to be had."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ward's files go.

    Attributes:
        configuration: Folder of the configuration.
        data: Folder of the data.
        etc: The system's own settings; None leaves them alone.
    """

    configuration: Path = Path("/etc/rehab-gateway")
    data: Path = Path("/var/lib/rehab-gateway")
    etc: Path | None = Path("/etc")

    @property
    def file(self) -> Path:
        """Return the configuration file."""
        return self.configuration / CONFIGURATION

    @property
    def under_way(self) -> Path:
        """Return the mark of a set-up that has begun to write and has not come to its end."""
        return self.configuration / ".setup-under-way"

    def certificate(self, name: str, kind: str = "pem") -> Path:
        """Return a certificate, its key or its request: ``pem``, ``key``, ``csr``."""
        return self.configuration / CERTIFICATES / f"{name}.{kind}"


@dataclass(frozen=True, slots=True)
class File:
    """One file to be written: where, what, and who may read it."""

    path: Path
    data: bytes
    mode: int


@dataclass(slots=True)
class Plan:
    """What a set-up would write, and what is to be shown once: a password, the key of the backups."""

    files: list[File] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)


def plan(answers: Answers, place: Place) -> Plan:
    """Return what these answers come to; raises OSError, CertificateError, UsageError."""
    made = Plan()
    if answers["certificate.kind"] != "none":
        made.files += _certificates(answers, place)
        made.files.append(_users(answers, place, made.shown))
    made.files += _broker(answers, place)
    if answers.get("store.token"):
        made.files.append(File(_secret(place, "store-token"), answers["store.token"].encode() + b"\n", GROUP))
    if answers["backup.folder"]:
        made.files += _backup_key(place, made.shown)
    if answers["time.servers"] and place.etc is not None:
        made.files.append(_time(parts(answers["time.servers"]), place.etc))
    made.files.append(File(place.file, configuration(answers, place).encode(), GROUP))
    return made


def configuration(answers: Answers, place: Place) -> str:
    """Return the configuration as text, with a word on each part for whoever edits it."""
    practice = answers["radio.kind"] == "practice"
    lines = [
        f"# {answers['ward.name']}. Made by 'rehab-gateway setup'; every setting stands in docs/configuration.md.",
        f"# After a change:  sudo rehab-gateway check {place.file}", "",
        *(("simulated = true                 # practice: everything is marked as simulated", "") if practice else ()),
        *_table("site", {"site": answers["ward.site"], "gateway": answers["ward.id"], "data": place.data}),
    ]  # fmt: skip
    if practice:
        lines += _table("radio", {"name": "simulated", "socket": place.data / "practice.sock"})
    lines += [*_broker_table(answers, place), *_store_table(answers, place), *_dashboard_table(answers, place)]
    if answers["backup.folder"]:
        lines += _table("backup", {"folder": answers["backup.folder"], "key_file": _secret(place, "backup-key"),
                                   "keep": int(answers["backup.keep"])})  # fmt: skip
    if practice:
        for number, bed in enumerate(parts(answers["beds.names"]), 1):
            lines += _practice_bed(number, bed)
    return "\n".join(lines)


def _table(name: str, values: dict[str, object]) -> list[str]:
    shown = (f"{key} = {_value(value)}" for key, value in values.items() if value is not None)
    return [f"[{name}]", *shown, ""]


def _value(value: object) -> str:
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


def _broker_table(answers: Answers, place: Place) -> list[str]:
    if answers["broker.kind"] == "own":
        return ["[broker]", "embedded = true                  # one of our own, which nobody else reaches", ""]
    folder = place.configuration / CERTIFICATES
    user, cert = answers.get("broker.username") or None, answers.get("broker.cert_file")
    password = _secret(place, "broker-password") if answers.get("broker.password") else None
    values: dict[str, object] = {
        "host": answers["broker.host"], "port": int(answers["broker.port"]), "ca_file": folder / "broker-authority.pem",
        "username": user, "password_file": password,
        "cert_file": folder / "broker.pem" if cert else None, "key_file": folder / "broker.key" if cert else None,
    }  # fmt: skip
    table = _table("broker", values)
    return [table[0], "embedded = false", *table[1:]]


def _store_table(answers: Answers, place: Place) -> list[str]:
    if answers["store.kind"] == "none":
        return []
    return _table("historian.store", {
        "kind": answers["store.kind"], "url": answers["store.url"], "bucket": answers["store.bucket"],
        "organisation": answers.get("store.organisation") or None,
        "token_file": _secret(place, "store-token") if answers.get("store.token") else None,
    })  # fmt: skip


def _dashboard_table(answers: Answers, place: Place) -> list[str]:
    if answers["certificate.kind"] == "none":
        return _table("dashboard", {"host": "127.0.0.1"})
    return _table("dashboard", {
        "host": "0.0.0.0", "port": int(answers["pages.port"]),  # noqa: S104 - over TLS, to users alone
        "cert_file": place.certificate(DASHBOARD), "key_file": place.certificate(DASHBOARD, "key"),
        "users_file": place.configuration / "users.jsonl",
    })  # fmt: skip


def _practice_bed(number: int, label: str) -> list[str]:
    lines = ["[[slot]]", f"id = {_value(id_from(label))}", f"label = {_value(label)}",
             f'subject = "practice-{number}"', "height_m = 1.7", ""]  # fmt: skip
    for at, (name, driver, placement) in enumerate(PRACTICE):
        lines += _table("[slot.device]", {
            "id": f"practice-{number}-{name}", "driver": driver, "placement": placement,
            "address": f"02:00:00:00:{number:02X}:{at + 1:02X}",
        })  # fmt: skip
    return lines


def _certificates(answers: Answers, place: Place) -> Iterable[File]:
    names = parts(answers["certificate.names"])
    cert, key = place.certificate(DASHBOARD), place.certificate(DASHBOARD, "key")
    if answers["certificate.kind"] == "request":
        pair = make_stand_in(names)
        yield File(place.certificate(DASHBOARD, "csr"), make_request(names, key=pair.key), EVERYBODY)
    else:
        authority, pair = _authority(answers["ward.name"], names, place)
        yield File(place.certificate(AUTHORITY), authority.cert, EVERYBODY)
        yield File(place.certificate(AUTHORITY, "key"), authority.key, OWNER)
    yield File(cert, pair.cert, EVERYBODY)
    yield File(key, pair.key, GROUP)


def _authority(ward: str, names: list[str], place: Place) -> tuple[Pair, Pair]:
    """Return the ward's authority and what it signs: the one that tablets trust, if it may sign for these."""
    cert, key = place.certificate(AUTHORITY), place.certificate(AUTHORITY, "key")
    if cert.exists() and key.exists():
        known = Pair(cert.read_bytes(), key.read_bytes())
        try:
            return known, issue(known, names)
        except CertificateError:
            pass  # other names: another authority, of which the tablets have to be told
    made = make_authority(ward, names)
    return made, issue(made, names)


def _users(answers: Answers, place: Place, shown: dict[str, str]) -> File:
    """Return the users file with the administrator in it, beside everybody who is in it already."""
    path, name = place.configuration / "users.jsonl", answers["admin.name"]
    password = answers.get("admin.password", "")
    known = users.load(path) if path.exists() else {}
    if not password and (name not in known or _was_broken_off(place)):
        password = shown[f"password of {name}"] = make_secret()
    if password:  # else the one that they have stays
        known[name] = users.make(name, "admin", password)
    return File(path, b"".join(orjson.dumps(asdict(user)) + b"\n" for user in known.values()), GROUP)


def _broker(answers: Answers, place: Place) -> Iterable[File]:
    if answers["broker.kind"] == "own":
        return
    folder = place.configuration / CERTIFICATES
    for key, name, mode in (("ca_file", "broker-authority.pem", EVERYBODY), ("cert_file", "broker.pem", EVERYBODY),
                            ("key_file", "broker.key", GROUP)):  # fmt: skip
        if path := answers.get(f"broker.{key}"):
            yield File(folder / name, Path(path).read_bytes(), mode)
    if answers.get("broker.password"):
        yield File(_secret(place, "broker-password"), answers["broker.password"].encode() + b"\n", GROUP)


def _backup_key(place: Place, shown: dict[str, str]) -> Iterable[File]:
    """Yield the key of the backups, unless there is one: what it has encrypted, no other key opens."""
    path = _secret(place, "backup-key")
    if path.exists() and _was_broken_off(place):
        shown[KEY_OF_BACKUPS] = path.read_text("utf-8").strip()
    elif not path.exists():
        key = shown[KEY_OF_BACKUPS] = make_secret()
        yield File(path, key.encode() + b"\n", OWNER)


def _was_broken_off(place: Place) -> bool:
    """Whether a set-up before this one never came to its end, which is where secrets are shown."""
    return place.under_way.exists()


def _time(servers: list[str], etc: Path) -> File:
    """Return the time servers as the time service of this machine wants them: chrony, or systemd's own."""
    if (etc / "chrony").is_dir():
        lines = "".join(f"server {server} iburst\n" for server in servers)
        return File(etc / "chrony/sources.d/rehab-gateway.sources", lines.encode(), EVERYBODY)
    text = f"[Time]\nNTP={' '.join(servers)}\n"
    return File(etc / "systemd/timesyncd.conf.d/rehab-gateway.conf", text.encode(), EVERYBODY)


def _secret(place: Place, name: str) -> Path:
    return place.configuration / SECRETS / name


def make_secret() -> str:
    """Return a secret that can be written down and typed: 24 letters and digits in groups of four."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(GROUPS))
