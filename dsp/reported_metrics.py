"""The metrics that people say, and no sensor measures: how hard it was, how much it hurts, an answer in a form."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import SNOMED, Code, Metric

_reported = partial(
    Metric, unit="1", unit_text="", kind="reported", sides=("none",), group="reported", digits=0, low=0.0
)
_BORG: Final = (Code(SNOMED, "263487004"),)
"""The scale that goes from 6 to 20; the code does not tell it from CR10, and one code is one metric's."""

REPORTED: Final[tuple[Metric, ...]] = (
    _reported(
        "borg_cr10",
        "Exertion, Borg CR10",
        digits=1,
        high=10.0,
        description="How hard it was, as the patient says: 0 nothing at all to 10 extremely strong.",
    ),
    _reported(
        "borg_rpe",
        "Exertion, Borg 6 to 20",
        codes=_BORG,
        low=6.0,
        high=20.0,
        description="How hard it was, as the patient says: 6 no exertion at all to 20 maximal exertion.",
    ),
    _reported(
        "pain_nrs",
        "Pain, 0 to 10",
        high=10.0,
        description="Numeric rating scale, as the patient says: 0 no pain to 10 worst pain imaginable.",
    ),
    _reported(
        "form_answer",
        "Answer in a form",
        high=100_000.0,
        description="Number that an answer has in a form of the ward. Which form, which item and which version of it"
        " says the algorithm: form/<form>.<item>/<version>.",
    ),
)
