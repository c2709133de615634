"""What runs inside the virtual machine whose power is cut: an outbox that fills, and one upgrade after the other.

The programs of the versions are scripts that answer at once, for the processor is an emulated one: what is tried is
what lies on the disk, which is written by the product. Speaks over the serial console: ``OPENED`` and ``DURABLE`` as
`tests.faults.power_guest`, ``VERSION current whole``, ``BEGAN old new``, ``KEPT new``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from gateway.installation.change import Changer, Wish
from gateway.installation.errors import InstallationError
from gateway.installation.versions import CURRENT, Versions
from gateway.outbox.outbox import Outbox
from tests.faults.content import RUN_FACTOR, made
from tests.faults.power_guest import PAGE, RATE, STEP_S, whole, write_line

FIRST = "0.1.0"
FILES = 150
PROGRAM = """#!/bin/sh
case "$1" in
  check) ;;
  versions) echo '{}' ;;
  status) echo '{"fresh": true, "status": {"outbox": {"epoch": "0", "last_seq": 1, "released_seq": 1}}}' ;;
esac
"""
SUPERVISOR = '#!/bin/sh\n[ "$1" = restart ] || echo run\n'


def main() -> None:
    """Open, finish what was broken off, say what is there; then fill and upgrade for ever, unless only to look."""
    folder, run, only_look = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "look"
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    versions, data = Versions(folder / "opt"), folder / "data"
    if not (versions.home / CURRENT).is_symlink():
        begin(folder, versions)
    outbox = Outbox(data / "outbox.db")
    state, rows, wrong = outbox.state(), 0, 0
    while page := outbox.read(rows, PAGE):
        wrong += sum(row.seq != rows + i or not whole(row.payload) for i, row in enumerate(page, 1))
        rows += len(page)
    changer = Changer(versions, lambda words: write_line(f"SAID {words}"))
    write_line("")
    write_line(f"OPENED {state.epoch} {state.durable_seq} {rows} {wrong} {state.set_aside}")
    with contextlib.suppress(InstallationError):
        write_line(f"SAID resumed: {changer.resume()}")
    write_line(f"VERSION {versions.current()} {int(is_whole(versions))}")
    if only_look:
        return
    outbox.subscribe(lambda: write_line(f"DURABLE {outbox.epoch} {outbox.state().durable_seq}"))
    threading.Thread(target=fill, args=(outbox, run), daemon=True).start()
    wish = Wish(folder / "etc/ward.toml", str(folder / "supervisor"), "made for this matrix", 60.0)
    for number in range(10_000):
        new = f"0.{run + 1}.{number}"
        write_line(f"BEGAN {versions.current()} {new}")
        changer.upgrade(package(folder, new), {}, wish)
        write_line(f"KEPT {new}")


def begin(folder: Path, versions: Versions) -> None:
    """Lay out a machine with one version."""
    lay_out(versions.folder(FIRST), FIRST)
    for made_folder in ("data", "etc"):
        (folder / made_folder).mkdir(exist_ok=True)
    (folder / "etc/ward.toml").write_text(f'[site]\ndata = "{folder / "data"}"\n')
    (folder / "supervisor").write_text(SUPERVISOR)
    (folder / "supervisor").chmod(0o755)
    os.sync()
    versions.switch(FIRST)


def lay_out(environment: Path, version: str) -> None:
    """Make an environment: the command, and files of which each says whose it is."""
    (environment / "bin").mkdir(parents=True, exist_ok=True)
    command = environment / "bin/rehab-gateway"
    command.write_text(PROGRAM)
    command.chmod(0o755)
    (environment / "lib").mkdir(exist_ok=True)
    for number in range(FILES):
        (environment / "lib" / str(number)).write_text(content(version, number))


def content(version: str, number: int) -> str:
    """Return what a file of a version holds."""
    return f"{version} {number}\n" * (number + 1)


def is_whole(versions: Versions) -> bool:
    """Whether the version that runs is all there, byte for byte."""
    version = versions.current()
    lib = versions.folder(version) / "lib"
    return (versions.folder(version) / "bin/rehab-gateway").read_text() == PROGRAM and all(
        (lib / str(number)).is_file() and (lib / str(number)).read_text() == content(version, number)
        for number in range(FILES)
    )


def package(folder: Path, version: str) -> Path:
    """Make a package; in memory, as on a stick that is not this disk."""
    tree = Path("/run") / f"tree-{version}"
    lay_out(tree / "opt/rehab-gateway" / version, version)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: rehab-gateway\nVersion: {version}+deb12\nArchitecture: all\nMaintainer: tests\n"
        "Installed-Size: 4000\nDescription: made for a test\n"
    )
    out = Path("/run") / f"{folder.name}-{version}.deb"
    build = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(out)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return out


def fill(outbox: Outbox, run: int) -> None:
    """Append for ever."""
    number = run * RUN_FACTOR
    while True:
        n = int(RATE * STEP_S)
        outbox.append([made(number + k) for k in range(n)])
        number += n
        time.sleep(STEP_S)


if __name__ == "__main__":
    main()
