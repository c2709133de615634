"""What an agent remembers over its end, and what it makes of a file that is none."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.fleet.agent_memory import FILE, AgentMemory, Memory


def test_what_was_kept_is_there_at_the_next_start_whatever_a_newer_version_keeps_besides(tmp_path: Path) -> None:
    AgentMemory(tmp_path).keep(counter=7, outcome="committed", why="it runs")
    kept = orjson.loads((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(orjson.dumps(kept | {"of_a_later_version": [1]}))
    assert AgentMemory(tmp_path).now == Memory(counter=7, outcome="committed", why="it runs")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"counter": "7"}', '{"roll_out": []}', '{"attempt": true}'])
def test_what_is_no_memory_is_said_at_the_start_and_not_when_a_plan_comes(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match="is not an agent's memory"):
        AgentMemory(tmp_path)
