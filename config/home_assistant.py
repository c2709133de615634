"""What a home says of its Home Assistant."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from config.section import Section


class HomeAssistant(Section):
    """A bed at home, shown by Home Assistant: discovery messages and values over the same broker."""

    enabled: bool = Field(
        default=False,
        description="Announce beds, their devices and the gateway to Home Assistant. For a home, of four beds at most:"
        " whoever uses it sees the values, and keeps them, by bed.",
    )
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")] = Field(
        "homeassistant", description="What its discovery topics begin with, as it is set there."
    )
