"""Messages whose heads say what stands where in them: those of all devices that are laid out alike are read at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, Final, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from drivers.driver import BatchDecoder, Decoder
from drivers.framing import Form, Messages
from drivers.gathered import Gathered
from drivers.packet import Frames, Packets

DATA_CHANNEL: Final = "data"
CONFIGURATION_CHANNEL: Final = "configuration"
NONE_BEFORE: Final = -1
MOST_LAYOUTS: Final = 8  # that are known of messages of one size: a device sends few, and garbage makes any


class Layout(Protocol):
    """Where what stands in messages that are laid out alike.

    Attributes:
        at: Places of the bytes that say what stands where.
        heads: Those bytes.
    """

    @property
    def at(self) -> NDArray[np.int64]:
        """Places in a message."""
        ...

    @property
    def heads(self) -> NDArray[np.uint8]:
        """What is there."""
        ...


L = TypeVar("L", bound=Layout)


class MessageDecoder(BatchDecoder, Generic[L]):
    """Decodes the bytes of a port by messages, each of which is a sample of some streams.

    Attributes:
        form: How messages look.
        messages: Cuts its bytes.
        no_time: The fault that a sample is whose message tells no time.
        layouts: Those that were met, by size of the message: what a message is laid out like, it says itself.
    """

    form: ClassVar[Form]
    no_time: ClassVar[str]
    layouts: ClassVar[dict[int, list[Layout]]]

    def __init__(self) -> None:
        super().__init__()
        self.messages = Messages(self.form, self.faults)

    def __init_subclass__(cls) -> None:
        """Give each kind of device layouts of its own."""
        super().__init_subclass__()
        cls.layouts = {}

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode what the ports of several devices gave, all messages at once."""
        ours = cast("Sequence[MessageDecoder[L]]", decoders)
        messages, counts, arrival_ns = cls._cut(ours, frames)
        if not messages:
            return []
        owner = np.repeat(np.arange(len(ours)), counts)
        gathered = Gathered([each.faults for each in ours], owner, np.array(arrival_ns, np.int64))
        known = cast("dict[int, list[L]]", cls.layouts)
        for layout, rows, places in alike(messages, known, lambda at: ours[owner[at]].layout_of(messages[at])):
            cls.read(ours, layout, rows, places, gathered)
        cls.mark_missing(ours, gathered)
        return gathered.packets(cls.no_time)

    @classmethod
    def _cut(cls, decoders: Sequence[MessageDecoder[L]], frames: Frames) -> tuple[list[bytes], list[int], list[int]]:
        """Return the messages of the devices, how many each has, and the arrival of each."""
        messages: list[bytes] = []
        arrival_ns: list[int] = []
        counts: list[int] = []
        arrived = frames.arrival_ns.tolist()
        for decoder, (begin, end) in zip(decoders, pairwise(frames.start.tolist()), strict=True):
            first = len(messages)
            for at in range(begin, end):
                if frames.channels[at] == CONFIGURATION_CHANNEL:
                    decoder.configure(frames.data[at])
                elif frames.channels[at] == DATA_CHANNEL:
                    before = len(messages)
                    decoder.messages.cut(frames.data[at], messages)
                    arrival_ns += [arrived[at]] * (len(messages) - before)
            counts.append(len(messages) - first)
        return messages, counts, arrival_ns

    @abstractmethod
    def configure(self, data: bytes) -> None:
        """Take what the device told of what it sends."""

    @abstractmethod
    def layout_of(self, message: bytes) -> L | None:
        """Read the layout of a message; None, and counted where it is bad, if it holds no data."""

    @classmethod
    @abstractmethod
    def read(
        cls,
        decoders: Sequence[MessageDecoder[L]],
        layout: L,
        rows: NDArray[np.uint8],
        places: NDArray[np.int64],
        gathered: Gathered,
    ) -> None:
        """Take the samples of messages (n, size) that are laid out alike, and stand at these places among all."""

    @classmethod
    @abstractmethod
    def mark_missing(cls, decoders: Sequence[MessageDecoder[L]], gathered: Gathered) -> None:
        """Flag the messages before which some of the same device were lost."""


def alike(
    messages: Sequence[bytes], known: dict[int, list[L]], layout_of: Callable[[int], L | None]
) -> Iterator[tuple[L, NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield messages that are laid out alike: their layout, their bytes (n, size), and their places among all.

    Args:
        messages: Whole messages.
        known: Layouts that were met before, by size of the message; kept up to date.
        layout_of: Reads the layout of the message at a place; None where that makes no sense: it is left out.
    """
    sizes: dict[int, list[int]] = {}
    for place, message in enumerate(messages):
        sizes.setdefault(len(message), []).append(place)
    for size, own in sizes.items():
        places = np.array(own, np.int64)
        rows = np.frombuffer(b"".join([messages[place] for place in own]), np.uint8).reshape(-1, size)
        layouts = known.setdefault(size, [])
        for layout in tuple(layouts):
            same = (rows[:, layout.at] == layout.heads).all(axis=1)
            if same.all():
                yield layout, rows, places
                places = places[:0]
                break
            if same.any():
                yield layout, rows[same], places[same]
                rows, places = rows[~same], places[~same]
        while len(places):
            layout_here = layout_of(int(places[0]))
            if layout_here is None:
                rows, places = rows[1:], places[1:]
                continue
            layouts.insert(0, layout_here)
            del layouts[MOST_LAYOUTS:]
            same = (rows[:, layout_here.at] == layout_here.heads).all(axis=1)
            yield layout_here, rows[same], places[same]
            rows, places = rows[~same], places[~same]


def follow(owner: NDArray[np.int64], own: NDArray[np.int64], newest: list[int | None]) -> NDArray[np.int64]:
    """Return what each device told in the message before; in its first ever, ``NONE_BEFORE``.

    Args:
        owner: (n,) device of each message, ascending.
        own: (n,) what it tells: a counter, a time.
        newest: Of each device, what it told last; brought up to date.
    """
    before = np.empty_like(own)
    before[1:] = own[:-1]
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    lasts = np.append(firsts[1:], len(owner)) - 1
    for device, first, last in zip(owner[firsts].tolist(), firsts.tolist(), lasts.tolist(), strict=True):
        told = newest[device]
        before[first] = NONE_BEFORE if told is None else told
        newest[device] = int(own[last])
    return before
