"""``rehab-gateway broker-acl``: what a mosquitto of the site needs so that everybody can do their own, and no more."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from config.plain_file import may_replace
from config.section import IDENTIFIER
from config.settings import Settings
from gateway.broker.access_list import DASHBOARD, HISTORIAN, MADE, TLS_PORT, access_list, listener
from gateway.model.usage import UsageError

DEFAULT_FOLDER = Path("/etc/mosquitto/rehab")


def show(
    settings: Settings,
    more_gateways: Sequence[str],
    historians: Sequence[str],
    dashboards: Sequence[str],
    folder: Path | None,
    *,
    home_assistant: str = "",
) -> None:
    """Print listener and access list, or write them into a folder; raises UsageError."""
    for name in (*more_gateways, *historians, *dashboards, *([home_assistant] if home_assistant else [])):
        check_name(name)
    gateways = [settings.site.gateway, *more_gateways]
    ours = settings.historian.id or HISTORIAN
    try:
        access = access_list(
            settings.site.site, gateways, historians or [ours], dashboards or [DASHBOARD],
            home_assistant=home_assistant, discovery=settings.home_assistant.prefix,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(str(error)) from None
    # The default of the setting is the port without TLS, which a certificate does not belong on.
    port = settings.broker.port if settings.broker.ca_file else TLS_PORT
    if folder is None:
        sys.stdout.write(f"{listener(DEFAULT_FOLDER, port)}\n# {'-' * 20} {DEFAULT_FOLDER}/acl {'-' * 20}\n{access}")
        return
    files = {folder / "mosquitto.conf": listener(folder.resolve(), port), folder / "acl": access}
    for file in files:
        if not may_replace(file, MADE):
            raise UsageError(f"{file} is there, and 'broker-acl' did not write it: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        file.write_text(text, "utf-8")


def check_name(name: str) -> None:
    """Raise UsageError for what no gateway, historian or dashboard may be called."""
    if not re.fullmatch(IDENTIFIER, name):
        raise UsageError(f"'{name}' is not a name here: lower-case letters, digits and hyphens, at most 32")
