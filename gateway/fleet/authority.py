"""The fleet's own certificate authority: who may come to the broker, and who may not any more.

A certificate's common name is who somebody is there. A gateway has three, since the broker knows one connection by
each: ``NAME`` for what measures, ``NAME.fleet`` for its agent, ``NAME.command`` for commands that are typed on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.machine.durable import replace_file

AUTHORITY_DAYS = 7300
MEMBER_DAYS = 397
"""Agents ask for new ones when a third is left: one may lie in a cupboard for four months, and come back."""
BACKDATED = timedelta(hours=1)
"""A gateway's clock may be behind ours when it first comes."""
LIST_DAYS = 365
"""The desk writes a new revocation list every day; with one that is over, a broker refuses everybody."""
AGENT = ".fleet"
"""What follows a gateway's name in its agent's: no gateway's own name has a dot."""
COMMAND = ".command"
"""The same for the commands that are typed on it: they ask ``run``, and must not take its connection."""
PARTS = {"gateway": "", "agent": AGENT, "command": COMMAND}
"""Of a gateway: what has a certificate of its own, and what follows the gateway's name in it."""
OF_OLD = ("gateway", "agent")
"""Those that every version asks for, and gives."""

PEM = serialization.Encoding.PEM


class Authority:
    """Signs certificates and takes them back; its key never leaves the folder.

    Args:
        folder: Has ``ca.pem`` and ``ca.key``.

    Raises:
        OSError, ValueError: They cannot be read, or are none.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ca.pem"
        self.revocations = folder / "crl.pem"
        self._certificate = x509.load_pem_x509_certificate(self.path.read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{folder / 'ca.key'} is not the key of a fleet's authority")  # noqa: TRY004 - a file's
        self._key = key

    @property
    def pem(self) -> str:
        """Return its own certificate."""
        return self._certificate.public_bytes(PEM).decode()

    def sign_request(self, request: str, name: str, *, days: float = MEMBER_DAYS) -> tuple[str, int]:
        """Return a client's certificate for the key of a signing request, and its number.

        Of the request only the key is taken: who somebody is, is for the fleet to say.

        Raises:
            ValueError: It is no request, its signature is not of its key, or the key is of another kind than ours.
        """
        try:
            found = x509.load_pem_x509_csr(request.encode())
            key = found.public_key()
            good = found.is_signature_valid
        except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise ValueError(f"it is of a kind that is not taken: {error}") from None
        if not good or not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("it is not a signing request of a gateway")
        return self._issue(key, name, days=days)

    def issue(self, name: str, *, days: float = MEMBER_DAYS, hosts: Sequence[str] = ()) -> tuple[str, str, int]:
        """Return a new certificate, its key and its number; with ``hosts`` it is a server's."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem, number = self._issue(key.public_key(), name, days=days, hosts=hosts)
        return pem, private_pem(key), number

    def write_revocations(self, numbers: Iterable[int]) -> None:
        """Write the list of what was taken back, whole or not at all.

        Each is newer than the one before by a second at least, and none is of the future: of two lists of one second a
        broker goes on with the one that it has.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        dated = now - BACKDATED
        if self.revocations.exists():
            last = x509.load_pem_x509_crl(self.revocations.read_bytes()).last_update_utc
            if last < now:  # else it was made while this clock was ahead: no broker goes by it now
                dated = max(dated, last + timedelta(seconds=1))
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(dated)
            .next_update(now + timedelta(days=LIST_DAYS))
        )
        for number in numbers:
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        replace_file(self.revocations, builder.sign(self._key, hashes.SHA256()).public_bytes(PEM), mode=0o644)

    def _issue(
        self, key: ec.EllipticCurvePublicKey, name: str, *, days: float, hosts: Sequence[str] = ()
    ) -> tuple[str, int]:
        now = datetime.now(UTC)
        use = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        number = x509.random_serial_number()
        builder = (
            _builder(name, self._certificate.subject, key, now + timedelta(days=days), number)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM).decode(), number


def make_authority(folder: Path, name: str) -> Authority:
    """Make a new authority in a folder; raises FileExistsError where there is one."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS)
    builder = (
        _builder(name, _name(name), key.public_key(), end, x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    (folder / "ca.key").touch(mode=0o600, exist_ok=False)
    (folder / "ca.key").write_text(private_pem(key), "utf-8")
    replace_file(folder / "ca.pem", builder.sign(key, hashes.SHA256()).public_bytes(PEM), mode=0o644)
    made = Authority(folder)
    made.write_revocations(())
    return made


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as it is written to a file."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(PEM, form, serialization.NoEncryption()).decode()


def make_request(name: str) -> tuple[str, str]:
    """Return a new private key, and the request to sign for it: the key stays where it was made."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(key, hashes.SHA256())
    return private_pem(key), request.public_bytes(PEM).decode()


def belong_together(certificate: str, key: str) -> bool:
    """Whether a certificate is for a key; both as PEM."""
    try:
        found = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        return found == serialization.load_pem_private_key(key.encode(), None).public_key()
    except ValueError:
        return False


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, end: datetime, number: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(number)
        .not_valid_before(datetime.now(UTC) - BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
