"""Roll-outs in the desk's books, where a command and the desk write at the same time."""

from __future__ import annotations

from pathlib import Path

from gateway.fleet.plan import Ring, describe
from gateway.fleet.register import Register
from gateway.fleet.roll_outs import RollOuts


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
