"""The notebook of the docs runs from top to bottom, and what it prints is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs/arrays.ipynb"


def test_the_notebook_runs_and_its_figures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    drawn: list[str] = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.gcf().axes[0].get_title()))
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)  # noqa: S102 - our own notebook
    plt.close("all")
    assert len(drawn) == 4
    assert len(names["strides"]) >= 5
    assert abs(names["tug"]["total_s"] - names["truth"].duration_s) < 0.15
    assert names["sway"].n > 2000
    assert abs(names["climb"]["duration_s"] - names["stairs"].duration_s) < 0.15
    assert names["climb"]["steps"] == names["stairs"].facts["steps"]
    left, right = (np.median(names["arms"][side]["amplitude_deg"]) for side in ("left", "right"))
    true_left, true_right = names["someone"].arm_swing_deg
    assert left / right == pytest.approx(true_left / true_right, rel=0.15), "of wrists more than of shoulders, of both"


def test_it_is_committed_without_what_it_printed() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
