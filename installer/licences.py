"""Which licence each thing in the package has, and whether it fits: GPL and AGPL do not, and what is LGPL is said.

``python -m installer.licences > docs/assurance/licences.md`` writes the page; a test fails when it is out of date, or
when something in the package has a licence that nobody has looked at.
"""

from __future__ import annotations

import fnmatch
import sys
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path

from license_expression import get_spdx_licensing
from packaging.utils import canonicalize_name

from installer.contents import carried_files, licence_texts, locked_distributions
from installer.debian import PROGRAMS

FITTING = frozenset({
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "MPL-2.0", "PSF-2.0", "Zlib",
})  # fmt: skip
"""Licences that ask for their text and a name, or for the changed files of that library alone."""

SHARED_LIBRARIES = frozenset({"LGPL-2.1-or-later", "GPL-3.0-or-later WITH GCC-exception-3.1"})
"""What a program may load as a file of its own, that can be exchanged; taken only for what is named on the page."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Classifiers that name one licence; 'BSD License' names several."""

READ_FROM_THE_TEXT = {
    "frozenlist": "Apache-2.0",
    "joserfc": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "prompt-toolkit": "BSD-3-Clause",
    "propcache": "Apache-2.0",
    "pyserial": "BSD-3-Clause",
    "pyserial-asyncio": "BSD-3-Clause",
    "pyusb": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "yarl": "Apache-2.0",
}
"""Of packages whose fields say too little: what their licence texts and file headers say."""

CARRIED = {
    "cryptography": {"OpenSSL": "Apache-2.0"},
    "libusb-package": {"libusb-1.0.so": "LGPL-2.1-or-later"},
    "llvmlite": {"libllvmlite.so": "BSD-2-Clause AND Apache-2.0 WITH LLVM-exception"},
    "numpy": {
        "libgfortran-*": "GPL-3.0-or-later WITH GCC-exception-3.1",
        "libquadmath-*": "LGPL-2.1-or-later",
        "libscipy_openblas*": "BSD-3-Clause",
        "libnpymath.a": "BSD-3-Clause",
        "libnpyrandom.a": "BSD-3-Clause",
    },
}
"""Libraries of others within a package, by file name or by name."""

DEBIAN = {
    "bluez": "GPL-2.0-or-later",
    "ca-certificates": "GPL-2.0-or-later AND MPL-2.0",
    "mosquitto": "EPL-2.0 OR BSD-3-Clause",
    "python3": "PSF-2.0",
}
"""Programs that Debian brings: run beside ours, in processes of their own (python3 is the one that runs ours)."""

_SPDX = get_spdx_licensing()


def licence_of(distribution: Distribution) -> str | None:
    """Return the SPDX expression of a package; None where its fields do not say and nobody has read its text."""
    name = canonicalize_name(distribution.metadata["Name"])
    if "License-Expression" in distribution.metadata:
        return str(distribution.metadata["License-Expression"])
    if name in READ_FROM_THE_TEXT:
        return READ_FROM_THE_TEXT[name]
    named = distribution.metadata.get_all("Classifier") or []
    found = [CLASSIFIERS.get(line.rpartition(" :: ")[2]) for line in named if line.startswith("License ::")]
    return found[0] if len(found) == 1 else None


def licence_of_carried(package: str, name: str) -> str | None:
    """Return the SPDX expression of a library within a package; None where nobody has looked."""
    patterns = CARRIED.get(package, {})
    return next((licence for pattern, licence in patterns.items() if fnmatch.fnmatch(name, pattern)), None)


def is_fitting(expression: str, fitting: frozenset[str] = FITTING) -> bool:
    """Whether all of an expression's licences fit, and of a choice at least one."""
    return _fits(_SPDX.parse(expression, validate=True), fitting)


def _fits(parsed: object, fitting: frozenset[str]) -> bool:
    parts = getattr(parsed, "args", ())
    if isinstance(parsed, _SPDX.OR):
        return any(_fits(part, fitting) for part in parts)
    if isinstance(parsed, _SPDX.AND):
        return all(_fits(part, fitting) for part in parts)
    return str(parsed) in fitting


def complaints(distributions: list[Distribution], programs: tuple[str, ...]) -> list[str]:
    """Return what nobody has looked at, or what does not fit; nothing where all is in order."""
    found = []
    for distribution in distributions:
        name, licence = canonicalize_name(distribution.metadata["Name"]), licence_of(distribution)
        if licence is None:
            found.append(f"{name}: read its licence, and write it into installer/licences.py")
        elif not is_fitting(licence) and not (licence in SHARED_LIBRARIES and name == "libusb1"):
            found.append(f"{name}: {licence} does not fit")
        for inner in carried_files(distribution):
            licence = licence_of_carried(name, inner.name)
            if licence is None:
                found.append(f"{inner.name} in {name}: read its licence, and write it into installer/licences.py")
            elif not is_fitting(licence, FITTING | SHARED_LIBRARIES):
                found.append(f"{inner.name} in {name}: {licence} does not fit")
    return found + [f"{name} of Debian: write its licence into installer/licences.py" for name in programs
                    if name not in DEBIAN]  # fmt: skip


_HEAD = """\
# Licences of what is in the package

What `make package` puts into the package, and the licence of each. The page is made by `make docs` from what the
packages of `requirements/package.lock` say of themselves (`installer/licences.py`); a test fails when it is out of
date, when something has a licence that nobody has looked at, or one that does not fit. The
[bill of materials](sbom.md) has the same with versions and hashes.

None of it is under the GPL or AGPL alone. What is under the LGPL, or under the GPL with an exception for programs that
are linked to it, is a shared library or a Python module in a file of its own, which anybody may exchange: **libusb1**
and the **libusb** in `libusb-package` (both come with the simulated radio), **libquadmath** and **libgfortran** (of
numpy's linear algebra).

The texts come along where the wheels have them, below
`/opt/rehab-gateway/<version>/lib/python3.*/site-packages/<package>.dist-info/`; our own is
`/usr/share/doc/rehab-gateway/copyright`.
"""

_TAIL = """\
## Not done

- pyserial's wheel has no licence text (each of its files names BSD-3-Clause and its author), and `libusb-package` has
  Apache-2.0 but not the LGPL for the libusb in it: `libusb1` beside it has that text. Who hands the package on adds
  both.
- What is linked into the compiled modules of wheels (the Rust crates of cryptography, iotcore, orjson and
  pydantic-core, zstd in zstandard, libffi in cffi, argon2 in argon2-cffi-bindings, LLVM in llvmlite) is covered by what
  these packages say of themselves; of these only OpenSSL is listed by its version. Where a wheel brings a bill of
  materials of its own (`*.dist-info/sboms/`), ours names it.
- A lawyer has not looked at this page.
"""


def page(distributions: list[Distribution], programs: tuple[str, ...]) -> str:
    """Return docs/assurance/licences.md; the same for every Python that we support."""
    lines = [_HEAD, "## Python packages\n", "| package | licence (SPDX) | texts in it |", "| --- | --- | --- |"]
    for distribution in distributions:
        name = canonicalize_name(distribution.metadata["Name"])
        texts = ", ".join(f"`{text}`" for text in licence_texts(distribution)) or "none"
        lines.append(f"| {name} | {licence_of(distribution)} | {texts} |")
    lines += ["| uplot (of npm) | MIT | `uPlot.LICENSE` beside it |", "", "## Libraries of others within them\n",
              "| in | library | licence |", "| --- | --- | --- |"]  # fmt: skip
    for package, inner in CARRIED.items():
        lines += [f"| {package} | `{pattern}` | {licence} |" for pattern, licence in inner.items()]
    lines += ["", "## Programs that Debian brings\n",
              "They are not in the package: it depends on them. Their texts: `/usr/share/doc/<name>/copyright`.\n",
              "| program | licence |", "| --- | --- |"]  # fmt: skip
    lines += [f"| {name} | {DEBIAN.get(name)} |" for name in sorted({"python3", *programs})]
    return "\n".join([*lines, "", _TAIL])


def main() -> int:
    """Print the page for what is installed here of the package's lock."""
    sys.stdout.write(page(locked_distributions(Path(sysconfig.get_path("purelib"))), PROGRAMS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
