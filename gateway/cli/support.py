"""``rehab-gateway support-bundle``: asks the gateway and the doctor, and says what was written."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

from config.settings import Settings
from gateway.cli.doctor.doctor import examine
from gateway.cli.status import Heard, Listener
from gateway.cli.terminal import Terminal
from gateway.installation.support_bundle import make_bundle
from gateway.machine.ownership import acting_as_owner_of
from gateway.model.usage import UsageError


def support_bundle(settings: Settings, configuration: Path, file: Path) -> None:
    """Write a bundle; raises UsageError, BundleError, OSError."""
    if file.exists():
        raise UsageError(f"{file} is there already: name another file")
    say = partial(Terminal().print, soft_wrap=True)
    say("asking the gateway and the doctor")
    with acting_as_owner_of(settings.site.data):
        heard = _heard(settings)
        doctor = [asdict(finding) for finding in examine(settings)]
    status = heard.status or {"problem": heard.problem or "the gateway says nothing"}
    made = make_bundle(settings, configuration, file, status=status, doctor=doctor, say=say)
    say(f"{made.path}: {made.texts} texts. It was searched for {made.words} words of this ward, and has none of them.")
    if made.too_short:
        say(
            f"{made.too_short} more are too short to be looked for (one letter, a number of two digits), and may be in"
            " it: if they name somebody, look for them yourself."
        )
    say("Look through it, and send it to whoever looks after the gateway.")


def _heard(settings: Settings) -> Heard:
    listener = Listener(settings)
    listener.start()
    try:
        return listener.wait()
    finally:
        listener.stop()
