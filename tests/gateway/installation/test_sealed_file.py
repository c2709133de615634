"""Sealed files: what is read is what was written, and nothing else opens, moves, cuts or changes one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.installation import sealed_file
from gateway.installation.sealed_file import (
    CHUNK_BYTES,
    TAG_BYTES,
    SealedError,
    SealedReader,
    SealedWriter,
    read_header,
)

KEY = "ppw9-4wy4-nhmu"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the key cost nothing; what it costs is a number in the file."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2)


def sealed(*pieces: bytes) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, KEY, {"gateway": "ward-7"})
    for piece in pieces:
        writer.write(piece)
    writer.seal()
    return file.getvalue()


def opened(data: bytes, key: str = KEY) -> bytes:
    return io.BufferedReader(SealedReader(io.BytesIO(data), key)).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_is_read_is_what_was_written(size: int) -> None:
    plain = bytes(range(256)) * (size // 256 + 1)
    assert opened(sealed(plain[: size // 2], plain[size // 2 : size])) == plain[:size]


def test_what_it_says_of_itself_needs_no_key() -> None:
    assert read_header(io.BytesIO(sealed(b"secret"))).about == {"gateway": "ward-7"}
    assert b"secret" not in sealed(b"secret")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealedError, match="not its key"):
        opened(sealed(b"x"), "another")


def test_a_file_that_is_cut_off_after_a_whole_chunk_is_refused() -> None:
    data = sealed(bytes(2 * CHUNK_BYTES + 5))
    with pytest.raises(SealedError, match="cut off"):
        opened(data[: -(5 + TAG_BYTES)])


def test_chunks_that_change_places_are_refused() -> None:
    data = sealed(bytes(2 * CHUNK_BYTES) + b"end")
    at = data.index(b"\n", len(sealed_file.MAGIC)) + 1
    size = CHUNK_BYTES + TAG_BYTES
    swapped = data[:at] + data[at + size : at + 2 * size] + data[at : at + size] + data[at + 2 * size :]
    with pytest.raises(SealedError):
        opened(swapped)


@given(st.integers(0, 400), st.integers(1, 255))
@settings(deadline=None, max_examples=200)
def test_no_byte_can_be_changed(at: int, by: int) -> None:
    data = bytearray(sealed(b"measurements" * 4))
    data[at % len(data)] ^= by
    with pytest.raises(SealedError):
        opened(bytes(data))


@given(st.binary(max_size=300))
def test_anything_else_is_no_backup(data: bytes) -> None:
    with pytest.raises(SealedError):
        opened(data)
    with pytest.raises(SealedError):
        opened(sealed_file.MAGIC + data)


def test_a_header_cannot_make_us_compute_for_hours() -> None:
    data = sealed(b"x").replace(b'"n":2,', b'"n":1073741824,')
    with pytest.raises(SealedError, match="another version"):
        opened(data)
