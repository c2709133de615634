"""Certificates that were removed, or replaced by an older or a foreign one, while the gateway runs.

What is wrong with a new certificate shows at the next connection, which may be months away: so it is said at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells one certificate from another."""

    subject: str
    issuer: str
    ends: datetime


class CertificateChanges:
    """Compares each certificate with the best that was in its place since the start."""

    def __init__(self) -> None:
        self._best: dict[str, Seen] = {}

    def look(self, name: str, path: Path) -> str:
        """Return what became of a certificate, as the end of a sentence that begins with it; empty if all is well.

        One that never could be read is another user's, and looked after on that side.
        """
        now = _seen(path)
        best = self._best.get(name)
        if best is None:
            if now is not None:
                self._best[name] = now
            return ""
        if now is None:
            return "was removed, or cannot be read any more"
        if (now.subject, now.issuer) != (best.subject, best.issuer):
            return "was replaced by one of another name or another issuer"
        if now.ends < best.ends:
            return "was replaced by an older one"
        self._best[name] = now
        return ""


def _seen(path: Path) -> Seen | None:
    from cryptography import x509  # 8 MB of memory, which a site without TLS does without

    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    return Seen(found.subject.rfc4514_string(), found.issuer.rfc4514_string(), found.not_valid_after_utc)
