"""Unix sockets in folders whose paths are longer than the kernel takes at once.

An address of a Unix socket has room for 107 bytes (unix(7)). A longer one is named by way of its open folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107
"""Bytes of ``sun_path`` but for its end."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Give a name of a socket that the kernel takes; it holds until the end of the block.

    Raises:
        OSError: The folder cannot be opened.
    """
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
