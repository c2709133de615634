"""The desk's folder: what is renewed in it, and who may read that."""

from __future__ import annotations

from pathlib import Path
from stat import S_IMODE

from gateway.broker.certificates import days_left
from gateway.fleet.authority import Authority
from gateway.fleet.beginning import begin
from gateway.fleet.members import FleetFolder


def test_whoever_may_read_the_brokers_key_may_read_the_next_one(tmp_path: Path) -> None:
    """mosquitto, which is another user, would not start again, and nobody would come in any more."""
    begin(tmp_path, "north", hosts=["localhost"], ports=(1, 2), historians=[], dashboards=[])
    pem, private, _ = Authority(tmp_path).issue("broker", days=30, hosts=["localhost"])
    (tmp_path / "broker.pem").write_text(pem)
    key = tmp_path / "broker.key"
    key.write_text(private)
    key.chmod(0o640)
    fleet = FleetFolder(tmp_path, ["true"])
    assert fleet.renew_own() == ["broker"]
    assert days_left(tmp_path / "broker.pem") > 300
    assert S_IMODE(key.stat().st_mode) == 0o640
    assert S_IMODE((tmp_path / "fleet-desk.key").stat().st_mode) == 0o600
    fleet.register.close()
