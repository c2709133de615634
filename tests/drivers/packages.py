"""Packages of others that bring drivers, as an installer leaves them: files, and what the package says of itself."""

from __future__ import annotations

from pathlib import Path


def install_package(folder: Path, name: str, version: str, source: str, drivers: dict[str, str]) -> None:
    """Put a distribution with one module into a folder that is to be on ``sys.path``.

    Args:
        folder: Where to.
        name: Of the distribution; the module bears it with underscores.
        version: Of the distribution.
        source: The module's text.
        drivers: Class of each driver's name.
    """
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    rows = [f"{driver} = {module}:{kind}" for driver, kind in drivers.items()]
    (info / "entry_points.txt").write_text("\n".join(["[rehab_gateway.drivers]", *rows, ""]), "utf-8")
