"""What a running gateway has of the devices that are worn, for whoever pairs: their links, samples and batteries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from drivers.packet import Samples

Moved = Callable[[str, Sequence[str], Samples], None]
"""Told of samples: id of the device, channels, (n, channels)."""


class Worn(Protocol):
    """The devices that a gateway keeps connected because somebody wears them.

    Attributes:
        running: Whether there is a gateway that keeps them.
    """

    running: bool

    def kept(self, device: str) -> bool:
        """Whether it keeps this device connected, or tries to."""
        ...

    def connected(self) -> Mapping[str, str]:
        """Return the Bluetooth address of each that is connected at this moment, by id."""
        ...

    def battery(self, device: str) -> float | None:
        """Return the level of a device's battery that was told last in this run, percent."""
        ...

    async def blink(self, device: str) -> None:
        """Make a device show itself. Raises LinkError."""
        ...

    def watch(self, moved: Moved) -> AbstractContextManager[None]:
        """Have somebody told of all samples of these devices meanwhile."""
        ...


class NobodyWorn:
    """Where no gateway runs, nothing is connected."""

    running = False

    def kept(self, device: str) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return False

    def connected(self) -> Mapping[str, str]:
        """Return none."""
        return {}

    def battery(self, device: str) -> float | None:  # noqa: ARG002
        """Return that it is not known."""
        return None

    async def blink(self, device: str) -> None:
        """Never be asked: nothing is kept."""
        raise AssertionError(device)

    def watch(self, moved: Moved) -> AbstractContextManager[None]:  # noqa: ARG002
        """Tell nothing."""
        return nullcontext()
