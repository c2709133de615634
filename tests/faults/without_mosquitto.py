"""A machine without mosquitto: ``python -m tests.faults.without_mosquitto MODULE [ARGUMENTS]``.

The product looks for it where Debian puts it, too, so that no path can hide it.
"""

from __future__ import annotations

import runpy
import sys

from gateway.broker import embedded


def main() -> None:
    """Find no mosquitto, then become the module."""
    embedded.find_mosquitto = lambda: None
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
