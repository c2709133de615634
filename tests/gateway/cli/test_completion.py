"""Completion of the command line in the shells: what follows a word, and the script that a shell reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("rehab-gateway"))
WARD = {"show", "admit", "discharge", "move", "plan", "assign", "take-off", "import"}
SHELLS = ("bash", "zsh", "fish")


def completed(shell: str, *words: str) -> str:
    """Return what the program tells a shell that asks what may follow these words."""
    line = " ".join([*words, ""])
    asked = {
        "_REHAB_GATEWAY_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }  # fmt: skip
    done = subprocess.run(
        [PROGRAM], check=False, env={**os.environ, **asked}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_commands_of_the_ward_are_listed(shell: str) -> None:
    output = completed(shell, "rehab-gateway", "ward")
    assert all(command in output for command in WARD), output
    assert "historian" not in output


@pytest.mark.parametrize(("words", "expected"), [((), "replay"), (("session",), "pause"), (("simulate",), "ward")])
def test_each_level_lists_its_own_also_where_another_package_brings_it(words: tuple[str, ...], expected: str) -> None:
    assert expected in completed("bash", "rehab-gateway", *words).split()


def test_bash_completes_by_the_script_that_the_program_prints(tmp_path: Path) -> None:
    """What a person gets: the script of --show-completion, read by a real bash, and a word begun."""
    bash = shutil.which("bash")
    assert bash
    script = tmp_path / "completion.sh"
    asked = {**os.environ, "_REHAB_GATEWAY_COMPLETE": "source_bash"}
    script.write_bytes(subprocess.run([PROGRAM], env=asked, capture_output=True, check=True, timeout=60).stdout)
    press_tab = (
        f'. "{script}"; COMP_WORDS=(rehab-gateway ward di); COMP_CWORD=2; '
        f'_rehab_gateway_completion "{PROGRAM}"; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run([bash, "-c", press_tab], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["discharge"]


def test_help_tells_how_to_install_it() -> None:
    done = subprocess.run([PROGRAM, "--help"], check=False, capture_output=True, text=True, timeout=60)
    assert "--install-completion" in done.stdout
