"""Certificates are renewed in time by the desk, for the keys that were made on the gateway; with a real broker."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.broker.certificates import common_name, days_left
from gateway.fleet.authority import Authority, make_authority, make_request
from gateway.fleet.joining import both
from gateway.fleet.member_folder import FOLDER
from gateway.fleet.renewal import Renewal
from tests.gateway.fleet.hospital import Hospital
from tests.servers import wait_until


def member(folder: Path, authority: Authority, days: float) -> None:
    for name in ("gateway", "agent", "command"):
        key, request = make_request("a")
        pem, _ = authority.sign_request(request, "a", days=days)
        (folder / f"{name}.pem").write_bytes(both(pem, key))


def test_one_that_holds_long_is_left_and_one_that_ends_is_asked_for_once_an_hour(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "fleet")
    member(tmp_path, authority, 300)
    assert Renewal(tmp_path, "a").request(0.0) is None
    (tmp_path / "command.pem").unlink()  # joined before there was one: asked for once, an older desk gives none
    of_before = Renewal(tmp_path, "a")
    assert [of_before.request(at) is not None for at in (0.0, 4_000.0, 8_000.0)] == [True, False, False]
    member(tmp_path, authority, 100)
    renewal = Renewal(tmp_path, "a")
    assert renewal.request(0.0) is not None
    assert renewal.request(3_599.0) is None
    assert renewal.request(3_601.0) is not None


def test_only_what_is_for_our_keys_takes_their_place(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "fleet")
    member(tmp_path, authority, 100)
    before = (tmp_path / "gateway.pem").read_bytes()
    renewal = Renewal(tmp_path, "a")
    asked = renewal.request(0.0)
    assert asked is not None
    foreign, _ = authority.sign_request(make_request("a")[1], "a")
    for answer in (b"", b"[]", b"{}", orjson.dumps({"gateway_cert": foreign, "agent_cert": foreign})):
        renewal.on_answer(answer)
        assert (tmp_path / "gateway.pem").read_bytes() == before
    parts = ("gateway", "agent", "command")
    signed = {part: authority.sign_request(asked[f"{part}_request"], "a")[0] for part in parts}
    renewal.on_answer(orjson.dumps({f"{part}_cert": pem for part, pem in signed.items()}))
    assert min(days_left(tmp_path / f"{part}.pem") for part in parts) > 390


@pytest.mark.broker
def test_the_desk_renews_what_ends_and_the_gateway_stays(hospital: Hospital) -> None:
    gateway = hospital.enrol("a", start=False)
    folder = gateway.folder / "data" / FOLDER
    (folder / "command.pem").unlink()  # as if it had joined before there was one
    for part, name in (("gateway", "a"), ("agent", "a.fleet")):  # as if they had been signed a year ago
        key, request = make_request("a")
        pem, _ = hospital.fleet.authority.sign_request(request, name, days=30)
        (folder / f"{part}.pem").write_bytes(both(pem, key))
    gateway.start()
    hospital.gateways["a"] = gateway
    wait_until(lambda: min(days_left(folder / f"{part}.pem") for part in ("gateway", "agent")) > 390)
    wait_until((folder / "command.pem").exists)
    assert [common_name(folder / f"{part}.pem") for part in ("agent", "command")] == ["a.fleet", "a.command"]
    gateway.agent.link.drop("to come again with the new one")
    wait_until(lambda: gateway.agent.link.errors["connection"] >= 1 and gateway.agent.link.connected)
