"""The code of docs/arrays.md runs as it stands, and names every function there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dsp import whole_recordings

PAGE = (Path(__file__).parent.parent / "docs/arrays.md").read_text("utf-8")


def test_the_code_of_the_page_runs_from_top_to_bottom() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/arrays.md", "exec"), names)  # noqa: S102 - our own page
    assert len(names["strides"]) >= 12
    assert abs(names["tug"]["total_s"] - names["test"].truth.of("tug")[0].duration_s) < 0.15
    assert names["sway"].path > 0


def test_the_page_names_every_function() -> None:
    table = PAGE.split("## What there is")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(whole_recordings.__all__)
