"""The hazard log: ``docs/assurance/hazards.toml`` read, and the page that is made of it.

The scales are those of the NHS's standard for makers of health IT (DCB0129): how bad, how likely, and a number from 1
to 5 for both together. Where they are from stands on the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.assurance.evidence import ROOT, is_proof

DATA = ROOT / "docs/assurance/hazards.toml"
PAGE = ROOT / "docs/assurance/hazards.md"

Severity = Literal["minor", "significant", "considerable", "major", "catastrophic"]
Likelihood = Literal["very low", "low", "medium", "high", "very high"]
Text = Annotated[str, Field(min_length=10)]

SEVERITIES: tuple[Severity, ...] = ("minor", "significant", "considerable", "major", "catastrophic")
RATINGS: dict[Likelihood, tuple[int, int, int, int, int]] = {
    "very high": (3, 4, 4, 5, 5),
    "high": (2, 3, 3, 4, 5),
    "medium": (2, 2, 3, 3, 4),
    "low": (1, 2, 2, 3, 4),
    "very low": (1, 1, 2, 2, 3),
}
"""The rating of each likelihood, for each severity from minor to catastrophic."""


class Strict(BaseModel):
    """A table in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Risk(Strict):
    """How bad and how likely."""

    severity: Severity
    likelihood: Likelihood

    @property
    def rating(self) -> int:
        """From 1 (acceptable) to 5 (not acceptable)."""
        return RATINGS[self.likelihood][SEVERITIES.index(self.severity)]


class Mitigation(Strict):
    """What is done about a hazard: proved by tests, or the deployer's, or not done and then what risk stays."""

    what: Text
    proved_by: tuple[str, ...] = ()
    deployer: Text | None = None
    not_done: Text | None = None

    @model_validator(mode="after")
    def one_of_three(self) -> Self:
        """Each is one of the three, and what proves it is something that can fail."""
        if [bool(self.proved_by), self.deployer is not None, self.not_done is not None].count(True) != 1:
            raise ValueError(f"{self.what!r} is either proved_by tests, or the deployer's, or not_done")
        if vague := [name for name in self.proved_by if not is_proof(name)]:
            raise ValueError(f"{vague} is no test, no row of the fault matrix and no target of the fuzzer")
        return self


class Hazard(Strict):
    """One way in which somebody may come to harm."""

    id: Annotated[str, Field(pattern=r"^H\d\d$")]
    title: Text
    hazard: Text
    causes: Annotated[tuple[Text, ...], Field(min_length=1)]
    effect: Text
    before: Risk
    after: Risk
    remains: Text
    mitigation: Annotated[tuple[Mitigation, ...], Field(min_length=1)]


class Log(Strict):
    """The whole log."""

    hazard: tuple[Hazard, ...]


def load() -> tuple[Hazard, ...]:
    """Return the hazards. Raises pydantic.ValidationError with what is wrong in which."""
    return Log.model_validate(tomllib.loads(DATA.read_text("utf-8"))).hazard


def not_done(hazards: tuple[Hazard, ...]) -> int:
    """Return how many mitigations are not done."""
    return sum(one.not_done is not None for hazard in hazards for one in hazard.mitigation)


_HEAD = """\
# Hazard log

How somebody may come to harm by this program, what is done about it, and what stays. The page is made by `make docs`
from [hazards.toml](hazards.toml), which is edited; a test fails when the two differ, when a test that is named here
does not exist, or when a mitigation neither has one nor says that it is not done.

**Nobody with the training that the standard asks for has looked at it.** Severity and likelihood are the developers'
estimates, before any use on a ward. A Clinical Safety Officer has to confirm or change each, with those who will use it
([safety case](safety-case.md#what-a-clinical-safety-officer-must-do)).

## Scales

Those of DCB0129, as NHS England shows them in its hazard log of UK Core (repository
NHSDigital/IOPS-FHIR-Simplifier-Backup, commit 458eb96, read for this page), in our words:

| severity | worst that is believable |
| --- | --- |
| minor | one person is upset, put out, or hurt a little and soon well again |
| significant | one person is hurt a little and not soon well again, or shaken; or several as under minor |
| considerable | one person is badly hurt and soon well again, or badly shaken; or several as under significant |
| major | one person dies or is never well again; or several as under considerable |
| catastrophic | several die or are never well again |

| likelihood | over the life of an installation |
| --- | --- |
| very high | as good as certain |
| high | to be expected more often than not |
| medium | possible |
| low | could be, but mostly will not |
| very low | next to impossible |

| rating | means |
| --- | --- |
| 5 | not acceptable |
| 4 | has to be taken away or brought down |
| 3 | not wanted: only where it cannot be brought down further within reason |
| 2 | acceptable where more would cost more than it brings |
| 1 | acceptable |
"""


def page(hazards: tuple[Hazard, ...]) -> str:
    """Return docs/assurance/hazards.md."""
    header = ("likelihood \\ severity", *SEVERITIES)
    matrix = table(header, [(likelihood, *map(str, row)) for likelihood, row in RATINGS.items()])
    return "\n".join([_HEAD, matrix, "\n## Summary\n", summary(hazards), *map(_section, hazards)]) + "\n"


def summary(hazards: tuple[Hazard, ...], where: str = "") -> str:
    """Return the table of all hazards, with links into the page at ``where``."""
    rows = [
        (
            f"[{one.id}]({where}#{one.id.lower()})",
            one.title,
            _risk(one.before),
            _risk(one.after),
            str(sum(bool(done.proved_by) for done in one.mitigation)),
            str(sum(done.deployer is not None for done in one.mitigation)),
            str(sum(done.not_done is not None for done in one.mitigation)),
        )
        for one in hazards
    ]
    return table(("hazard", "what", "before", "after", "tested", "deployer's", "not done"), rows)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _risk(risk: Risk) -> str:
    return f"{risk.severity}, {risk.likelihood}: **{risk.rating}**"


def _section(hazard: Hazard) -> str:
    lines = [
        f'\n## <a id="{hazard.id.lower()}"></a>{hazard.id} {hazard.title}\n',
        hazard.hazard,
        f"\n- Causes: {'; '.join(hazard.causes)}.",
        f"- Effect on a patient: {hazard.effect}",
        f"- Before: {_risk(hazard.before)}. After: {_risk(hazard.after)}.",
        f"- What remains: {hazard.remains}\n",
        table(("what is done", "proved by"), [(one.what, _proof(one)) for one in hazard.mitigation]),
    ]
    return "\n".join(lines)


def _proof(mitigation: Mitigation) -> str:
    if mitigation.not_done is not None:
        return f"**not done**: {mitigation.not_done}"
    if mitigation.deployer is not None:
        return f"**for the deploying organisation**: {mitigation.deployer}"
    return ", ".join(f"`{name}`" for name in mitigation.proved_by)
