"""Roll-outs in the desk's books, where a command and the desk write at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.fleet.plan import Ring, describe
from gateway.fleet.register import Register
from gateway.fleet.roll_outs import BusyError, RollOuts


def test_what_was_aborted_while_the_desk_looked_stays_aborted(tmp_path: Path) -> None:
    bundle = tmp_path / "x.bundle"
    bundle.write_bytes(b"x")
    register = Register(tmp_path)
    books = RollOuts(register)
    rings = (Ring("first", ("a",)), Ring("all", ("b",)))
    number = books.begin(bundle, describe(bundle, "upgrade", "1"), rings, soak_s=1, within_s=1, now_s=0)
    books.abort()
    books.note(number, state="open", why="ring 'all' is open", opened=2)  # the desk had looked before
    found = books.newest()
    assert found is not None
    assert (found.state, found.open) == ("aborted", 1)
    books.resume()
    books.note(number, state="open", why="ring 'all' is open", opened=2)
    found = books.newest()
    assert found is not None
    assert (found.state, found.open) == ("open", 2)
    register.close()


def test_what_is_done_is_not_aborted_and_what_has_no_file_does_not_go_on(tmp_path: Path) -> None:
    bundle = tmp_path / "x.bundle"
    bundle.write_bytes(b"x")
    register = Register(tmp_path)
    books = RollOuts(register)
    number = books.begin(
        bundle, describe(bundle, "upgrade", "1"), (Ring("all", ("a",)),), soak_s=1, within_s=1, now_s=0
    )
    books.note(number, state="stopped", why="a: no room")
    bundle.unlink()
    with pytest.raises(BusyError, match="is not there any more"):
        books.resume()
    bundle.write_bytes(b"x")
    books.resume()
    books.note(number, state="done", why="every gateway has it and is well")
    with pytest.raises(BusyError, match="no roll-out under way"):
        books.abort()
    register.close()
