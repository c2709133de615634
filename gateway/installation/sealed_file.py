"""A file that only its key opens, written and read in one go: authenticated chunks, each of which knows its place.

The format, whole, so that it can be read without us: ``MAGIC``; one line of JSON with what follows; then chunks of
``chunk`` bytes, each encrypted with ChaCha20-Poly1305 (RFC 8439) and 16 bytes longer for it. The key is scrypt
(RFC 7914) of the passphrase with ``salt``, ``n``, ``r`` and ``p``. The nonce of a chunk is the 7 bytes ``nonce``, the
chunk's number in 4 bytes (big-endian), and 1 for the last chunk, else 0: so none can be left out, moved or cut off
(Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015,
STREAM). What is authenticated with each is MAGIC and the line.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

OF_ALL = b"rehab-gateway backup "
MAGIC = OF_ALL + b"1\n"
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
LARGEST_HEADER = 65536
MOST_CHUNKS = 2**32
KEY_BYTES, SALT_BYTES, NONCE_BYTES = 32, 16, 7
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**16, 8, 2
"""64 MiB and some tenths of a second: OWASP's second choice for scrypt (Password Storage Cheat Sheet), which fits into
the memory of a small computer that measures meanwhile."""
MOST_N, MOST_R, MOST_P = 2**20, 8, 16
"""More than this, a file does not make us compute: its header is somebody's who need not know the key."""


class SealedError(Exception):
    """The file is no sealed file, was changed or cut off, or the key is not its key."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a sealed file says before its key is asked for."""

    salt: bytes
    nonce: bytes
    n: int
    r: int
    p: int
    chunk: int
    about: Mapping[str, object]
    line: bytes

    def key(self, passphrase: str) -> bytes:
        """Return the key of this file; takes some tenths of a second and 64 MiB."""
        made = Scrypt(salt=self.salt, length=KEY_BYTES, n=self.n, r=self.r, p=self.p)
        return made.derive(passphrase.encode("utf-8"))


class SealedWriter(io.RawIOBase):
    """Takes bytes and writes chunks; ``seal`` ends the file, and a file without its end is none.

    Args:
        file: Where to; stays open.
        passphrase: What the key is made of.
        about: What everybody may read of it.
    """

    def __init__(self, file: BinaryIO, passphrase: str, about: Mapping[str, object]) -> None:
        super().__init__()
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        line = orjson.dumps({
            "kdf": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": salt.hex(), "nonce": nonce.hex(),
            "cipher": "chacha20-poly1305", "chunk": CHUNK_BYTES, "about": about,
        })  # fmt: skip
        header = Header(salt, nonce, SCRYPT_N, SCRYPT_R, SCRYPT_P, CHUNK_BYTES, about, line)
        self._cipher = ChaCha20Poly1305(header.key(passphrase))
        self._nonce, self._known = nonce, MAGIC + line
        self.about = about
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(MAGIC + line + b"\n")

    def writable(self) -> bool:
        """Whether it may be written to."""
        return True

    def write(self, data: object) -> int:
        """Take bytes; whole chunks are written, but for one that may be the last."""
        view = memoryview(data)  # type: ignore[arg-type] # bytes of any kind
        self._waiting += view
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return view.nbytes

    def seal(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._nonce, self._number, last=last), data, self._known))
        self._number += 1


class SealedReader(io.RawIOBase):
    """Gives the bytes of a sealed file, each chunk after it was found to be what was written.

    Args:
        file: The file from its beginning; stays open.
        passphrase: What the key is made of.

    Raises:
        SealedError: It is none, or of another kind; while reading: wrong key, changed, or cut off.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        super().__init__()
        self.header = read_header(file)
        self._cipher = ChaCha20Poly1305(self.header.key(passphrase))
        self._file = file
        self._next = file.read(self.header.chunk + TAG_BYTES)
        self._left = memoryview(b"")
        self._number = 0

    def readable(self) -> bool:
        """Whether it may be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as the next bytes go; 0 at the end."""
        while not self._left:
            if not self._next and self._number:
                return 0
            self._left = memoryview(self._open_chunk())
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type] # writable bytes of any kind
        n = min(len(view), len(self._left))
        view[:n] = self._left[:n]
        self._left = self._left[n:]
        return n

    def _open_chunk(self) -> bytes:
        sealed, self._next = self._next, self._file.read(self.header.chunk + TAG_BYTES)
        nonce = _nonce(self.header.nonce, self._number, last=not self._next)
        self._number += 1
        try:
            return self._cipher.decrypt(nonce, sealed, MAGIC + self.header.line)
        except InvalidTag:
            what = (
                "the key is not its key, or the file was changed" if self._number == 1 else "it is damaged or cut off"
            )
            raise SealedError(f"the backup cannot be read: {what}") from None


def read_header(file: BinaryIO) -> Header:
    """Read what a sealed file says of itself, and leave the file after it; raises SealedError."""
    if (begins := file.read(len(MAGIC))) != MAGIC:
        if begins[: len(OF_ALL)] == OF_ALL:
            raise SealedError("a backup of another form: restore it with the version that made it, or a later one")
        raise SealedError("this is no backup of a rehab-gateway")
    line = file.readline(LARGEST_HEADER).removesuffix(b"\n")
    try:
        found = orjson.loads(line)
        header = Header(
            bytes.fromhex(found["salt"]), bytes.fromhex(found["nonce"]), int(found["n"]), int(found["r"]),
            int(found["p"]), int(found["chunk"]), dict(found["about"]), line,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise SealedError("the beginning of the backup cannot be read") from None
    sound = 1 < header.n <= MOST_N and header.n.bit_count() == 1 and 0 < header.r <= MOST_R and 0 < header.p <= MOST_P
    if not sound or not 0 < header.chunk <= 16 * CHUNK_BYTES or len(header.nonce) != NONCE_BYTES:
        raise SealedError("the backup was made by another version, or its beginning was changed")
    return header


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    if number >= MOST_CHUNKS:
        raise SealedError("a backup of more than 4 PB cannot be made")
    return prefix + number.to_bytes(4, "big") + bytes([last])
