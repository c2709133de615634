"""The desk's books: what belongs together is in them together, or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.fleet.register import Register


def test_nobody_is_admitted_whose_certificates_are_not_in_the_books(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.invite("a", b"key", "ward", 100.0)
    first = register.invitation("a")
    assert first is not None
    assert register.admit(first, "asked", b"answer", [(7, 200.0)], 1.0)
    assert register.revoke("a", "lost", 1.0)
    register.invite("a", b"other", "ward", 100.0)
    used = register.invitation("a")
    assert used is not None
    with pytest.raises(sqlite3.IntegrityError):  # the books cannot take the number 7 a second time
        register.admit(used, "asked", b"answer", [(8, 200.0), (7, 200.0)], 1.0)
    assert register.present() == []
    assert register.invitation("a") == used
    assert register.admit(used, "asked", b"answer", [(8, 200.0)], 1.0)
    assert register.revoked_numbers(1.0) == [7]
    assert register.revoke("a", "stolen", 2.0)
    assert register.revoked_numbers(2.0) == [7, 8]
    register.close()


def test_what_was_signed_for_one_that_was_thrown_out_meanwhile_is_not_given_out(tmp_path: Path) -> None:
    desk, command = Register(tmp_path), Register(tmp_path)  # two processes have the books open
    desk.invite("a", b"key", "ward", 100.0)
    used = desk.invitation("a")
    assert used is not None
    assert desk.admit(used, "asked", b"answer", [(7, 200.0)], 1.0)
    assert command.revoke("a", "stolen", 2.0)
    assert not desk.add_certificates("a", [(8, 200.0)])
    desk.invite("a", b"other", "ward", 100.0)
    used = desk.invitation("a")
    assert used is not None
    command.revoke("a", "the code was read by somebody", 3.0)
    assert not desk.admit(used, "asked", b"answer", [(9, 200.0)], 4.0)
    assert desk.present() == []
    assert desk.revoked_numbers(4.0) == [7]
    for register in (desk, command):
        register.close()
