"""Every target on its seeds, on what was a defect once, and on inputs that are nearly good or not good at all."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.everything import targets
from tests.fuzz.target import Target

SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def known() -> dict[str, Target]:
    return targets()


@pytest.mark.parametrize("name", sorted(known()))
def test_every_seed_is_read_or_refused_in_words(name: str) -> None:
    for seed in known()[name].seeds:
        known()[name].run(seed)


@pytest.mark.parametrize("name", sorted(known()))
@SOME
@given(data=st.data())
def test_what_is_nearly_good_or_junk_never_raises(name: str, data: st.DataObject) -> None:
    target = known()[name]
    target.run(data.draw(target.inputs | st.binary(max_size=200)))
