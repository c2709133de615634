"""Make the Debian package of this Debian and this processor: ``make package``; it comes to lie in ``dist/``.

Everything that runs is in it, below ``/opt/rehab-gateway/<version>``: an environment of Debian's own Python with the
locked packages, the gateway, the simulators, the plotting library, and the signal processing as machine code for each
kind of processor that may run it. An installation needs no network, no compiler and no npm. The same commit makes the
same package, bit by bit: times are those of the commit, paths those of the installed system.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from dsp.processor import TARGETS
from gateway.machine.file_sum import sum_of_file
from installer import bill_of_materials
from installer.contents import ContentsError
from installer.debian import PROGRAMS, PYTHON, DebianError, release
from installer.signing import SignatureError, ship_keys, sign_sums, write_sums

ROOT = Path(__file__).resolve().parents[1]
NAME = "rehab-gateway"
WITHOUT = ("direct_url.json", "INSTALLER", "REQUESTED")
"""What an installer notes of itself; the first names the folder in which the package was made."""
EXAMPLES = ("nginx.conf", "mosquitto.conf", "nftables.conf", "backup-sftp.conf", "fleet/central.toml",
            "fleet/roll-outs.conf")  # fmt: skip
"""Of ``config/deploy``, for whoever sets up what is beside the gateway."""
COMPILER = ROOT / "installer" / "compile_kernels.py"
ADDRESS = b"__numba_array_expr_0x"
"""What numba names after where it was in memory."""
DESCRIPTION = """Edge telemetry gateway for rehabilitation devices
 Reads exoskeletons and wearables over Bluetooth and serial ports, measures gait
 and health, and hands every number over MQTT to a time-series store, with live
 pages for clinicians. Information only: it is no medical device, and it moves
 none."""


class BuildError(Exception):
    """The package cannot be made here; says what to do."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a program; return what it printed. Raises BuildError with its own words."""
    done = subprocess.run(
        list(map(str, command)), env=os.environ | environment, text=True, capture_output=True, cwd=ROOT, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command[:4]))} …: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def show(*command: str | Path, **environment: str) -> None:
    """Run a program whose words are shown as they come. Raises BuildError."""
    sys.stdout.flush()
    done = subprocess.run(list(map(str, command)), env=os.environ | environment, cwd="/", check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command))} ended with {done.returncode}")


def version() -> str:
    """Return the version of the product, as ``pyproject.toml`` has it."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def lay_out_environment(home: Path, wheel: Path) -> None:
    """Make the environment: Debian's Python, the locked packages, the gateway."""
    run(PYTHON, "-m", "venv", "--without-pip", home)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", home / "bin" / "python", "install",
           "--quiet", "--no-compile", "--no-deps", "--only-binary", ":all:")  # fmt: skip
    print("package: installing the locked packages (about a minute)", flush=True)
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "package.lock")
    run(*pip, "--no-index", wheel)


def forget_this_machine(home: Path, installed: Path) -> None:
    """Take every trace of the folder out in which the environment was made."""
    for path in sorted((home / "bin").iterdir()):
        if path.is_symlink() or b"\0" in path.read_bytes():
            continue
        path.write_text(path.read_text("utf-8").replace(str(home), str(installed)), "utf-8")
    (home / "pyvenv.cfg").write_text(f"home = {PYTHON.parent}\ninclude-system-site-packages = false\n", "utf-8")
    for path in [found for found in home.rglob("*.dist-info/*") if found.name in WITHOUT]:
        path.unlink()
    for record in home.rglob("*.dist-info/RECORD"):  # scripts have another sum now, and what is gone is gone
        kept = [line for line in record.read_text("utf-8").splitlines(keepends=True) if "../bin/" not in line]
        record.write_text("".join(line for line in sorted(kept) if not any(name in line for name in WITHOUT)), "utf-8")


def compile_sources(home: Path, tree: Path) -> None:
    """Compile all modules once, so that nobody who runs them needs to write beside them.

    By the contents and not the time of a file: what the archive does to times makes none of them stale. Those that are
    there already are made anew: whoever loaded a module in this environment has left one with the time and its folder.
    """
    run(home / "bin" / "python", "-m", "compileall", "-q", "-f", "-s", tree, "-p", "/", "--invalidation-mode",
        "unchecked-hash", home / "lib", PYTHONHASHSEED="0")  # fmt: skip


def compile_kernels(home: Path, installed: Path) -> None:
    """Compile the signal processing, once for each kind of processor that `dsp.processor` ships for.

    Progress is printed. Raises BuildError.
    """
    for target in TARGETS[platform.machine()]:
        print(f"package: compiling the signal processing for {target.name} (a minute, under emulation half an hour)")
        folder = home / "kernels" / target.name
        show(home / "bin" / "python", "-P", COMPILER, home, installed, NUMBA_CACHE_DIR=str(folder),
             NUMBA_CPU_NAME=target.name, NUMBA_CPU_FEATURES="", PYTHONHASHSEED="0")  # fmt: skip
        for file in folder.rglob("*.nbc"):
            if ADDRESS in file.read_bytes():
                raise BuildError(f"{file.name}: an array expression, which has another name each time: write a loop")
    kept = [file.stat().st_size for file in (home / "kernels").rglob("*") if file.is_file()]
    print(f"package: {len(kept)} files of machine code, {sum(kept) / 1e6:.0f} MB", flush=True)


def lay_out_system(tree: Path, number: str) -> None:
    """Put units, user, rules and documents where Debian looks for them; of configurations only samples."""
    lib, documents = tree / "usr/lib", tree / "usr/share/doc" / NAME
    deploy = ROOT / "config" / "deploy"
    units = lib / "systemd/system"
    debian = ROOT / "installer/debian"
    for source, target in (
        (debian / "sysusers.conf", lib / f"sysusers.d/{NAME}.conf"),
        (debian / "tmpfiles.conf", lib / f"tmpfiles.d/{NAME}.conf"),
        (debian / "udev.rules", lib / f"udev/rules.d/70-{NAME}.rules"),
        (deploy / "journald.conf", lib / f"systemd/journald.conf.d/{NAME}.conf"),
        (ROOT / "LICENSE", documents / "copyright"),
        *((path, units / path.relative_to(deploy)) for path in sorted(deploy.glob("*.service.d/*.conf"))),
        *((deploy / name, documents / "examples" / name) for name in EXAMPLES),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in sorted([*deploy.glob("*.service"), *deploy.glob("*.timer"), *(deploy / "fleet").glob("*.service")]):
        unit = path.read_text("utf-8").replace("/opt/rehab-gateway/.venv/bin/", "/opt/rehab-gateway/current/bin/")
        (units / path.name).write_text(unit.replace("/opt/rehab-gateway/docs/", f"/usr/share/doc/{NAME}/"), "utf-8")
    shutil.copytree(ROOT / "config/examples", documents / "examples", dirs_exist_ok=True)
    for page in sorted((ROOT / "docs").glob("*.md")):
        shutil.copyfile(page, documents / page.name)
    changes = gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0)
    (documents / "changelog.gz").write_bytes(changes)
    command = tree / "usr/bin" / NAME
    command.parent.mkdir(parents=True)
    command.symlink_to(f"/opt/{NAME}/current/bin/{NAME}")
    control(tree, number)


def control(tree: Path, number: str) -> None:
    """Write what the package manager reads: what it needs, and what is done at installing and removing."""
    folder = tree / "DEBIAN"
    folder.mkdir()
    files = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_size for path in files) // 1024  # a folder's own says how many files it ever had
    major, minor = run(PYTHON, "-c", "import sys; print(*sys.version_info[:2])").split()
    needs = ", ".join((f"python3 (>= {major}.{minor}), python3 (<< {major}.{int(minor) + 1}~)", *PROGRAMS))
    (folder / "control").write_text(
        f"Package: {NAME}\nVersion: {number}\nArchitecture: {run('dpkg', '--print-architecture')}\n"
        f"Maintainer: rehab-gateway\nSection: science\nPriority: optional\nInstalled-Size: {size}\n"
        f"Depends: {needs}\nRecommends: chrony\nSuggests: nginx, chromium, openssh-client\n"
        f"Description: {DESCRIPTION}\n",
        "utf-8",
    )
    for name in ("preinst", "postinst", "prerm", "postrm"):
        text = (ROOT / "installer/debian" / name).read_text("utf-8").replace("@VERSION@", version())
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)


def make_alike(tree: Path, epoch: int) -> None:
    """Give every file its rights on the installed system and the time of the commit, whatever umask there is."""
    for path in tree.rglob("*"):
        os.utime(path, (epoch, epoch), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def build(out: Path, work: Path) -> Path:
    """Make the package; return it. Raises BuildError."""
    debian, epoch = release(), run("git", "log", "-1", "--format=%ct")
    os.environ |= {"SOURCE_DATE_EPOCH": epoch, "PYTHONDONTWRITEBYTECODE": "1"}  # the latter for what pip loads
    shutil.rmtree(work, ignore_errors=True)
    tree, wheels = work / "tree", work / "wheel"
    number = f"{version()}+deb{debian}"
    installed = Path("/opt") / NAME / version()
    home = tree / installed.relative_to("/")
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps",
        "--no-build-isolation", "-w", wheels, ".")  # fmt: skip
    lay_out_environment(home, next(wheels.glob("*.whl")))
    forget_this_machine(home, installed)
    compile_sources(home, tree)
    compile_kernels(home, installed)
    bill_of_materials.place(home, tree, out, number, PROGRAMS)
    ship_keys(home)
    lay_out_system(tree, number)
    make_alike(tree, int(epoch))
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"{NAME}_{number}_{run('dpkg', '--print-architecture')}.deb"
    print("package: packing", flush=True)
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", tree, package)
    shutil.rmtree(work)
    return package


def main() -> int:
    """Make the package and say what it is; 1 with a sentence where it cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where it comes to lie")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "package", help="where it is put together")
    parser.add_argument("--key", type=Path, action="append", default=[], help="private key that signs; may be repeated")
    options = parser.parse_args()
    try:
        package = build(options.out, options.work)
    except (BuildError, ContentsError, DebianError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    write_sums(options.out)
    try:
        signed = sign_sums(options.out, options.key)
    except SignatureError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(f"{sum_of_file(package)}  {package} ({package.stat().st_size / 1e6:.0f} MB)")
    print(f"package: {signed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
