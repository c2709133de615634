"""A serial port that is not there: one end of a pseudo-terminal, the other under a stable name.

Works as a Bluetooth serial link does: when the program at the other end closes the port, the device notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

READ_BYTES = 4096
MOST_WAITING = 4096  # bytes for a reader that does not keep up: a second or two of a sensor; beyond it, whole writes go
DRAIN_S = 2.0  # a program that has not read for so long is not going to
OTHER_RATE = bytes((7 * byte + 0x80) & 0xFF for byte in range(256))  # what becomes of a byte: no more wrong than right
LOOK_S = 0.05  # how often to look whether somebody has opened the port: polling is all that a pty offers


class SerialPort:
    """The device's end of a serial port.

    Args:
        path: Stable name; a symbolic link to the pseudo-terminal.
        received: Called with what was received.
        hung_up: Called when the program at the other end has closed the port.
        rate: Baud rate at which the device sends and listens: at another, either end gets other bytes than were sent.
            By default it gets on at any, as over USB.

    Attributes:
        path: Stable name.
        rate: As given; a device may be set to another.
        opened: Whether a program has the port open.
        dropped: Writes that went nowhere because the reader did not keep up.
    """

    def __init__(
        self,
        path: Path,
        *,
        received: Callable[[bytes], None],
        hung_up: Callable[[], None],
        rate: int | None = None,
    ) -> None:
        self.path = path
        self.rate = rate
        self.opened = False
        self.dropped = 0
        self._received = received
        self._hung_up = hung_up
        self._master = -1
        self._name = ""
        self._waiting = bytearray()
        self._looking: asyncio.TimerHandle | None = None

    def plug_in(self) -> None:
        """Make the port appear. Raises OSError."""
        if self._master >= 0:
            return
        self._master, slave = os.openpty()
        self._name = os.ttyname(slave)
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        _link(self.path, self._name)
        os.close(slave)  # so that this end notices when the last program closes it
        self._look()

    def unplug(self) -> None:
        """Make the port vanish; a program that has it open sees an end of file or an error."""
        if self._master < 0:
            return
        self._close_reader()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self.path.unlink(missing_ok=True)
        os.close(self._master)
        self._master = -1

    def write(self, data: bytes) -> bool:
        """Send all of ``data``, later if need be; False if nobody is there or nobody reads."""
        if not self.opened:
            return False
        if len(self._waiting) + len(data) > MOST_WAITING:
            self.dropped += 1
            return False
        idle = not self._waiting
        self._waiting += self._heard(data)
        if idle:
            self._flush()
            if self._waiting:
                asyncio.get_running_loop().add_writer(self._master, self._flush)
        return True

    async def drained(self) -> None:
        """Wait until the program has read everything, or is gone, or does not read for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self.opened and (self._waiting or _unread(self._name)):  # noqa: ASYNC110 - a pty tells nobody when it is read
                    await asyncio.sleep(LOOK_S)

    def _flush(self) -> None:
        try:
            del self._waiting[: os.write(self._master, self._waiting)]
        except BlockingIOError:
            return
        except OSError:
            self._waiting.clear()
        if not self._waiting:
            asyncio.get_running_loop().remove_writer(self._master)

    def _look(self) -> None:
        """Wait for a program to open the port: the master says "hung up" until then."""
        self._looking = None
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)
            return
        self.opened = True
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._close_reader()
            with _other_end(self._name) as other:  # the next reader must not get the rest of this talk
                termios.tcflush(other, termios.TCIOFLUSH)
            self._hung_up()
            self._look()
            return
        self._received(self._heard(data))

    def _heard(self, data: bytes) -> bytes:
        """Return bytes as the other end gets them; at a wrong rate none comes through."""
        if self.rate is None or termios.tcgetattr(self._master)[5] == getattr(termios, f"B{self.rate}"):
            return data
        return data.translate(OTHER_RATE)

    def _close_reader(self) -> None:
        self.opened = False
        self._waiting.clear()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)


@contextlib.contextmanager
def _other_end(name: str) -> Iterator[int]:
    """Open the program's end for a moment."""
    fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
    try:
        yield fd
    finally:
        os.close(fd)


def _unread(name: str) -> int:
    """Return how many bytes wait for the program, as the kernel counts them."""
    with _other_end(name) as fd:
        (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(count)


def _link(path: Path, target: str) -> None:
    """Point ``path`` at ``target``, in one step: the name always leads somewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)
