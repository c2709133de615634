"""The signed list of sums that lies beside the packages, and the keys by which a gateway knows who signed it.

openssl genpkey -algorithm ed25519 -out release.key          once, on a machine that is kept apart
openssl pkey -in release.key -pubout -out installer/trusted-keys/2026.pem
make package SIGNING_KEY=release.key
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.installation.errors import SignatureError
from gateway.installation.signature import REVOKED, SIGNATURE, SUMS, sign, trusted_keys
from gateway.machine.file_sum import sum_of_file

KEYS = Path(__file__).with_name("trusted-keys")
SHIPPED = Path("share/rehab-gateway/trusted-keys")
"""Below the environment of a version: a way back brings back what that version trusted."""


def ship_keys(home: Path) -> None:
    """Put the public keys into an environment, with the list of those that are not to be believed any more."""
    folder = home / SHIPPED
    folder.mkdir(parents=True)
    for path in sorted(KEYS.iterdir()):
        if path.suffix == ".pem" or path.name == REVOKED:
            shutil.copyfile(path, folder / path.name)


def write_sums(out: Path) -> Path:
    """List the sums of the packages in a folder; return the list."""
    lines = [f"{sum_of_file(path)}  {path.name}\n" for path in sorted(out.glob("*.deb"))]
    (out / SUMS).write_text("".join(lines), "utf-8")
    (out / SIGNATURE).unlink(missing_ok=True)  # that of another list
    return out / SUMS


def sign_sums(out: Path, keys: list[Path]) -> str:
    """Sign the list of sums with some private keys; return a sentence on who did, and who knows them.

    Raises:
        SignatureError: A key cannot be used.
    """
    sums = (out / SUMS).read_bytes()
    signed = [sign(sums, key) for key in keys]
    if not signed:
        return "not signed: SIGNING_KEY=FILE signs the list of sums, and 'rehab-gateway upgrade' asks for that"
    (out / SIGNATURE).write_text("".join(line for _, line in signed), "utf-8")
    known = trusted_keys([KEYS])
    unknown = [name for name, _ in signed if name not in known]
    words = f"signed by {', '.join(name for name, _ in signed)}"
    return f"{words}; {', '.join(unknown)} is not in installer/trusted-keys" if unknown else words


__all__ = ["SignatureError", "ship_keys", "sign_sums", "write_sums"]
