"""``rehab-gateway`` and ``python -m gateway``: the command line, which a Ctrl-C ends without a word from the start."""

from __future__ import annotations

INTERRUPTED = 130  # exit status: as shells say it


def main() -> None:
    """Load the command line and run it."""
    try:
        from gateway.machine.garbage import look_seldom

        look_seldom()  # all that is loaded now stays: a tenth of the start was spent on looking at it again and again
        from gateway.cli.main import main as run

        run()
    except KeyboardInterrupt:  # loading takes a moment, too
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
