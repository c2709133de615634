"""A status that is larger than the broker's largest packet: cut into pages by the sender, put together by a reader.

Every page is a JSON object with a part of the status, and with its time, by which a reader knows what belongs together.
The topic ``status`` says with ``pages`` how many there are; without that word it is the whole status, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

Json = dict[str, Any]
Keys = tuple[str, ...]

CORE = ("v", "gateway", "state", "simulated", "time_us")
"""What stands on every page."""
MOST_PAGES = 1_000
"""A bound on what a wrong sender can make a reader hold; a ward of 70 beds in packets of 4 kB takes some 80."""
MOST_BYTES = 4 << 20
"""Of all pages together: three times what 256 beds take. Python holds up to 25 times as much for them."""


def cut(status: Json, budget: int) -> tuple[Json, list[Json]]:
    """Return what goes to the topic ``status``, and the pages; none where all of it fits into ``budget`` bytes.

    What does not fit anywhere is named in ``left_out``.
    """
    if _size(status) <= budget:
        return status, []
    core = {key: status[key] for key in CORE if key in status}
    room = budget - _size(core | {"page": MOST_PAGES, "pages": MOST_PAGES, "left_out": []})
    pages: list[Json] = []
    left_out: list[str] = []
    used = room
    for keys, value in _pieces(status, room):
        size = _size(value) + sum(len(key) + 6 for key in keys)
        full = used + size > room
        if size > room or (full and len(pages) == MOST_PAGES):
            left_out.append(".".join(keys))
            continue
        if full:
            pages.append({**core, "page": len(pages) + 1})
            used = 0
        used += size
        _put(pages[-1], keys, value)
    head = core | {"pages": len(pages), "left_out": sorted(set(left_out))}
    while _size(head) > budget and head["left_out"]:
        head["left_out"] = head["left_out"][:-1]
    return head, pages


class StatusPages:
    """Puts the status of one gateway together again."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._pages: dict[int, Json] = {}
        self._sizes: dict[int, int] = {}

    def add(self, page: str, message: Json, size: int) -> Json | None:
        """Take a message of the topic ``status`` (page empty) or of a page; return a status that is whole now.

        ``size`` are the bytes that it came in: a page that would have all of them be more than `MOST_BYTES` is left.
        """
        if not page:
            self._head = message
            if "pages" not in message:
                self._pages.clear()
                self._sizes.clear()
                return message
        elif (number := _number(page)) and sum((self._sizes | {number: size}).values()) <= MOST_BYTES:
            self._pages[number], self._sizes[number] = message, size
        return self._whole()

    def _whole(self) -> Json | None:
        n, time_us = self._head.get("pages"), self._head.get("time_us")
        if type(n) is not int or not 0 <= n <= MOST_PAGES or len(self._pages) < n:
            return None
        pages = [self._pages.get(number) for number in range(1, n + 1)]
        if any(page is None or page.get("time_us") != time_us for page in pages):
            return None
        whole = dict(self._head)
        for page in pages:
            for key, value in (page or {}).items():
                if key not in {*CORE, "page"}:
                    whole[key] = _joined(whole.get(key), value)
        return whole


def _number(page: str) -> int:
    """Return the number of a page; 0 where it is none. A level of a topic may have sixty thousand digits."""
    number = int(page) if page.isdecimal() and len(page) <= len(str(MOST_PAGES)) else 0
    return number if number <= MOST_PAGES else 0


def _pieces(status: Json, room: int) -> Iterator[tuple[Keys, Any]]:
    """Yield all parts but the core's, as large as fits."""
    for key, value in status.items():
        if key not in CORE:
            yield from _smaller((key,), value, room)


def _smaller(keys: Keys, value: Any, room: int) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, dict) and value and _size(value) > room // 2:
        for key, part in value.items():
            yield from _smaller((*keys, str(key)), part, room)
    elif isinstance(value, list) and len(value) > 1:
        for part in value:
            yield keys, [part]
    else:
        yield keys, value


def _put(page: Json, keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        page = page.setdefault(key, {})
    page[keys[-1]] = _joined(page.get(keys[-1]), value)


def _joined(held: Any, more: Any) -> Any:
    if isinstance(held, list) and isinstance(more, list):
        return held + more
    if isinstance(held, dict) and isinstance(more, dict):
        return held | {key: _joined(held.get(key), value) for key, value in more.items()}
    return more


def _size(value: Any) -> int:
    return len(orjson.dumps(value))
