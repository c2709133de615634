"""``rehab-gateway certificate``: what the dashboard's certificate is, a new one of the ward's authority, an answer."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from config import plain_file
from config.settings import Settings
from gateway.broker.certificates import LARGEST_BYTES
from gateway.cli.terminal import Terminal
from gateway.installation.setup import SYSTEMD, run_all, write
from gateway.installation.setup_certificates import (
    RENEW_DAYS,
    CertificateError,
    Pair,
    check_answer,
    ends,
    fingerprint,
    is_of,
    issue,
    names_of,
)
from gateway.installation.setup_files import AUTHORITY, EVERYBODY, GROUP, File
from gateway.machine.ownership import acting_as_owner_of, folder_of
from gateway.model.usage import UsageError

ACTIONS = ("show", "renew", "install")
RESTART = "systemctl try-restart rehab-gateway@dashboard"
"""The dashboard reads its certificate when it starts; who is signed in signs in again."""


def certificate(settings: Settings, action: str, answer: Path | None, *, now: bool) -> None:
    """Show, renew or install; raises UsageError, CertificateError, OSError."""
    cert, key = settings.dashboard.cert_file, settings.dashboard.key_file
    if action not in ACTIONS:
        raise UsageError(f"'{action}' is none of {', '.join(ACTIONS)}")
    if cert is None or key is None:
        raise UsageError("the configuration names no certificate: dashboard.cert_file and key_file")
    if action == "show":
        _show(cert)
    elif action == "renew":
        _renew(settings, cert, key, now=now)
    elif answer is None:
        raise UsageError("which file? 'certificate install CONFIG FILE', with what the hospital has signed")
    else:
        signed = _answer(answer)
        names = check_answer(signed, key.read_bytes())
        _put(settings, [File(cert, signed, EVERYBODY)])
        Terminal().print(f"Installed, for {', '.join(names)}.", soft_wrap=True)


def _answer(file: Path) -> bytes:
    """Return what the hospital has signed; raises CertificateError, OSError."""
    signed = plain_file.read(file, LARGEST_BYTES)
    if len(signed) > LARGEST_BYTES:
        raise CertificateError(f"{file} is too large to be a certificate: it has more than {LARGEST_BYTES} bytes")
    return signed


def _show(cert: Path) -> None:
    data, console = cert.read_bytes(), Terminal()
    left = (ends(data) - datetime.now(UTC)).days
    console.print(f"{cert}, for {', '.join(names_of(data))}", soft_wrap=True)
    console.print(f"until {ends(data):%-d %B %Y} ({left} days)", soft_wrap=True)
    console.print(f"SHA-256 {fingerprint(data)}", soft_wrap=True)
    authority = cert.with_name(f"{AUTHORITY}.pem")
    if authority.is_file() and is_of(data, authority.read_bytes()):
        console.print(f"signed by the ward's own authority, {authority}: renewed by itself", soft_wrap=True)


def _renew(settings: Settings, cert: Path, key: Path, *, now: bool) -> None:
    """Have the ward's own authority sign anew, where it is time for it or somebody says so."""
    console = Terminal()
    of = cert.with_name(f"{AUTHORITY}.pem")
    old = cert.read_bytes()
    if not of.is_file() or not is_of(old, of.read_bytes()):
        raise CertificateError(f"{cert} is not of the ward's own authority: ask whoever has signed it for another")
    left = (ends(old) - datetime.now(UTC)).days
    if left > RENEW_DAYS and not now:
        console.print(f"{cert} holds for {left} days: nothing to do before {RENEW_DAYS}.", soft_wrap=True)
        return
    pair = issue(Pair(of.read_bytes(), of.with_suffix(".key").read_bytes()), names_of(old))
    _put(settings, [File(key, pair.key, GROUP), File(cert, pair.cert, EVERYBODY)])
    console.print(f"Renewed, until {ends(pair.cert):%-d %B %Y}.", soft_wrap=True)


def _put(settings: Settings, files: list[File]) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for file in files:
        with acting_as_owner_of(folder_of(file.path, settings.site.data)):
            write(file, stamp)
    if SYSTEMD.is_dir() and os.geteuid() == 0:
        run_all([RESTART], lambda words: Terminal().print(words, soft_wrap=True))
    else:
        Terminal().print(f"Then: sudo {RESTART}", soft_wrap=True)
