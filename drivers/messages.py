"""Messages whose heads say what stands where in them: those of all devices that are laid out alike are read at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import ClassVar, Final, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from drivers.driver import BatchDecoder, Decoder
from drivers.framing import Form, Found, Messages
from drivers.gathered import Gathered
from drivers.packet import Frames, Packets

DATA_CHANNEL: Final = "data"
CONFIGURATION_CHANNEL: Final = "configuration"
NONE: Final = Found([], [])
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
Sized = tuple[NDArray[np.int64], NDArray[np.uint8]]  # places among all messages, and bytes (n, size)


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
        found, sized = cls._cut(ours, frames)
        if not sized:
            return []
        owner, arrival_ns = _owners(found), list(chain.from_iterable([own.arrival_ns for own in found]))
        gathered = Gathered([each.faults for each in ours], owner, np.array(arrival_ns, np.int64))
        known = cast("dict[int, list[L]]", cls.layouts)
        for places, rows in sized:
            own = alike(places, rows, known, lambda place, message: ours[owner[place]].layout_of(message))
            for layout, here, at in own:
                cls.read(ours, layout, here, at, gathered)
        cls.mark_missing(ours, gathered)
        return gathered.packets(cls.no_time)

    @classmethod
    def _cut(cls, decoders: Sequence[MessageDecoder[L]], frames: Frames) -> tuple[list[Found], list[Sized]]:
        """Return the messages of each device, and all of them by size.

        Most devices bring nothing but messages, whose check sums are looked at together; only those of which that does
        not hold are cut message by message.
        """
        pieces = [decoder.data_of(own) for decoder, own in zip(decoders, frames.pieces(), strict=True)]
        rests = [decoder.messages.rest for decoder in decoders]
        tried = [each.messages.cut(own, trusting=True) for each, own in zip(decoders, pieces, strict=True)]
        found = [own or NONE for own in tried]
        sized, owner = by_size(found), _owners(found)
        spoilt = {at for at, own in enumerate(tried) if own is None}
        for places, rows in sized:
            whole = cls.form.whole_rows(rows)
            if not whole.all():
                spoilt.update(owner[places[~whole]].tolist())
        if spoilt:
            for at in spoilt:
                decoders[at].messages.rest = rests[at]
                found[at] = decoders[at].messages.cut(pieces[at]) or NONE
            sized = by_size(found)
        return found, sized

    def data_of(self, frames: Iterable[tuple[int, str, bytes]]) -> list[tuple[int, bytes]]:
        """Return what the port gave; what was announced is taken."""
        data = []
        for arrival_ns, channel, piece in frames:
            if channel == DATA_CHANNEL:
                data.append((arrival_ns, piece))
            elif channel == CONFIGURATION_CHANNEL:
                self.configure(piece)
        return data

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


def by_size(found: Sequence[Found]) -> list[Sized]:
    """Return the messages of several devices by size: their places among all, and their bytes (n, size)."""
    messages = list(chain.from_iterable([own.messages for own in found]))
    sizes = np.array(list(map(len, messages)), np.int64)
    sized = []
    for size in np.unique(sizes).tolist():
        places = np.flatnonzero(sizes == size)
        own = b"".join([messages[place] for place in places.tolist()])
        sized.append((places, np.frombuffer(own, np.uint8).reshape(-1, size)))
    return sized


def _owners(found: Sequence[Found]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(found)), [len(own.messages) for own in found])


def alike(
    places: NDArray[np.int64],
    rows: NDArray[np.uint8],
    known: dict[int, list[L]],
    layout_of: Callable[[int, bytes], L | None],
) -> Iterator[tuple[L, NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield messages of one size that are laid out alike: their layout, their bytes (n, size), and their places.

    Args:
        places: Of the messages, among all.
        rows: The messages, (n, size).
        known: Layouts that were met before, by size of the message; kept up to date.
        layout_of: Reads the layout of the message at a place; None where that makes no sense: it is left out.
    """
    layouts = known.setdefault(rows.shape[1], [])
    untried = list(layouts)
    while len(places):
        if untried:
            layout: L | None = untried.pop(0)
        else:
            layout = layout_of(int(places[0]), rows[0].tobytes())
            if layout is None:
                rows, places = rows[1:], places[1:]
                continue
            layouts.insert(0, layout)
            del layouts[MOST_LAYOUTS:]
        assert layout is not None
        same = (rows.take(layout.at, 1) == layout.heads).all(axis=1)
        if same.all():
            yield layout, rows, places
            return
        if same.any():
            yield layout, rows[same], places[same]
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
