"""The doctor's look at files that a configuration names: can this user read them, and are they what they should be?"""

from __future__ import annotations

import os
import pwd
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from config import plain_file
from config.settings import Settings
from gateway.broker.certificates import LARGEST_BYTES
from gateway.cli.doctor.finding import Finding, worst
from gateway.machine.file_header import is_database

if TYPE_CHECKING:  # 8 MB of memory, which a site without TLS does without
    from cryptography.x509 import Certificate

ENDS_SOON_DAYS = 30  # as the notice 'certificate-ends' has it
RENEW = (
    "The ward's own: sudo rehab-gateway certificate renew CONFIG. The hospital's: have another signed, then:"
    " sudo rehab-gateway certificate install CONFIG FILE"
)
FINE = Finding("certificates", "ok", "in force")
DATABASES = ("outbox.db", "history.db", "ward.db")


def judge_certificates(settings: Settings) -> Finding | None:
    """Every certificate and key: readable, a pair, in force, a chain in its order; None where none is configured."""
    pairs = {
        "broker.cert_file": (settings.broker.cert_file, settings.broker.key_file),
        "historian.cert_file": (settings.historian.cert_file, settings.historian.key_file),
        "dashboard.cert_file": (settings.dashboard.cert_file, settings.dashboard.key_file),
        "dashboard.broker_cert_file": (settings.dashboard.broker_cert_file, settings.dashboard.broker_key_file),
    }
    alone = {"broker.ca_file": settings.broker.ca_file}
    found = [_pair(key, cert, private) for key, (cert, private) in pairs.items() if cert and private]
    found += [_certificate(key, path) for key, path in alone.items() if path]
    if settings.broker.crl_file:
        found.append(_revocations(settings.broker.crl_file))
    return worst("certificates", found, f"{len(found)} in force") if found else None


def _pair(key: str, cert: Path, private: Path) -> Finding:
    key_name = key.replace("cert_file", "key_file")
    for name, path in ((key, cert), (key_name, private)):
        if trouble := _unreadable(path):
            return Finding("certificates", "fail", f"{name}: {path} {trouble}", _who(path))
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, private, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            advice = "Put the key that belongs to the certificate in its place."
            return Finding("certificates", "fail", f"{key_name} is not the key of {key}", advice)
        advice = "Save both as PEM (text that begins with -----BEGIN), the key without a password."
        return Finding("certificates", "fail", f"{key} and {key_name} cannot be used", advice)
    return _certificate(key, cert)


def _no_password() -> str:
    raise ValueError("the key has a password, which nobody would be there to type")


def _certificate(key: str, path: Path) -> Finding:
    """Judge the certificates of a file: a service has nobody to ask when the first is refused."""
    from cryptography import x509

    if trouble := _unreadable(path):
        return Finding("certificates", "fail", f"{key}: {path} {trouble}", _who(path))
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        advice = "Save it as PEM: text that begins with -----BEGIN CERTIFICATE-----."
        return Finding("certificates", "fail", f"{key}: {path} is no certificate", advice)
    ours = key.endswith("cert_file")
    return (
        _in_force(f"{key}: {path}", chain[:1] if ours else chain) or (ours and _chain(f"{key}: {path}", chain)) or FINE
    )


def _in_force(what: str, certificates: list[Certificate]) -> Finding | None:
    now = datetime.now(UTC)
    for one in certificates:
        if one.not_valid_before_utc > now:
            advice = "Is this computer's clock right? See: date. Else ask for a new certificate."
            return Finding("certificates", "fail", f"{what} is not valid yet", advice)
        left_days = (one.not_valid_after_utc - now).days
        if left_days < 0:
            return Finding("certificates", "fail", f"{what} has ended", RENEW)
        if left_days < ENDS_SOON_DAYS:
            trouble = f"{what} ends in {left_days} days"
            return Finding("certificates", "warn", trouble, RENEW)
    return None


def _chain(what: str, certificates: list[Certificate]) -> Finding | None:
    from cryptography.exceptions import InvalidSignature

    for lower, upper in pairwise(certificates):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            advice = "Write the certificate first, then that of who issued it, and so on."
            return Finding("certificates", "fail", f"{what} is no chain", advice)
    return None


def _revocations(path: Path) -> Finding:
    from cryptography import x509

    if trouble := _unreadable(path):
        return Finding("certificates", "fail", f"broker.crl_file: {path} {trouble}", _who(path))
    try:
        until = x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
    except ValueError:
        trouble = f"broker.crl_file: {path} is no revocation list"
        return Finding("certificates", "fail", trouble, "Fetch it as PEM from the authority.")
    if until is not None and until < datetime.now(UTC):
        return Finding("certificates", "fail", f"broker.crl_file: {path} is too old", "Fetch the authority's newest.")
    return Finding("certificates", "ok", "broker.crl_file: in force")


def judge_users(file: Path | None) -> Finding | None:
    """The users file can be read and lets somebody in; None where none is configured."""
    from gateway.dashboard.users import load
    from gateway.model.usage import UsageError

    if file is None:
        return None
    try:
        users = load(file)
    except UsageError as error:
        return Finding(
            "users", "fail", str(error).rstrip("."), "Make it: sudo rehab-gateway user add FILE NAME --role admin"
        )
    if not users:
        return Finding(
            "users",
            "warn",
            f"{file}: nobody may sign in",
            f"Add somebody: sudo rehab-gateway user add {file} NAME --role admin",
        )
    return Finding("users", "ok", f"{len(users)} may sign in")


def judge_data(settings: Settings) -> Finding | None:
    """Databases that are there are some, and belong to this user, or may be written by it; None where all are."""
    history = settings.history_file
    for path in dict.fromkeys((*(settings.site.data / name for name in DATABASES), history)):
        for file in (path, path.with_name(f"{path.name}-wal")):
            if os.access(file, os.F_OK) and not os.access(file, os.R_OK | os.W_OK, effective_ids=True):
                return Finding("data", "fail", f"{file} may not be written by this user", _who(file))
        if not _is_database(path):
            advice = "Put a copy of it back: 'rehab-gateway restore' has that of a backup. Look at the disk first."
            return Finding("data", "fail", f"{path} is damaged: it is no database", advice)
    return None


def _is_database(path: Path) -> bool:
    """Whether a file is a database, or is begun as one at the next start: it is empty, or not there."""
    try:
        return is_database(path) or not path.stat().st_size
    except FileNotFoundError:
        return True
    except OSError:
        return False


def missing_files(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the key of each named file that this user cannot read, and why; the name of a secret's file is not said."""
    for table in ("broker", "historian", "historian.store", "dashboard"):
        section: object = settings
        for part in table.split("."):
            section = getattr(section, part)
        for name in getattr(type(section), "model_fields", ()):
            path = getattr(section, name)
            if name.endswith("_file") and path is not None and (trouble := _unreadable(path)):
                yield f"{table}.{name}", trouble


def _unreadable(path: Path) -> str:
    try:
        if path.is_dir():
            return "is a folder"
        found = plain_file.look(path)
        plain_file.read(path, 1)
    except plain_file.NoFileError:
        return plain_file.NO_FILE
    except OSError as error:
        return f"cannot be read ({(error.strerror or str(error)).lower()})"
    return "is empty" if found.st_size == 0 else "is too large" if found.st_size > LARGEST_BYTES else ""


def _who(path: Path) -> str:
    """Return what to do so that this user may use a file."""
    try:
        owner = pwd.getpwuid(path.stat().st_uid).pw_name
    except FileNotFoundError:
        return "Put it there, or correct its name in the configuration."
    except (OSError, KeyError):
        owner = "another user"
    try:
        me = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        me = str(os.geteuid())
    return f"It belongs to {owner}, and you are {me}: run this with sudo -u {owner}, or: sudo chown {me} {path}"
