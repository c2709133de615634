"""The system's Chromium, as the tests start it through Playwright."""

from __future__ import annotations

import ctypes
import shutil

from playwright import async_api, sync_api

from tests.servers import missing

WITHIN_MS = 30_000  # for every test: what is set last holds for all of a run

QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip

for playwright in (async_api, sync_api):
    playwright.expect.set_options(timeout=WITHIN_MS)


def chromium() -> str:
    """Return the program; skip the test where something is not installed, fail it in CI."""
    try:
        ctypes.CDLL("libatomic.so.1")  # the Node.js that Playwright brings does not start without it
    except OSError:
        missing("libatomic1")
    program = shutil.which("chromium")
    if program is None:
        missing("chromium")
    assert program
    return program
