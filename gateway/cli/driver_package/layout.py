"""The files of a new package that brings one driver: driver, simulator, test, example and page."""

from __future__ import annotations

import re
import uuid
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from gateway.model.usage import UsageError

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 24  # of a driver; ids of devices have 32
EXAMPLE = {"ble": "0100fa000000", "serial": "a50100fa00000056bc"}
"""Counter 1 and the value 2.5, as the templates have it."""
WHERE = {"ble": 'address = "02:50:4C:00:00:01"  # as a scanner shows it', "serial": 'port = "/dev/ttyUSB0"'}
OWN = uuid.UUID("6b1c1c5e-3f6a-5f0e-9a0e-2f6c1f0b7a11")
"""UUIDs of the services of toy devices are made from this one and the driver's name."""


def lay_out(name: str, transport: Literal["ble", "serial"], folder: Path) -> list[Path]:
    """Write the package of a driver into a new folder; return its files.

    Raises:
        UsageError: The name is no name of a driver, or the folder is there already.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(f"'{name}' is no name for a driver: small letters, digits and single '_', such as acme_scale")
    if folder.exists():
        raise UsageError(f"{folder} is there already: choose another --folder")
    words = _words(name, transport)
    module = words["module"]
    made = {
        "pyproject.toml": "pyproject.toml", "README.md": "README.md", "example.toml": "example.toml",
        f"{module}/driver.py": f"driver_{transport}.py", f"{module}/simulator.py": f"simulator_{transport}.py",
        f"tests/test_{name}.py": f"test_{transport}.py",
    }  # fmt: skip
    written = [_write(folder / path, _template(of).substitute(words)) for path, of in made.items()]
    return [*written, _write(folder / module / "__init__.py", f'"""{words["title"]}."""\n')]


def _words(name: str, transport: str) -> dict[str, str]:
    example = EXAMPLE[transport]
    return {
        "name": name,
        "slug": name.replace("_", "-"),
        "distribution": f"rehab-gateway-{name.replace('_', '-')}",
        "module": f"rehab_gateway_{name}",
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").capitalize(),
        "service": str(uuid.uuid5(OWN, f"{name} service")),
        "characteristic": str(uuid.uuid5(OWN, f"{name} value")),
        "example_hex": example,
        "example_bytes": " ".join(example[at : at + 2] for at in range(0, len(example), 2)),
        "where": WHERE[transport],
    }


def _template(name: str) -> Template:
    return Template((files(__package__) / f"{name}.in").read_text("utf-8"))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path
