"""A page of ours to a PDF, by the Chromium of the system: tagged, with an outline, and without any network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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
        folder = Path(name)
        page, made = folder / "report.html", folder / "report.pdf"
        page.write_text(html, "utf-8")
        # As root it refuses its own sandbox; the page has no script, and reaches nothing.
        alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
        command = [
            found,
            *OPTIONS,
            *alone,
            f"--user-data-dir={folder / 'browser'}",
            f"--print-to-pdf={made}",
            page.as_uri(),
        ]
        environment = {**os.environ, "HOME": name, "XDG_CONFIG_HOME": name, "XDG_CACHE_HOME": name}
        try:
            subprocess.run(  # noqa: S603 - our own arguments
                ["nice", "-n", str(GENTLY), *command], check=True, timeout=WITHIN_S, env=environment,  # noqa: S607
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            return made.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise PdfError(f"Chromium made no PDF ({type(error).__name__})") from error
