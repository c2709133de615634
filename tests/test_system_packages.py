"""The list of system packages: everything that tests, faults and benchmarks look up is installed by ``make system``."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEARCHED = ("tests", "benchmarks", "gateway", "simulators")
RUNS = {"which", "run", "Popen", "create_subprocess_exec", "check_output", "check_call"}
AT_HAND = {
    "git", "make", "python3",  # README's first line
    "apt-cache", "apt-get", "dpkg", "dpkg-deb",  # there, or the test says that it is no Debian
    "bash", "sh", "nice", "umount", "setpriv", "true", "tar", "unshare", "sha256sum",  # essential in every Debian
    "firefox",  # what others than Debian call firefox-esr
    "npm",  # setup brings it
    "ar",  # with gcc, which is in the list
    "openssl",  # with ca-certificates, of README's first line
    "systemctl", "journalctl", "systemd-sysusers",  # of systemd; where it does not run they are not asked
    "mosquitto_passwd",  # with mosquitto
}  # fmt: skip
LIBRARY = re.compile(r"lib[\w+-]+\.so\.\d+")


def listed() -> dict[str, str]:
    """What the Makefile installs: program or library, and the package that has it."""
    text = (ROOT / "Makefile").read_text("utf-8")
    lists = "".join(re.findall(r"^SYSTEM\w* :=(?:.*\\\n)*.*", text, re.MULTILINE))
    entries = re.findall(r"([a-z0-9][a-z0-9.+-]+)=([\w.+-]+)", lists)
    return {what: package for package, what in entries}


def looked_up(source: str) -> Iterator[str]:
    """Yield the programs and libraries that a source names where it runs or looks for one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in RUNS:
            first = node.args[0]
            if isinstance(first, ast.List) and first.elts:
                first = first.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.rpartition("/")[2]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found[0] for found in LIBRARY.finditer(node.value) if " " not in node.value)


def test_what_is_looked_up_is_in_the_one_list() -> None:
    found = {
        name: str(path.relative_to(ROOT))
        for folder in SEARCHED
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in looked_up(path.read_text("utf-8"))
    }
    assert {"mosquitto", "chromium", "victoria-metrics", "libfaketimeMT.so.1", "strace"} <= found.keys()
    assert {name: path for name, path in found.items() if name not in {*listed(), *AT_HAND}} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("shutil.which('x')", ["x"]),
        ("subprocess.run(['/usr/bin/tc', 'qdisc'])", ["tc"]),
        ("await asyncio.create_subprocess_exec('nginx', '-t')", ["nginx"]),
        ("Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1')", ["libfaketimeMT.so.1"]),
    ],
)
def test_a_program_is_found_however_it_is_named(source: str, names: list[str]) -> None:
    assert list(looked_up(source)) == names


def test_what_is_missing_is_installed_in_one_go(tmp_path: Path) -> None:
    """On a machine that has nothing, every package is asked for, those of the faults only for the faults."""
    asked = tmp_path / "asked"
    bare = tmp_path / "bin"
    bare.mkdir()
    for name, script in {"apt-get": f'echo "$@" >> {asked}', "id": "echo 0"}.items():
        (bare / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (bare / name).chmod(stat.S_IRWXU)
    for name in ("make", "bash", "env", "true"):
        (bare / name).symlink_to(next(p for p in (Path("/usr/bin", name), Path("/bin", name)) if p.exists()))
    text = (ROOT / "Makefile").read_text("utf-8")
    hidden = re.sub(r"/usr/lib/\*/", f"{tmp_path}/lib/*/", text).replace("$$PATH:/usr/sbin:/sbin", "$$PATH")
    (tmp_path / "Makefile").write_text(hidden, "utf-8")
    for more in ([], ["FAULTS=yes"]):
        subprocess.run(
            ["make", "system", *more], cwd=tmp_path, env={**os.environ, "PATH": str(bare)}, check=True, timeout=60
        )
    tests, faults = (
        set(line.split()) & set(listed().values())
        for line in asked.read_text("utf-8").splitlines()
        if "install" in line
    )
    assert {"libfaketime", "libatomic1", "mosquitto"} <= tests
    assert faults == set(listed().values())
    assert faults - tests == {"qemu-system-x86", "e2fsprogs", "mount"}
