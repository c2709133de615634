"""Certificates that a ward makes for itself: an authority of its own, what it signs, and requests for a hospital's.

The authority may sign for the ward's own names and addresses alone (name constraints, RFC 5280, section 4.2.1.10):
whoever has a tablet trust it lets nobody speak for any other site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
"""Ten years: longer than the computer. It lies on every tablet, and is not changed lightly."""
SERVER_DAYS = 397
"""Browsers take no more than 398 from authorities that come with them; ours is to be no worse."""
STAND_IN_DAYS = 30
"""For a hospital to sign a request."""
RENEW_DAYS = 60
"""Before the end: the notice comes at 30, so it comes only where renewing has failed for a month."""
EARLY = timedelta(hours=1)
"""For clocks that are a little behind ours."""
LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name


class CertificateError(Exception):
    """A certificate will not do; the sentence says why."""

    advice = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, or a request for one, and its private key, both PEM."""

    cert: bytes
    key: bytes


def make_authority(name: str, names: Sequence[str]) -> Pair:
    """Make an authority that may sign for these names and addresses alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"{name} (rehab-gateway)")
    permitted: list[x509.GeneralName] = [_constraint(each) for each in names]
    builder = (
        _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), _private(key))


def issue(authority: Pair, names: Sequence[str], *, days: int = SERVER_DAYS, key: bytes | None = None) -> Pair:
    """Sign for a server; raises CertificateError for names that the authority may not sign for.

    Args:
        authority: Who signs.
        names: Names and addresses.
        days: How long it holds.
        key: Its private key; by default a new one.
    """
    signer = x509.load_pem_x509_certificate(authority.cert)
    permitted = signer.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    foreign = [each for each in names if _constraint(each) not in permitted]
    if foreign:
        raise CertificateError(f"the ward's authority was not made for {', '.join(foreign)}")
    own, signing = _own_key(key), load_pem_private_key(authority.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    builder = _server(_builder(_name(names[0]), signer.subject, own.public_key(), days), own.public_key(), names)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
    )
    cert = builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM)
    return Pair(cert + authority.cert, _private(own))


def make_stand_in(names: Sequence[str], *, key: bytes | None = None, days: int = STAND_IN_DAYS) -> Pair:
    """Make a certificate that nobody has signed but itself; browsers warn of it."""
    own = _own_key(key)
    subject = _name(names[0])
    builder = _server(_builder(subject, subject, own.public_key(), days), own.public_key(), names)
    return Pair(builder.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM), _private(own))


def make_request(names: Sequence[str], *, key: bytes) -> bytes:
    """Return a request (PKCS #10, PEM) for a hospital's authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(names[0]))
    builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
    return builder.sign(_own_key(key), hashes.SHA256()).public_bytes(Encoding.PEM)


def names_of(cert: bytes) -> list[str]:
    """Return the names and addresses that a certificate is for; raises CertificateError."""
    try:
        found = x509.load_pem_x509_certificate(cert)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        raise CertificateError("it is no certificate of a server") from None
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def check_answer(answer: bytes, key: bytes) -> list[str]:
    """Return the names of what a hospital has signed; raises CertificateError where it does not fit, or is over."""
    try:
        chain = x509.load_pem_x509_certificates(answer)
    except ValueError:
        raise CertificateError("it is no certificate in PEM form: it begins with -----BEGIN CERTIFICATE-----") from None
    wanted = _own_key(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != wanted:
        raise CertificateError("it is not for this gateway's key: was it made from another request?")
    now = datetime.now(UTC)
    if chain[0].not_valid_after_utc < now:
        raise CertificateError("it has ended already")
    if chain[0].not_valid_before_utc > now:
        raise CertificateError("it is not valid yet: look at this computer's clock")
    for lower, upper in pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            raise CertificateError(
                "its chain is not in order: the gateway's certificate first, then who signed it"
            ) from None
    return names_of(answer)


def is_of(cert: bytes, authority: bytes) -> bool:
    """Whether a certificate was signed by an authority."""
    try:
        x509.load_pem_x509_certificate(cert).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def ends(cert: bytes) -> datetime:
    """Return when a certificate ends; raises ValueError for what is none."""
    return x509.load_pem_x509_certificate(cert).not_valid_after_utc


def fingerprint(cert: bytes) -> str:
    """Return the SHA-256 fingerprint as browsers show it."""
    return x509.load_pem_x509_certificate(cert).fingerprint(hashes.SHA256()).hex(":").upper()


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(now - EARLY)
        .not_valid_after(now + timedelta(days=days))
    )  # fmt: skip


def _server(
    builder: x509.CertificateBuilder, public: ec.EllipticCurvePublicKey, names: Sequence[str]
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:LONGEST_COMMON_NAME])])


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_address(each) or x509.DNSName(each) for each in names]


def _address(name: str) -> x509.GeneralName | None:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return None


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))  # a network of one
    except ValueError:
        return x509.DNSName(name)


def _own_key(key: bytes | None) -> ec.EllipticCurvePrivateKey:
    if key is None:
        return ec.generate_private_key(ec.SECP256R1())
    found = load_pem_private_key(key, None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
