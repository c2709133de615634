"""The desk's books: what belongs together is in them together, or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.fleet.register import Register


def test_nobody_is_admitted_whose_certificates_are_not_in_the_books(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.invite("a", b"key", "ward", 100.0)
    register.add_certificates("a", [(7, 200.0)])
    used = register.invitation("a")
    assert used is not None
    with pytest.raises(sqlite3.IntegrityError):  # the books cannot take the number 7 a second time
        register.admit(used, "asked", b"answer", [(8, 200.0), (7, 200.0)], 1.0)
    assert register.present() == []
    assert register.invitation("a") == used
    assert register.revoked_numbers(1.0) == []
    register.admit(used, "asked", b"answer", [(8, 200.0)], 1.0)
    assert register.revoked_numbers(1.0) == [7]
    assert register.revoke("a", "stolen", 2.0)
    assert register.revoked_numbers(2.0) == [7, 8]
    register.close()
