"""What a site edits of its fleet: at the desk, and on a gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from config.section import Section


class Fleet(Section):
    """Many gateways from one desk; see docs/fleet.md."""

    folder: Path | None = Field(
        None, description="At the desk: its keys and books; by default 'fleet' in the data folder."
    )
    member_folder: Path | None = Field(
        None,
        description="On a gateway: what 'fleet join' keeps, and what was fetched; by default 'fleet-member' in the data"
        " folder. 'fleet join --folder' sets it; an agent that is root needs one that root alone may change.",
    )
    reload_command: list[str] = Field(
        ["systemctl", "reload", "mosquitto"],
        min_length=1,
        description="At the desk: has mosquitto read its access list and revocations again.",
    )
    share: str | None = Field(
        None,
        description="On a gateway: folder or https:// address where bundles lie; without, or where one is not there,"
        " they come over MQTT.",
    )
    upgrade_command: list[str] = Field(
        ["rehab-gateway", "upgrade"],
        min_length=1,
        description="On a gateway: installs a bundle, whose file is put behind it; exit status and last line are told.",
    )
    restart_command: list[str] = Field(
        ["systemctl", "restart", "rehab-gateway@run"],
        min_length=1,
        description="On a gateway: has 'run' read a new configuration.",
    )
    well_within_s: float = Field(
        300.0, ge=1, le=3600, description="Seconds in which a gateway has to be well with a new configuration."
    )

    @field_validator("share")
    @classmethod
    def _is_no_clear_text(cls, value: str | None) -> str | None:
        if value is not None and "://" in value and not value.startswith("https://"):
            raise ValueError("has to be a folder, or begin with https://")
        return value
