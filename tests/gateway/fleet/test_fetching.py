"""A bundle is fetched: after an interruption, from a share, and where what answers is no share."""

from __future__ import annotations

import http.client
import http.server
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.fleet.authority import make_authority
from gateway.fleet.fetching import fetch
from gateway.fleet.plan import PART_BYTES, Bundle, describe


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bundle"
    path.write_bytes(bytes(range(256)) * 1500)  # a whole part, and a piece of one
    return path


def test_one_that_was_whole_when_the_agent_was_killed_is_kept(source: Path, tmp_path: Path) -> None:
    bundle = describe(source, "upgrade", "1")
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / f"{bundle.sha256}.part").write_bytes(source.read_bytes())

    def ask(_bundle: Bundle, number: int) -> bytes:
        pytest.fail(f"part {number} is here")

    assert fetch(bundle, folder, None, ask, lambda _number: None).read_bytes() == source.read_bytes()


class Rubbish(http.server.BaseHTTPRequestHandler):
    """No web server."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n")


@pytest.fixture
def no_web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pem, key, _ = make_authority(tmp_path, "fleet").issue("share", hosts=["localhost"])
    (tmp_path / "share.pem").write_text(pem + key)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rubbish) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "share.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()


def test_where_something_else_answers_it_comes_over_the_link(source: Path, tmp_path: Path, no_web_server: str) -> None:
    def ask(_bundle: Bundle, number: int) -> bytes:
        return source.read_bytes()[number * PART_BYTES : (number + 1) * PART_BYTES]

    bundle = describe(source, "upgrade", "1")
    with pytest.raises(http.client.BadStatusLine):
        urllib.request.urlopen(no_web_server, timeout=5)  # noqa: S310 - our own, on this machine
    assert fetch(bundle, tmp_path / "b", no_web_server, ask, lambda _n: None).read_bytes() == source.read_bytes()
