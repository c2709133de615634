"""The command line's group of commands: its own, and those that other packages bring (entry points).

A brought command is imported when it is called, not when it is listed: ``--help`` stays quick, and the gateway's
package names no package above it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GROUP = "rehab_gateway.commands"


class CommandGroup(TyperGroup):
    """Adds the commands of the entry point group to those that are declared."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._brought = {point.name: point for point in _brought()}
        for name, point in self._brought.items():
            if name not in self.commands:
                self.add_command(TyperCommand(name=name, callback=_nothing, help=summary(point)))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import a brought command that is about to be called, or asked for its help."""
        point = self._brought.get(args[0])
        if point is not None and getattr(self.commands[point.name], "callback", None) is _nothing:
            self.add_command(_command(point.load()), point.name)
        return super().resolve_command(ctx, args)


def summary(point: EntryPoint) -> str:
    """Return the first line of the docstring of a command's module, without importing the module."""
    try:
        spec = find_spec(point.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        return "Not installed completely: install the package again."
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8"))) or ""
    sentence = re.sub(r"^``[^`]*``: ", "", docstring.partition("\n")[0])
    return sentence[:1].upper() + sentence[1:]


def _brought() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _command(brought: Any) -> Any:
    """Return a Typer application as a command of ours: shell completion is the whole program's affair, not its."""
    command = get_command(brought) if isinstance(brought, typer.Typer) else brought
    command.params = [param for param in command.params if param.name not in {"install_completion", "show_completion"}]
    return command


def _nothing() -> None:
    """Stand in for a command that has not been imported."""
