"""What the fleet's authority signs, and what it does not."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.fleet.authority import make_authority, make_request

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
