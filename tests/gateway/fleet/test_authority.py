"""What the fleet's authority signs, and what it does not."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from gateway.fleet.authority import make_authority, make_request

DAY = timedelta(days=1)
ANY_KEY = bytes.fromhex("06072a8648ce3d0201")  # id-ecPublicKey (RFC 5480, section 2.1.1)
P256 = bytes.fromhex("06082a8648ce3d030107")  # secp256r1 (RFC 5480, section 2.1.1.1)


@pytest.mark.parametrize("named", [ANY_KEY, P256], ids=["kind of key", "curve"])
def test_a_key_of_a_kind_that_nobody_knows_is_refused_and_ends_nothing(tmp_path: Path, named: bytes) -> None:
    """Every gateway may ask for new certificates: what it asks with must not end the desk."""
    authority = make_authority(tmp_path, "fleet")
    der = x509.load_pem_x509_csr(make_request("a")[1].encode()).public_bytes(Encoding.DER)
    odd = b64encode(der.replace(named, named[:-1] + b"\x63")).decode()
    with pytest.raises(ValueError, match="of a kind that is not taken"):
        authority.sign_request(f"-----BEGIN CERTIFICATE REQUEST-----\n{odd}\n-----END CERTIFICATE REQUEST-----\n", "a")


def test_a_request_of_another_version_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    der = bytearray(x509.load_pem_x509_csr(make_request("a")[1].encode()).public_bytes(Encoding.DER))
    version = der.index(b"\x02\x01\x00") + 2  # INTEGER 0: the first of what is signed (RFC 2986, section 4)
    der[version] = 5
    odd = b64encode(der).decode()
    with pytest.raises(ValueError, match="of a kind that is not taken"):
        make_authority(tmp_path, "fleet").sign_request(
            f"-----BEGIN CERTIFICATE REQUEST-----\n{odd}\n-----END CERTIFICATE REQUEST-----\n", "a"
        )


def test_a_list_that_was_made_while_the_clock_was_ahead_holds_nobody_out(tmp_path: Path) -> None:
    """A broker that has only a list of the future lets nobody in: the next one is of now."""
    authority = make_authority(tmp_path, "fleet")
    ahead = datetime.now(UTC).replace(microsecond=0) + 30 * DAY
    key = load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes()).subject
    builder = x509.CertificateRevocationListBuilder(issuer, ahead, ahead + DAY)
    authority.revocations.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    dates = []
    for _ in range(2):
        authority.write_revocations([7])
        dates.append(x509.load_pem_x509_crl(authority.revocations.read_bytes()).last_update_utc)
    assert dates[0] < dates[1] < datetime.now(UTC)
