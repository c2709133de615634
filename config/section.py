"""What every table of the configuration file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

IDENTIFIER = r"[a-z0-9][a-z0-9-]{0,31}"
Identifier = Annotated[str, StringConstraints(pattern=f"^{IDENTIFIER}$")]
"""Ids appear in topics, file names and logs: lower-case letters, digits and hyphens, never a person's name."""


class Section(BaseModel):
    """A table of the configuration file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
