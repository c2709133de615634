"""Lay out a stick for installing without a network: ``make bundle STICK=FOLDER SIGNING_KEY=release.key``.

For each kind of computer (Debian 12 and 13, amd64 and arm64) the package with its bill of materials, Debian's own
packages beside it, a program that installs them, the guide, and a signed list of the sums of all of it. Where anything
is missing nothing is laid out, and each missing thing is said with what makes it. ``--check`` reads a stick again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.installation.errors import SignatureError
from gateway.installation.signature import SIGNATURE, SUMS, Keys, sign, signer_of, trusted_keys, verify
from gateway.machine.file_sum import sum_of_file
from installer.build import NAME, ROOT, version
from installer.debian_packages import (
    INDEX,
    SUITES,
    PackagesError,
    debian_sources,
    fetch_packages,
    field,
    needs,
    write_index,
)
from installer.signing import KEYS, write_sums

KINDS = ("12-amd64", "12-arm64", "13-amd64", "13-arm64")
BESIDE = ("chrony", "openssl")
"""What a computer should have too: a clock that is kept right, and what checks the signature of the next stick."""
ALWAYS = ("install", "INSTALL.md", "READ-ME.txt", "LICENSE", "docs/operations.md")
OF_DISKS = frozenset({"lost+found", "System Volume Information", ".Trashes", ".Spotlight-V100", ".fseventsd"})
"""What a stick has by itself."""
STICK = Path(__file__).with_name("stick")
GUIDE = ROOT / "config/deploy/README.md"
DEBIAN = "debian-packages"
TRUSTED = "trusted-keys"
WHY_LEAST = 10
"""Letters of a reason."""


class BundleError(Exception):
    """A stick cannot be laid out, or is not what it should be; a line for each thing that is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a stick has for one kind of computer."""

    kind: str
    package: Path
    bill: Path

    @property
    def folder(self) -> str:
        """Its name on the stick."""
        return f"debian-{self.kind}"

    @property
    def release(self) -> str:
        """Of Debian."""
        return self.kind.partition("-")[0]

    @property
    def architecture(self) -> str:
        """Of the processor, as Debian calls it."""
        return self.kind.partition("-")[2]


def part_of(kind: str, dist: Path) -> Part:
    """Return which files a kind of computer takes, whether they are there or not.

    Those of another Debian than this machine's lie in a folder of their own, with their list of sums.
    """
    release, _, architecture = kind.partition("-")
    package = (dist / kind if (dist / kind).is_dir() else dist) / f"{NAME}_{version()}+deb{release}_{architecture}.deb"
    return Part(kind, package, package.with_suffix(".sbom.cdx.json"))


def lacks(parts: Sequence[Part], out: Path, keys: Sequence[Path], unsigned: str) -> list[str]:
    """Return a line for each thing without which no stick is laid out, with what makes it."""
    found = []
    for part in parts:
        elsewhere = "arm64" if part.architecture == "arm64" else "package"
        how = f"'make package' on a Debian {part.release} makes it, or 'tests/bare/{elsewhere} {SUITES[part.release]}'"
        if not part.package.exists():
            found.append(f"no package {part.package.name} in {part.package.parent}: {how}")
        elif not part.bill.exists():
            found.append(f"no bill of materials {part.bill.name} beside it: {how}")
        else:
            found += _strange(part)
    for path in (GUIDE, STICK / "install", STICK / "READ-ME.txt", ROOT / "docs/operations.md"):
        if not path.exists():
            found.append(f"no {path.relative_to(ROOT)}: this checkout is not whole")
    if not keys and len(unsigned.strip()) < WHY_LEAST:
        found.append("no key that signs: SIGNING_KEY=FILE; without one, a sentence why: ARGS=\"--unsigned 'WHY'\"")
    if out.exists() and _things(out):
        found.append(f"{out} has something in it: empty it, or name another folder")
    return found


def _strange(part: Part) -> list[str]:
    """Return what is wrong with a package that is there."""
    try:
        wanted = (NAME, f"{version()}+deb{part.release}", part.architecture)
        said = tuple(field(part.package, name) for name in ("Package", "Version", "Architecture"))
        sums = (part.package.parent / SUMS).read_text("utf-8")
    except (PackagesError, OSError) as error:
        return [f"{part.package.name} cannot be used: {error}"]
    if said != wanted:
        return [f"{part.package.name} says of itself {' '.join(said)}: make it again"]
    if f"{sum_of_file(part.package)}  {part.package.name}\n" not in sums:
        return [f"{part.package.name} is not the one that {SUMS} beside it lists: make it again"]
    return []


def lay_out(
    parts: Sequence[Part], out: Path, *, keys: Sequence[Path], unsigned: str, sources: Sequence[str] = (), work: Path
) -> None:
    """Lay a stick out; raises BundleError, PackagesError, SignatureError. Nothing is left of one that fails."""
    if missing := lacks(parts, out, keys, unsigned):
        raise BundleError("\n".join(missing))
    out.mkdir(parents=True, exist_ok=True)
    try:
        for part in parts:
            _lay_out_part(part, out, keys, sources, work)
        _lay_out_words(parts, out, keys, unsigned)
        _write_sums(out, keys)
    except BaseException:
        for path in _things(out):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _lay_out_part(part: Part, out: Path, keys: Sequence[Path], sources: Sequence[str], work: Path) -> None:
    folder = out / part.folder
    folder.mkdir(parents=True)
    print(f"bundle: {part.folder}: Debian's own packages", flush=True)
    for path in (part.package, part.bill):
        shutil.copyfile(path, folder / path.name)
    names = [*needs(part.package), *BESIDE]
    lines = list(sources) or debian_sources(part.release)
    files = fetch_packages(names, part.architecture, lines, folder / DEBIAN, work)
    write_index(folder, [folder / part.package.name, *files])
    sums = write_sums(folder)  # for 'rehab-gateway upgrade', which looks beside the package
    if keys:
        signed = "".join(line for _, line in (sign(sums.read_bytes(), key) for key in keys))
        (folder / SIGNATURE).write_text(signed, "utf-8")


def _lay_out_words(parts: Sequence[Part], out: Path, keys: Sequence[Path], unsigned: str) -> None:
    """Put the guide, the pages and the public keys on a stick."""
    shutil.copyfile(STICK / "install", out / "install")
    shutil.copyfile(GUIDE, out / "INSTALL.md")
    shutil.copyfile(ROOT / "LICENSE", out / "LICENSE")
    (out / "docs").mkdir()
    for page in sorted((ROOT / "docs").glob("*.md")):
        shutil.copyfile(page, out / "docs" / page.name)
    ids = []
    for path in keys:
        name, _ = sign(b"", path)
        public = load_pem_private_key(path.read_bytes(), password=None).public_key()
        (out / TRUSTED).mkdir(exist_ok=True)
        (out / TRUSTED / f"{name}.pem").write_bytes(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        ids.append(name)
    words = {
        "@VERSION@": version(), "@PARTS@": ", ".join(part.folder for part in parts),
        "@MADE@": datetime.now(UTC).strftime("%Y-%m-%d"), "@SIGNED@": ", ".join(ids) or f"nobody, because: {unsigned}",
    }  # fmt: skip
    text = (STICK / "READ-ME.txt").read_text("utf-8")
    for name, word in words.items():
        text = text.replace(name, word)
    (out / "READ-ME.txt").write_text(text, "utf-8")


def _write_sums(out: Path, keys: Sequence[Path]) -> None:
    listed = "".join(f"{sum_of_file(path)}  {path.relative_to(out)}\n" for path in _files(out))
    (out / SUMS).write_text(listed, "utf-8")
    if keys:
        lines = "".join(line for _, line in (sign(listed.encode(), key) for key in keys))
        (out / SIGNATURE).write_text(lines, "utf-8")


def _things(out: Path) -> list[Path]:
    return sorted(path for path in out.iterdir() if path.name not in OF_DISKS)


def _files(out: Path) -> list[Path]:
    own = {out / SUMS, out / SIGNATURE}
    found = [path for thing in _things(out) for path in (thing, *thing.rglob("*"))]
    return sorted(path for path in found if path.is_file() and path not in own)


def check(out: Path) -> str:
    """See that a stick is whole; return who signed it, nothing where nobody did. Raises BundleError."""
    try:
        text = (out / SUMS).read_text("utf-8")
    except OSError as error:
        raise BundleError(f"there is no list of sums on it: {error.strerror}: {error.filename}") from error
    listed = {line[66:]: line[:64] for line in text.splitlines()}
    here = {str(path.relative_to(out)): path for path in _files(out)}
    wrong = [f"missing: {name}" for name in sorted(listed.keys() - here.keys())]
    wrong += [f"not in the list: {name}" for name in sorted(here.keys() - listed.keys())]
    both = sorted(listed.keys() & here.keys())
    wrong += [f"another sum: {name}" for name in both if sum_of_file(here[name]) != listed[name]]
    wrong += [f"missing: {name}" for name in ALWAYS if name not in here]
    parts = sorted(path for path in out.glob("debian-*") if path.is_dir())
    wrong += [] if parts else ["missing: a folder for any kind of computer"]
    for part in parts:
        for pattern in (f"{NAME}_*.deb", f"{NAME}_*.sbom.cdx.json", f"{DEBIAN}/python3_*.deb", INDEX, SUMS):
            if not list(part.glob(pattern)):
                wrong.append(f"missing: {part.name}/{pattern}")
    signer, keys = "", trusted_keys([KEYS, out / TRUSTED])
    if (out / SIGNATURE).exists():
        try:
            signer = signer_of(text.encode(), (out / SIGNATURE).read_bytes(), keys, out / SIGNATURE)
            wrong += _signed_otherwise(parts, keys)
        except SignatureError as error:
            wrong.append(str(error))
    if wrong:
        raise BundleError("\n".join(wrong))
    return signer


def _signed_otherwise(parts: Sequence[Path], keys: Keys) -> list[str]:
    """Return which packages 'rehab-gateway upgrade' would refuse from this stick."""
    found = []
    for package in [path for part in parts for path in part.glob(f"{NAME}_*.deb")]:
        try:
            verify(package, package, keys)
        except SignatureError as error:
            found.append(str(error))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Lay a stick out, or check one; 1 with what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="FOLDER", help="the stick, or a folder for it")
    parser.add_argument("--check", action="store_true", help="read one that was laid out, and see that it is whole")
    parser.add_argument("--for", dest="kinds", default=",".join(KINDS), help=f"kinds of computers: {','.join(KINDS)}")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the packages are")
    parser.add_argument("--key", type=Path, action="append", default=[], help="private key that signs; may be repeated")
    parser.add_argument("--unsigned", default="", metavar="WHY", help="why nobody signs; it stands on the stick")
    parser.add_argument("--sources", type=Path, help="a file with lines as in sources.list, in place of this machine's")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bundle", help="where packages are fetched to")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            kinds = [kind.strip() for kind in options.kinds.split(",") if kind.strip()]
            if unknown := [kind for kind in kinds if kind not in KINDS]:
                raise BundleError(f"there is no kind of computer '{unknown[0]}': {', '.join(KINDS)}")  # noqa: TRY301 - said like the rest
            sources = options.sources.read_text("utf-8").splitlines() if options.sources else ()
            lay_out(
                [part_of(kind, options.dist) for kind in kinds], options.out, keys=options.key,
                unsigned=options.unsigned, sources=sources, work=options.work,
            )  # fmt: skip
        signer = check(options.out)
    except (BundleError, PackagesError, SignatureError, OSError) as error:
        for line in str(error).splitlines():
            print(f"bundle: {line}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in _files(options.out))
    whom = f"signed by {signer}: give that id to the technician on paper" if signer else "signed by nobody"
    print(f"bundle: {options.out} is whole: {len(_files(options.out))} files, {size / 1e6:.0f} MB, {whom}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
