"""A page of ours to a PDF, by the Chromium of the system: tagged, with an outline, and without any network."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WITHIN_S = 60.0
"""A bedside computer takes some five seconds to start it."""
GENTLY = 10
"""Of 19: devices and pages go first."""
OPTIONS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--no-pdf-header-footer",
    "--export-tagged-pdf", "--generate-pdf-document-outline", "--proxy-server=127.0.0.1:9",
)  # fmt: skip


class PdfError(Exception):
    """No PDF could be made; the text says what to do."""

    advice = "Open the report in a browser and print it from there."


def program() -> str | None:
    """Return the Chromium of the system; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def make_pdf(html: str) -> bytes:
    """Return a page as a PDF; blocks for seconds. Raises PdfError.

    The page and what the browser keeps lie in a folder that only this user reads, and that is gone afterwards.
    """
    found = program()
    if found is None:
        raise PdfError("there is no Chromium here: sudo apt install chromium")
    with tempfile.TemporaryDirectory(prefix="rehab-report-") as name:
        page, made = Path(name) / "report.html", Path(name) / "report.pdf"
        page.write_text(html, "utf-8")
        # As root, and where a service may make no namespaces, it has no sandbox of its own. The page has no script and
        # reaches nothing.
        for sandbox in ((), ("--no-sandbox",)) if os.geteuid() else (("--no-sandbox",),):
            _print([found, *OPTIONS, *sandbox, f"--print-to-pdf={made}", page.as_uri()], name)
            if made.is_file():
                return made.read_bytes()
    raise PdfError("Chromium made no PDF")


def _print(command: list[str], home: str) -> None:
    environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
    command = ["nice", "-n", str(GENTLY), *command, f"--user-data-dir={home}/browser"]
    try:
        ended = subprocess.run(  # noqa: S603 - our own arguments
            command, check=False, timeout=WITHIN_S, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise PdfError(f"Chromium made no PDF ({type(error).__name__})") from error
    if ended.returncode:
        log.info("Chromium ended with %d", ended.returncode)
