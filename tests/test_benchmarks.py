"""What a benchmark takes hold of by name is there: nobody would notice before it is run."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import benchmarks
from benchmarks.ward import pipeline_parts

PEERS = {"__main__", "peer_gaitmap", "peer_mobgap", "orientation_peer"}
"""They run in an environment of their own, or at once."""


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, name, _ in pipeline_parts()])
def test_what_the_ward_is_timed_by_is_the_class_s_own(owner: type, name: str) -> None:
    assert name in vars(owner)


@pytest.mark.parametrize(
    "module", [name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__) if name not in PEERS]
)
def test_every_benchmark_is_imported(module: str) -> None:
    importlib.import_module(f"benchmarks.{module}")
