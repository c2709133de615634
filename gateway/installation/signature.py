"""Whether a package is what its makers signed: a list of sums, and Ed25519 signatures of that list beside it.

``SHA256SUMS`` has a line for each package, as ``sha256sum`` writes it; ``SHA256SUMS.sig`` a line for each key that
signed it: ``ed25519 KEY SIGNATURE``, where KEY is the beginning of the SHA-256 of the public key and SIGNATURE is
base64. Several keys may sign, so that one can be exchanged for another (RFC 8032; docs/operations.md, "Upgrade").
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from config import plain_file
from gateway.installation.errors import SignatureError
from gateway.machine.file_sum import sum_of_file

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
REVOKED = "revoked"
"""A file of a folder of keys: the ids of those that are not to be believed any more, one a line."""
KIND = "ed25519"
ID_DIGITS = 16
LARGEST_BYTES = 1_000_000
_SUM = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")

_ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")

Keys = Mapping[str, Ed25519PublicKey]


def key_id(key: Ed25519PublicKey) -> str:
    """Return what a key is called: the first digits of the SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:ID_DIGITS]


def trusted_keys(folders: Iterable[Path]) -> Keys:
    """Return the keys in some folders (``*.pem``), without those that any of them calls revoked.

    Raises:
        SignatureError: A file there is no Ed25519 public key, or a list of revoked ones cannot be understood.
    """
    found: dict[str, Ed25519PublicKey] = {}
    revoked: set[str] = set()
    for folder in folders:
        for path in sorted(folder.glob("*.pem")):
            key = _public_key(path)
            found[key_id(key)] = key
        if (listed := folder / REVOKED).exists():
            revoked |= _revoked(listed)
    return {name: key for name, key in found.items() if name not in revoked}


def verify(package: Path, beside: Path, keys: Keys) -> str:
    """See that a trusted key signed the sum of a package; return its id.

    Args:
        package: The file, by whose bytes it is judged.
        beside: The name under which it is listed, in the folder with the sums.
        keys: Who is trusted.

    Raises:
        SignatureError: It is not so; the message says what is wrong.
    """
    sums = _read(beside.parent / SUMS)
    signer = signer_of(sums, _read(beside.parent / SIGNATURE), keys, beside.parent / SIGNATURE)
    listed = [number for number, name in _SUM.findall(sums.decode("utf-8", "replace")) if name == beside.name]
    if len(listed) != 1:
        raise SignatureError(f"{beside.parent / SUMS} lists {beside.name} {len(listed)} times")
    if sum_of_file(package) != listed[0]:
        raise SignatureError(f"{beside} is not the package that was signed: its sum is another one")
    return signer


def sign(sums: bytes, private_key: Path) -> tuple[str, str]:
    """Return the id of a private key (PEM, no password), and the line that it adds to ``SHA256SUMS.sig``.

    Raises:
        SignatureError: The file is no such key.
    """
    try:
        key = load_pem_private_key(plain_file.read(private_key, LARGEST_BYTES), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SignatureError(f"{private_key} cannot be read as a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{private_key} is no Ed25519 key: 'openssl genpkey -algorithm ed25519' makes one")
    name = key_id(key.public_key())
    return name, f"{KIND} {name} {base64.b64encode(key.sign(sums)).decode()}\n"


def _revoked(path: Path) -> set[str]:
    """Return the ids in a list of revoked keys; one that a person wrote otherwise must not stay trusted in silence."""
    found = set()
    for line in _read(path).decode("utf-8-sig", "replace").splitlines():
        word = line.partition("#")[0].strip().casefold().removeprefix(KIND).strip()
        if word and not _ID.fullmatch(word):
            raise SignatureError(f"{path} has a line that is no id of a key, which are {ID_DIGITS} digits: {word!r}")
        found.add(word)
    return found


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(plain_file.read(path, LARGEST_BYTES))
    except (OSError, ValueError) as error:
        raise SignatureError(f"{path} cannot be read as a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(f"{path} is no Ed25519 public key")
    return key


def _read(path: Path) -> bytes:
    try:
        data = plain_file.read(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise SignatureError(f"it is not signed: there is no {path}") from None
    except OSError as error:
        raise SignatureError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_BYTES:
        raise SignatureError(f"{path} is too large to be what its name says")
    return data


def signer_of(sums: bytes, lines: bytes, keys: Keys, where: Path) -> str:
    """Return the id of the trusted key that signed a list of sums.

    Args:
        sums: The list.
        lines: What lies beside it, a line a signature.
        keys: Who is trusted.
        where: Its file, for whoever is told what is wrong.

    Raises:
        SignatureError: None did, or a signature does not fit.
    """
    named = []
    for line in lines.decode("utf-8", "replace").splitlines():
        kind, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        if kind != KIND:
            continue
        named.append(name)
        if name not in keys:
            continue
        try:
            keys[name].verify(base64.b64decode(text, validate=True), sums)
        except (InvalidSignature, binascii.Error):
            raise SignatureError(f"the signature of key {name} in {where} does not fit the list of sums") from None
        return name
    trusted = ", ".join(sorted(keys)) or "none"
    raise SignatureError(f"{where} is signed by {', '.join(named) or 'nobody'}, and trusted here are: {trusted}")
