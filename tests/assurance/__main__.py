"""Write the pages of docs/assurance that are made: ``python -m tests.assurance``."""

from __future__ import annotations

from tests.assurance import hazards, pages


def main() -> None:
    """Write the hazard log, and what is made on the other pages."""
    hazards.PAGE.write_text(hazards.page(hazards.load()), "utf-8")
    for path in sorted(pages.FOLDER.glob("*.md")):
        text = path.read_text("utf-8")
        path.write_text(pages.with_made_parts(text), "utf-8")


if __name__ == "__main__":
    main()
