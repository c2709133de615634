"""``rehab-gateway driver``: a driver in a package of its own, from its first line to the bedside."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.cli.driver_package.layout import EXAMPLE, lay_out
from gateway.model.usage import UsageError
from tests.servers import wait_until

LONGEST_DRIVER = 80
PROGRAM = (sys.executable, "-m", "gateway")


def installed(package: Path, site: Path) -> dict[str, str]:
    """Have a package found as an installer leaves it; return the environment of a process that finds it."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8"
    )
    path = [str(site), str(package), str(Path(__file__).parents[3])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "NO_COLOR": "1", "COLUMNS": "200"}


def run(env: dict[str, str], cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], env=env, cwd=cwd, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("transport", ["ble", "serial"])
def test_a_new_driver_keeps_the_contract_and_is_seen_everywhere(transport: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    made = run(
        dict(os.environ), tmp_path, "driver", "new", "acme_scale", "--folder", str(package),
        *(["--serial"] if transport == "serial" else []),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "driver test" in made.stdout
    driver = (package / "rehab_gateway_acme_scale" / "driver.py").read_text("utf-8")
    assert len(driver.splitlines()) < LONGEST_DRIVER

    absent = run(dict(os.environ), tmp_path, "driver", "test", str(package))
    assert absent.returncode == 2
    assert "pip install -e" in absent.stderr

    env = installed(package, tmp_path / "site")
    tested = run(env, tmp_path, "driver", "test", str(package))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
    assert "Acme scale" in run(env, tmp_path, "driver", "list").stdout
    assert "acme_scale" in run(env, tmp_path, "simulate", "list").stdout
    checked = run(env, tmp_path, "check", str(package / "example.toml"))
    assert "is right" in checked.stdout, checked.stdout + checked.stderr
    decoded = run(env, tmp_path, "decode", "acme_scale", EXAMPLE["ble" if transport == "ble" else "serial"], "--json")
    assert json.loads(decoded.stdout) == {"stream": "acme_scale", "tick": 1, "value": 2.5, "flags": []}


@pytest.mark.parametrize("transport", ["ble", "serial"])
async def test_a_new_driver_streams_at_the_bedside(transport: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    lay_out("acme_scale", "ble" if transport == "ble" else "serial", package)
    env = installed(package, tmp_path / "site")
    config = tmp_path / "ward.toml"
    simulating = await asyncio.create_subprocess_exec(
        *PROGRAM, "simulate", "device", "acme_scale", "--socket", "radio", "--ports", "ports",
        "--write-config", str(config), env=env, cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert simulating.stdout is not None
    assert json.loads(await simulating.stdout.readline())["event"] == "ready"
    config.write_text(config.read_text() + "\n[recorder]\nenabled = true\n")
    with (tmp_path / "log").open("wb") as log:
        running = await asyncio.create_subprocess_exec(
            *PROGRAM, "run", str(config), env=env, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        recordings = tmp_path / "var" / "recordings"
        wait_until(lambda: sum(path.stat().st_size for path in recordings.rglob("*") if path.is_file()) > 0, 60.0)
        wait_until(lambda: '"streaming"' in run(env, tmp_path, "status", str(config), "--json").stdout, 60.0)
    finally:
        running.terminate()
        await running.wait()
        simulating.terminate()
        await simulating.wait()


def test_a_driver_without_a_test_of_the_contract_fails(tmp_path: Path) -> None:
    package = tmp_path / "package"
    lay_out("acme_scale", "ble", package)
    (package / "tests" / "test_acme_scale.py").write_text("def test_nothing() -> None:\n    pass\n")
    tested = run(installed(package, tmp_path / "site"), tmp_path, "driver", "test", str(package))
    assert tested.returncode != 0
    assert "no test class made from DriverContract has the name 'acme_scale'" in tested.stdout + tested.stderr


@pytest.mark.parametrize("name", ["Acme", "acme-scale", "1scale", "a" * 40, "", "acme__scale", "../x"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a driver"):
        lay_out(name, "ble", tmp_path / "package")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_and_a_name_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already"):
        lay_out("acme_scale", "ble", tmp_path)
    used = run(dict(os.environ), tmp_path, "driver", "new", "shimmer3")
    assert (used.returncode, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.parametrize(("text", "word"), [(None, "has no pyproject"), ("a = [", "cannot be read"), ("", "no driver")])
def test_what_is_no_package_is_refused(text: str | None, word: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    refused = run(dict(os.environ), tmp_path, "driver", "test", str(tmp_path))
    assert refused.returncode == 2
    assert word in refused.stderr
