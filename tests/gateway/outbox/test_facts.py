from __future__ import annotations

from pathlib import Path

from gateway.outbox.outbox import Outbox


def test_a_fact_is_there_at_once_and_after_the_next_start(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    assert box.facts.get("history a") == ""
    box.facts.keep("history a", "first")
    box.facts.keep("history a", "second")
    assert box.facts.get("history a") == "second"
    box.close()
    again = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    assert again.facts.get("history a") == "second"
    again.close()


def test_facts_are_found_by_how_their_names_begin_on_disk_or_not(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    box.facts.keep("earlier b", "2")
    box.close()
    again = Outbox(tmp_path / "outbox.db", commit_s=60.0)
    again.facts.keep("earlier a", "1")
    again.facts.keep("lost a", "3")
    assert again.facts.keys("earlier ") == ["earlier a", "earlier b"]
    again.close()
