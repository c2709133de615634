from __future__ import annotations

from pathlib import Path

from gateway.broker.certificate_changes import CertificateChanges
from tests.certificates import Authority


def test_a_certificate_is_compared_with_the_best_that_was_in_its_place(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs", "another authority")
    path, changes = tmp_path / "gateway.pem", CertificateChanges()

    def put(made: tuple[Path, Path]) -> str:
        path.write_bytes(made[0].read_bytes())
        return changes.look("of the gateway", path)

    assert changes.look("of the gateway", path) == ""  # never there: another user's
    assert put(ours.issue("ward-7", days=100)) == ""
    assert put(ours.issue("ward-7", days=300)) == ""
    assert put(ours.issue("ward-7", days=200)) == "was replaced by an older one"
    assert put(ours.issue("ward-8", days=400)) == "was replaced by one of another name or another issuer"
    assert put(theirs.issue("ward-7", days=400)) == "was replaced by one of another name or another issuer"
    path.write_bytes(b"nonsense")
    assert changes.look("of the gateway", path) == "was removed, or cannot be read any more"
    path.unlink()
    assert changes.look("of the gateway", path) == "was removed, or cannot be read any more"
    assert put(ours.issue("ward-7", days=300)) == ""
