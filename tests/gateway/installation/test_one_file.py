"""A signed package as one file: what a roll-out sends is what an upgrade takes, and nothing else is."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.installation.errors import RefusedError, SignatureError
from gateway.installation.one_file import is_one_file, pack, take_apart
from gateway.installation.signature import SIGNATURE, SUMS, Keys, key_id, sign
from tests.gateway.installation.test_change import FIRST, Place
from tests.servers import missing

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    if shutil.which("openssl") is None:
        missing("openssl")
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "release.key")]
    subprocess.run(command, check=True)
    public = load_pem_private_key((tmp_path / "release.key").read_bytes(), None).public_key()
    return {key_id(public): public}  # type: ignore[arg-type, dict-item] # it is an Ed25519 one


def signed(place: Place, number: str, folder: Path) -> Path:
    """Make a package, and sign it as 'make package' does."""
    package = place.package(number)
    listed = f"{hashlib.sha256(package.read_bytes()).hexdigest()}  {package.name}\n"
    (package.parent / SUMS).write_text(listed)
    (package.parent / SIGNATURE).write_text(sign(listed.encode(), folder / "release.key")[1])
    return package


def test_what_a_roll_out_sends_is_installed_without_anything_beside_it(tmp_path: Path, keys: Keys) -> None:
    place = Place(tmp_path)
    package = signed(place, "0.2.0", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    one = pack(package, tmp_path / "elsewhere" / "0.2.0.bundle")
    assert (is_one_file(one), is_one_file(package)) == (True, False)
    assert pack(package, tmp_path / "again.bundle").read_bytes() == one.read_bytes()
    wish = type(place.wish)(place.wish.config)
    assert place.changer.upgrade(one, keys, wish).key in keys
    assert (place.versions.current(), place.left_over()) == ("0.2.0", [])


def test_one_that_was_changed_or_that_nobody_signed_is_refused(tmp_path: Path, keys: Keys) -> None:
    place = Place(tmp_path)
    wish = type(place.wish)(place.wish.config)
    one = pack(signed(place, "0.2.0", tmp_path), tmp_path / "0.2.0.bundle")
    with pytest.raises(SignatureError, match="trusted here are: none"):
        place.changer.upgrade(one, {}, wish)
    text, inside = bytearray(one.read_bytes()), (tmp_path / "0.2.0.deb").read_bytes()
    text[text.index(inside) + len(inside) // 2] ^= 1
    one.write_bytes(text)
    with pytest.raises((SignatureError, RefusedError)):
        place.changer.upgrade(one, keys, wish)
    (tmp_path / SIGNATURE).unlink()
    with pytest.raises(RefusedError, match="gateways take what is signed"):
        pack(tmp_path / "0.2.0.deb", tmp_path / "b.bundle")
    assert (place.versions.current(), place.left_over()) == (FIRST, [])


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "/etc/passwd", 4 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil.deb")], [member("/etc/evil.deb")], [member("a.deb", tarfile.SYMTYPE)],
        [member("a.deb", tarfile.LNKTYPE)], [member(SUMS, tarfile.SYMTYPE)], [member("a.deb"), member("a.deb")],
        [member(SUMS), member("a.deb"), member("b.deb"), member(SIGNATURE)], [member("a.deb")], [member(SUMS)], [],
        [member("a.deb", tarfile.FIFOTYPE)],
    ],
)  # fmt: skip
def test_what_else_somebody_packs_is_refused_and_leads_nowhere(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    with tarfile.open(tmp_path / "one.bundle", "w") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"evil"))
    (tmp_path / "home").mkdir()
    with pytest.raises(RefusedError):
        take_apart(tmp_path / "one.bundle", tmp_path / "home/upgrade.deb", tmp_path / "home/.signed")
    assert {path.name for path in tmp_path.iterdir()} == {"one.bundle", "home"}
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {"upgrade.deb", ".signed"}


def test_one_that_grows_when_it_is_taken_apart_is_refused(tmp_path: Path) -> None:
    """Four bytes and a map (GNU's sparse files) that have them be the end of 64 MB: it would fill the disk."""
    info = member("a.deb")
    info.pax_headers = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "a.deb",
        "GNU.sparse.size": str(64 << 20), "GNU.sparse.map": f"{(64 << 20) - 4},4",
    }  # fmt: skip
    with tarfile.open(tmp_path / "one.bundle", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member(SUMS), io.BytesIO(b"evil"))
        archive.addfile(info, io.BytesIO(b"evil"))
    (tmp_path / "home").mkdir()
    with pytest.raises(RefusedError, match="no part of an upgrade"):
        take_apart(tmp_path / "one.bundle", tmp_path / "home/upgrade.deb", tmp_path / "home/.signed")
    assert not (tmp_path / "home/upgrade.deb").exists()


def test_one_that_ends_too_early_is_refused(tmp_path: Path, keys: Keys) -> None:
    place = Place(tmp_path)
    one = pack(signed(place, "0.2.0", tmp_path), tmp_path / "0.2.0.bundle")
    one.write_bytes(one.read_bytes()[:-9000] if one.stat().st_size > 18000 else one.read_bytes()[:1800])
    with pytest.raises(RefusedError):
        place.changer.upgrade(one, keys, place.wish)
    assert (place.versions.current(), place.left_over()) == (FIRST, [])
