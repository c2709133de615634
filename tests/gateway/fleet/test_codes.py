"""One-time codes: what they prove, and what they do not let through."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fleet.codes import ALPHABET, ProofError, key_of, make_code, opened, sealed


def test_a_code_is_read_as_people_write_it() -> None:
    code = make_code()
    assert len(code) == 11
    assert set(code) <= set(ALPHABET) | {"-"}
    assert key_of(f" {code.lower().replace('-', '  ')} ", "a") == key_of(code, "a") != key_of(code, "b")


def test_a_proof_is_for_one_direction_and_one_key() -> None:
    key = bytes(32)
    envelope = orjson.loads(sealed(key, "request", {"nonce": "1"}))
    assert opened(key, "request", envelope) == {"nonce": "1"}
    for other, direction in ((key, "answer"), (bytes(31) + b"\1", "request")):
        with pytest.raises(ProofError):
            opened(other, direction, envelope)  # type: ignore[arg-type] # a literal


@pytest.mark.parametrize("what", [None, 7, [], {}, b"[" * 1000 + b"]" * 1000])
@pytest.mark.parametrize("field", ["body", "proof"])
def test_what_is_no_text_is_no_proof(field: str, what: object) -> None:
    envelope = orjson.loads(sealed(bytes(32), "request", {}))
    envelope[field] = orjson.loads(what) if isinstance(what, bytes) else what
    with pytest.raises(ValueError, match="no body, or no proof"):
        opened(bytes(32), "request", envelope)


@given(body=st.text(max_size=40), proof=st.text(max_size=70))
def test_whatever_comes_is_refused(body: str, proof: str) -> None:
    with pytest.raises((ProofError, ValueError)):
        opened(bytes(32), "request", {"body": body, "proof": proof})
