"""``rehab-gateway driver``: which there are, a new one in a package of its own, and whether it keeps the contract."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import examples
from gateway.model.usage import UsageError

driver_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="List drivers, begin one in a package of its own, and try whether it keeps the contract.\n\n"
    "A driver reads a kind of device. It is found by its package's entry point: nothing of the gateway is edited.",
    epilog=examples(
        "rehab-gateway driver list",
        "rehab-gateway driver new acme_scale  # a package that works, to change",
        "pip install -e 'rehab-gateway-acme-scale\\[dev]'",
        "rehab-gateway driver test rehab-gateway-acme-scale",
    ),
)


@driver_app.command("list")
def list_drivers() -> None:
    """List the drivers that are installed, with how each connects and which package brings it."""
    from drivers.registry import driver_names, load_driver, packages_of
    from gateway.cli.terminal import Terminal
    from gateway.machine.plain_text import visible

    terminal = Terminal()
    for name in driver_names():
        try:
            driver = load_driver(name)
        except ValueError as error:
            terminal.print(f"{visible(name):16}  {visible(str(error))}", markup=False)
            continue
        package = visible(", ".join(packages_of(name)))
        terminal.print(f"{name:16}  {driver.transport:6}  {visible(driver.title)}  ({package})", markup=False)


@driver_app.command("new", epilog=examples("rehab-gateway driver new acme_scale --serial  # one on a serial port"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As a configuration writes it: acme_scale.")],
    *,
    serial: Annotated[bool, typer.Option("--serial", help="On a serial port; by default Bluetooth LE.")] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; by default rehab-gateway-NAME here.")
    ] = None,
) -> None:
    """Lay out a package of its own: driver, simulator, test, example and page, of a toy device that works."""
    from drivers.registry import driver_names
    from gateway.cli.driver_package.layout import lay_out

    if name in driver_names():
        raise UsageError(f"there is a driver '{name}' already: two of one name are refused")
    place = folder or Path(f"rehab-gateway-{name.replace('_', '-')}")
    for path in lay_out(name, "serial" if serial else "ble", place):
        typer.echo(str(path))
    typer.echo(f"Next: pip install -e '{place}[dev]', then: rehab-gateway driver test {place}")


@driver_app.command("test", epilog=examples("rehab-gateway driver test .  # in the folder of the package"))
def test(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Folder of the package, with its pyproject.toml.")],
) -> None:
    """Run the contract of every driver on a package, and the package's own tests.

    Needs pytest and hypothesis. Status 0 only if each driver of the package has a test of the contract, and all passed.
    """
    from drivers.registry import driver_names

    names = _drivers_of(package)
    missing = [module for module in ("pytest", "hypothesis") if find_spec(module) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} not installed here: pip install {' '.join(missing)}")
    if absent := set(names).difference(driver_names()):
        raise UsageError(f"driver '{min(absent)}' is not installed here: pip install -e '{package}[dev]' first")
    wanted = [word for name in names for word in ("--contract-of", name)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "drivers.contract", *wanted, "."]
    raise typer.Exit(subprocess.run(command, cwd=package, check=False).returncode)  # noqa: S603 - our own words


def _drivers_of(package: Path) -> list[str]:
    """Return the names of the drivers that a package brings; raises UsageError."""
    from drivers.registry import ENTRY_POINTS

    try:
        project: dict[str, Any] = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{package} has no pyproject.toml: name the folder of a package") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{package / 'pyproject.toml'} cannot be read: {error}") from None
    groups = project.get("project", {}).get("entry-points", {})
    if not (names := sorted(groups.get(ENTRY_POINTS, {}))):
        raise UsageError(
            f"{package} brings no driver: its pyproject.toml names none in the entry points {ENTRY_POINTS}"
        )
    return names
