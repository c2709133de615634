"""What the write-ahead log of an outbox held, whatever SQLite makes of it.

SQLite takes a log up to the first bad page, and forgets the rest without a word. Numbers that were given in what it
forgets may have been seen by others, so somebody has to know that there were some.
"""

from __future__ import annotations

import struct
from pathlib import Path

WAL_HEADER, WAL_FRAME_HEADER = 32, 24
PAGE = 4096
PAGE_SIZES = frozenset(1 << n for n in range(9, 17))


def last_commit_in_log(path: Path) -> int:
    """Return the number (1, 2, 3 …) of the last frame of the write-ahead log that ends a transaction, valid or not.

    Format: sqlite.org/fileformat2.html, section 4.1. Frames of an earlier round of the log have another salt than its
    header: they are in the database already. Only where the header itself is damaged the first frame speaks for it.
    """
    log = path.with_name(path.name + "-wal")
    data = log.read_bytes() if log.exists() else b""
    page = int.from_bytes(data[8:12], "big")
    if page not in PAGE_SIZES:
        page = PAGE
    salt = data[16:24] if _header_is_whole(data) else data[WAL_HEADER + 8 : WAL_HEADER + 16]
    starts = range(WAL_HEADER, len(data) - WAL_FRAME_HEADER + 1, WAL_FRAME_HEADER + page)
    ends = (n for n, at in enumerate(starts, 1) if data[at + 8 : at + 16] == salt and any(data[at + 4 : at + 8]))
    return max(ends, default=0)


def _header_is_whole(data: bytes) -> bool:
    """Check the sum of the first 24 bytes of a log (section 4.2)."""
    if len(data) < WAL_HEADER:
        return False
    order = ">" if data[3] & 1 else "<"
    sums = [0, 0]
    for one, other in struct.iter_unpack(f"{order}II", data[:24]):
        sums[0] = (sums[0] + one + sums[1]) & 0xFFFFFFFF
        sums[1] = (sums[1] + other + sums[0]) & 0xFFFFFFFF
    return struct.pack(">II", *sums) == data[24:WAL_HEADER]
