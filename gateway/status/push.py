"""Notices sent on to a pager or a phone, where the configuration names an address: bed and kind, no more.

What is sent: where, which kind, how soon, and whether it was raised or cleared. No text, no device, no pseudonym. One
thread, one request at a time; what is not taken is tried again a few times, then counted, and said in a notice.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from config.settings import Settings
from gateway.model.status import NoticeStatus, PushStatus
from gateway.status.notice_desk import is_quiet

log = logging.getLogger(__name__)

VERSION = 1
TRIES: Final = 5
FIRST_WAIT_S: Final = 1.0
"""Then twice as long each time: half a minute in all. A pager that is told later tells of something that is over."""
TIMEOUT_S: Final = 5.0
MOST_WAITING: Final = 200
"""More than a ward raises while a pager does not answer; then the oldest goes, and counts as failed."""
TAKEN: Final = range(200, 300)
LONGEST_ERROR: Final = 200
PRIORITIES: Final = ("low", "medium")


class Push:
    """Sends what is loud: raised, and neither acknowledged nor paused.

    Args:
        settings: With ``notices.webhook``.
        first_wait_s: Before the second try.
    """

    def __init__(self, settings: Settings, *, first_wait_s: float = FIRST_WAIT_S) -> None:
        assert settings.notices.webhook is not None
        self._url = urlsplit(settings.notices.webhook)
        self._from = {"site": settings.site.site, "gateway": settings.site.gateway}
        self._least = PRIORITIES.index(settings.notices.least_priority)
        self._first_wait_s = first_wait_s
        self._told: dict[str, NoticeStatus] = {}
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._sent = self._failed = 0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._thread.start()

    def look(self, active: Sequence[NoticeStatus]) -> None:
        """Take what stands now; returns at once."""
        for notice in active:
            if notice["id"] not in self._told and not is_quiet(notice) and self._matters(notice):
                self._told[notice["id"]] = notice
                self._put(notice, "raised")
        for name in self._told.keys() - {notice["id"] for notice in active}:
            self._put(self._told.pop(name), "cleared")

    def status(self) -> PushStatus:
        """Return what became of them."""
        with self._changed:
            return {"sent": self._sent, "failed": self._failed, "waiting": len(self._waiting), "error": self._error}

    def close(self) -> None:
        """Stop; what waits is not sent any more."""
        self._ends.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(2 * TIMEOUT_S)

    def _matters(self, notice: NoticeStatus) -> bool:
        return notice["code"] != "push-failing" and PRIORITIES.index(notice["priority"]) >= self._least

    def _put(self, notice: NoticeStatus, state: str) -> None:
        with self._changed:
            self._waiting.append(orjson.dumps(message(notice, state, self._from)))
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self._failed += 1
                self._error = "too many wait"
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._ends.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends.is_set())
                body = self._waiting.popleft() if self._waiting else b""
            if body and not self._ends.is_set():
                self._note(deliver(partial(self._post, body), self._ends.wait, self._first_wait_s))

    def _note(self, error: str) -> None:
        with self._changed:
            if error:
                log.warning("a notice was not sent on: %s", error)
                self._failed += 1
            else:
                self._sent += 1
            self._error = error

    def _post(self, body: bytes) -> str:
        """Send one; return why it was not taken, empty if it was. Follows no redirection: that is another address."""
        host, port = self._url.hostname or "", self._url.port
        link: http.client.HTTPConnection
        if self._url.scheme == "https":
            link = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        else:
            link = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            link.request("POST", path, body, {"Content-Type": "application/json"})
            answer = link.getresponse()
            answer.read(1024)
        except (OSError, http.client.HTTPException) as error:
            return (str(error) or type(error).__name__)[:LONGEST_ERROR]
        finally:
            link.close()
        return "" if answer.status in TAKEN else f"it answered {answer.status}"


def message(notice: NoticeStatus, state: str, sender: Mapping[str, str]) -> dict[str, Any]:
    """Return what is sent of a notice: ``notice`` tells two apart, and says nothing of what it is about."""
    name = f"{notice['id']} {notice['since_us']}"
    return {
        "v": VERSION, **sender, "bed": notice["slot"], "kind": notice["code"], "priority": notice["priority"],
        "state": state, "since_us": notice["since_us"], "simulated": notice["simulated"],
        "notice": sha256(name.encode()).hexdigest()[:16],
    }  # fmt: skip


def deliver(post: Callable[[], str], wait: Callable[[float], bool], first_wait_s: float) -> str:
    """Try a few times; return why the last one was in vain, empty if one was not. ``wait`` says whether to stop."""
    error = post()
    for n in range(TRIES - 1):
        if not error or wait(first_wait_s * 2**n):
            break
        error = post()
    return error
