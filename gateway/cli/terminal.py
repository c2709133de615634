"""The one console of the command line: it takes no markup from text, and shows characters that would do something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from gateway.machine.plain_text import visible


class Terminal(Console):
    r"""A console for text of others: ``[red]`` is five characters, an escape is ``\x1b``; looks are given as `Text`."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Yield what is to be written, and nothing in it that a terminal would obey but rich's own."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(visible, segment.text.split("\n"))), segment.style)
