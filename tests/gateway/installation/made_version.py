"""A version that was made for a test: this checkout's program, with a fault or with another form of files.

    python -m tests.gateway.installation.made_version FAULT LOAD COMMAND...

FAULT is ``none``, or ``refuses`` (its ``check`` fails), ``crashes`` (``run`` ends at once), ``mute`` (``run`` measures
and sends to nobody), ``spoilt`` (no command works), or ``history-5`` (it has a newer form of the history). LOAD is a
folder: ``run`` is then a generator of numbered measurements with its journal there; ``-`` runs the real one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

RATE = "200"


def main() -> None:
    """Be that version."""
    fault, load, *words = sys.argv[1:]
    if fault == "spoilt" or (fault == "refuses" and words[0] == "check"):
        sys.exit("rehab-gateway: this version has a mistake in it")
    if fault == "crashes" and words[0] == "run":
        sys.exit(1)
    if fault == "history-5":
        have_a_newer_history()
    if words[0] == "run" and (load != "-" or fault == "mute"):
        generate(Path(words[1]), Path(load), mute=fault == "mute")
    sys.argv = ["rehab-gateway", *words]
    from gateway.__main__ import main as run

    run()


def generate(config: Path, load: Path, *, mute: bool) -> None:
    """Become the generator; each start makes content of its own."""
    with (load / "runs").open("ab") as runs:
        runs.write(b".")
        number = runs.tell()
    if mute:  # a port where nobody listens
        text = config.read_text()
        config = load / "mute.toml"
        config.write_text("\n".join("port = 1" if line.startswith("port = ") else line for line in text.splitlines()))
    module = ["-m", "tests.faults.load", str(config), str(load / "journal"), str(number)]
    words = [sys.executable, *module, "--rate", RATE, "--resend-after", "5", "--status"]
    os.execv(sys.executable, words)  # noqa: S606 - it becomes the generator, whom the supervisor then ends


def have_a_newer_history() -> None:
    """Have what the next release might: a form 5 of the history, and the form before it as long as it has to."""
    from gateway.history import migration, schema

    for module in (schema, migration):
        vars(module).update(WRITABLE=frozenset({4, 5}), SCHEMA_VERSION=5)
    migration.CHANGES = {4: "CREATE TABLE of_version_5 (id INTEGER PRIMARY KEY)"}


if __name__ == "__main__":
    main()
