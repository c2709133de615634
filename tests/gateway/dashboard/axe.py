"""axe-core, the accessibility checker: from npm, checked, in a folder that git ignores. Run this to fetch it."""

from __future__ import annotations

from pathlib import Path

import hatch_build

PACKAGE = "axe-core@4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
FOLDER = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core"
SCRIPT = FOLDER / "axe.min.js"


def available() -> bool:
    """Fetch the checker unless it is there; return whether it is there now."""
    if not SCRIPT.is_file():
        try:
            hatch_build.fetch_package(PACKAGE, INTEGRITY, {"axe.min.js": "package/axe.min.js"}, FOLDER)
        except hatch_build.FetchError as error:
            print(error)  # noqa: T201 - pytest shows it beside the reason of the skip
    return SCRIPT.is_file()


if __name__ == "__main__":
    raise SystemExit(0 if available() else 1)
