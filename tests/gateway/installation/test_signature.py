"""Who signed a package: real keys, as OpenSSL writes them too."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.installation.errors import SignatureError
from gateway.installation.signature import REVOKED, SIGNATURE, SUMS, key_id, sign, trusted_keys, verify
from installer.signing import sign_sums, write_sums


def make_key(folder: Path, name: str, trusted: Path | None = None) -> Path:
    """Make a private key, and put its public part where it is trusted."""
    key = Ed25519PrivateKey.generate()
    path = folder / f"{name}.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if trusted:
        trusted.mkdir(exist_ok=True)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (trusted / f"{name}.pem").write_bytes(public)
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    out = tmp_path / "dist"
    out.mkdir()
    path = out / "rehab-gateway_0.2.0_all.deb"
    path.write_bytes(b"a package")
    (out / "rehab-gateway_0.1.0_all.deb").write_bytes(b"another")
    write_sums(out)
    return path


def test_a_package_that_a_trusted_key_signed_is_believed(tmp_path: Path, package: Path) -> None:
    key = make_key(tmp_path, "release", tmp_path / "trusted")
    words = sign_sums(package.parent, [key])
    keys = trusted_keys([tmp_path / "trusted"])
    assert verify(package, package, keys) in words
    # The bytes are judged, wherever they lie by now.
    elsewhere = tmp_path / "upgrade.deb"
    elsewhere.write_bytes(package.read_bytes())
    assert verify(elsewhere, package, keys)


def test_whatever_is_changed_is_seen(tmp_path: Path, package: Path) -> None:
    key = make_key(tmp_path, "release", tmp_path / "trusted")
    sign_sums(package.parent, [key])
    keys = trusted_keys([tmp_path / "trusted"])
    sums, signature = package.parent / SUMS, package.parent / SIGNATURE
    good = {path: path.read_bytes() for path in (package, sums, signature)}
    for path, spoilt, why in (
        (package, b"another package", "its sum is another one"),
        (sums, good[sums].replace(b"a", b"b"), "does not fit the list of sums"),
        (sums, b"", "does not fit the list of sums"),
        (signature, good[signature][:-6] + b"AAA==\n", "does not fit the list of sums"),
        (signature, good[signature].replace(b"ed25519 ", b"ed25519 0"), "trusted here are"),
        (signature, b"\xff\x00nonsense", "is signed by nobody"),
        (signature, b"x" * 2_000_000, "is too large"),
    ):
        path.write_bytes(spoilt)
        with pytest.raises(SignatureError, match=why):
            verify(package, package, keys)
        path.write_bytes(good[path])
    assert verify(package, package, keys)
    other = package.with_name("rehab-gateway_0.3.0_all.deb")
    with pytest.raises(SignatureError, match=r"lists rehab-gateway_0\.3\.0_all\.deb 0 times"):
        verify(package, other, keys)
    signature.unlink()
    with pytest.raises(SignatureError, match="it is not signed"):
        verify(package, package, keys)


def test_a_key_is_exchanged_for_another_and_one_that_was_lost_is_believed_no_more(
    tmp_path: Path, package: Path
) -> None:
    old = make_key(tmp_path, "old", tmp_path / "shipped")
    new = make_key(tmp_path, "new", tmp_path / "site")
    sign_sums(package.parent, [old, new])
    shipped, site = tmp_path / "shipped", tmp_path / "site"
    assert {verify(package, package, trusted_keys([folder])) for folder in (shipped, site)} == {
        name for folder in (shipped, site) for name in trusted_keys([folder])
    }  # each of the two believes its own
    lost = next(iter(trusted_keys([shipped])))
    (site / REVOKED).write_text(f"# stolen in March\n{lost}  # the first\n")
    assert lost not in trusted_keys([shipped, site])
    sign_sums(package.parent, [old])
    with pytest.raises(SignatureError, match=f"is signed by {lost}"):
        verify(package, package, trusted_keys([shipped, site]))


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(SignatureError, match=r"other\.key is no Ed25519 key"):
        sign(b"", other)
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted/some.pem").write_text("nonsense")
    with pytest.raises(SignatureError, match=r"some\.pem cannot be read as a public key"):
        trusted_keys([tmp_path / "trusted"])
    assert trusted_keys([tmp_path / "nowhere"]) == {}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_makes_the_keys_and_verifies_by_hand_as_the_page_says(tmp_path: Path, package: Path) -> None:
    key, public = tmp_path / "release.key", tmp_path / "trusted/release.pem"
    public.parent.mkdir()
    for words in (
        ["genpkey", "-algorithm", "ed25519", "-out", str(key)],
        ["pkey", "-in", str(key), "-pubout", "-out", str(public)],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    sign_sums(package.parent, [key])
    keys = trusted_keys([public.parent])
    assert {key_id(of) for of in keys.values()} == {verify(package, package, keys)}
    raw = tmp_path / "raw"
    raw.write_bytes(base64.b64decode((package.parent / SIGNATURE).read_text().split()[2]))
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    by_hand = ["openssl", *words, "-in", str(package.parent / SUMS), "-sigfile", str(raw)]
    assert subprocess.run(by_hand, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("change", [str.upper, lambda name: f"ed25519 {name}", lambda name: f"{name}\t# lost", str])
def test_a_key_is_revoked_however_it_is_written_or_the_list_is_refused(
    tmp_path: Path, package: Path, change: Callable[[str], str]
) -> None:
    key = make_key(tmp_path, "release", tmp_path / "trusted")
    sign_sums(package.parent, [key])
    (name,) = trusted_keys([tmp_path / "trusted"])
    (tmp_path / "trusted" / REVOKED).write_text(f"\ufeff{change(name)}\r\n", "utf-8")
    assert not trusted_keys([tmp_path / "trusted"])


@pytest.mark.parametrize("line", ["release.pem", "0123", b"\xff\xfe1\0".decode("latin-1")])
def test_a_list_of_revoked_keys_that_is_not_understood_believes_nobody(tmp_path: Path, line: str) -> None:
    make_key(tmp_path, "release", tmp_path / "trusted")
    (tmp_path / "trusted" / REVOKED).write_text(line, "latin-1")
    with pytest.raises(SignatureError, match=REVOKED):
        trusted_keys([tmp_path / "trusted"])
