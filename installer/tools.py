"""The part of the developers' lock that making a package needs: ``python -m installer.tools > tools.lock``.

For a machine on which all of that lock would take long, as an emulated one (`tests/bare/arm64`). The program that makes
packages is asked what it is: whatever it loads, and what that asks for.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from installer.contents import OURS, ROOT, locked_lines

LOCK = ROOT / "requirements" / "dev.lock"
MAKER = "hatchling"
"""Makes the wheel, in a process of its own."""
LOADED = "import sys, installer.build; print(*{name.partition('.')[0] for name in sys.modules})"


def loaded() -> set[str]:
    """Return the packages that the program loads that makes packages."""
    asked = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, check=True, text=True, capture_output=True)
    known = packages_distributions()
    named: set[str] = {canonicalize_name(name) for module in asked.stdout.split() for name in known.get(module, ())}
    return named - {OURS}


def with_needs(names: Iterable[str]) -> set[str]:
    """Return packages and whatever they ask for on any machine, as far as it is installed here."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            asked = requires(name) or []
        except PackageNotFoundError:  # for another machine or Python
            continue
        left += [canonicalize_name(Requirement(line).name) for line in asked if not re.search(r"\bextra\b", line)]
    return found


def tools_lock() -> str:
    """Return the lines of the lock for these packages, with their sums."""
    locked = locked_lines(LOCK)
    return "".join(f"{locked[name]}\n" for name in sorted(with_needs({MAKER, *loaded()}) & locked.keys()))


if __name__ == "__main__":
    print(tools_lock(), end="")
