"""A bundle is fetched: after an interruption, from a share, and where what answers is no share."""

from __future__ import annotations

import http.client
import http.server
import shutil
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.fleet import fetching
from gateway.fleet.authority import make_authority
from gateway.fleet.fetching import AskPart, EndedError, FetchError, Pause, fetch
from gateway.fleet.plan import PART_BYTES, Bundle, describe


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bundle"
    path.write_bytes(bytes(range(256)) * 1500)  # a whole part, and a piece of one
    return path


def fetched(bundle: Bundle, folder: Path, share: str | None, ask: AskPart, pause: Pause = lambda *_: None) -> Path:
    return fetch(bundle, folder, share, ask, on_part=lambda _number: None, pause=pause)


def nobody(_bundle: Bundle, number: int) -> bytes:
    pytest.fail(f"part {number} is on the share")


def test_one_that_was_whole_when_the_agent_was_killed_is_kept(source: Path, tmp_path: Path) -> None:
    bundle = describe(source, "upgrade", "1")
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / f"{bundle.sha256}.part").write_bytes(source.read_bytes())

    def ask(_bundle: Bundle, number: int) -> bytes:
        pytest.fail(f"part {number} is here")

    assert fetched(bundle, folder, None, ask).read_bytes() == source.read_bytes()


def test_there_has_to_be_room_for_what_is_missing_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = describe(source, "upgrade", "1")
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / f"{bundle.sha256}.part").write_bytes(source.read_bytes()[:PART_BYTES])
    missing = bundle.size - PART_BYTES
    parts = [source.read_bytes()[:PART_BYTES], source.read_bytes()[PART_BYTES:]]
    monkeypatch.setattr(fetching, "KEEP_FREE", shutil.disk_usage(folder).free + bundle.size)
    with pytest.raises(FetchError, match=f"no room for the {missing} bytes that are missing"):
        fetched(bundle, folder, None, lambda _, number: parts[number])
    monkeypatch.setattr(fetching, "KEEP_FREE", shutil.disk_usage(folder).free - missing - PART_BYTES // 2)
    assert fetched(bundle, folder, None, lambda _, number: parts[number]).read_bytes() == source.read_bytes()


class Rubbish(http.server.BaseHTTPRequestHandler):
    """No web server."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n")


@contextmanager
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: type[http.server.BaseHTTPRequestHandler]
) -> Iterator[str]:
    """Serve over TLS, by a certificate that is trusted."""
    pem, key, _ = make_authority(tmp_path, "fleet").issue("share", hosts=["localhost"])
    (tmp_path / "share.pem").write_text(pem + key)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "share.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def no_web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with served(tmp_path, monkeypatch, Rubbish) as address:
        yield address


def test_where_something_else_answers_it_comes_over_the_link(source: Path, tmp_path: Path, no_web_server: str) -> None:
    def ask(_bundle: Bundle, number: int) -> bytes:
        return source.read_bytes()[number * PART_BYTES : (number + 1) * PART_BYTES]

    bundle = describe(source, "upgrade", "1")
    with pytest.raises(http.client.BadStatusLine):
        urllib.request.urlopen(  # noqa: S310 - our own, on this machine
            no_web_server, timeout=5, context=ssl.create_default_context()
        )
    assert fetched(bundle, tmp_path / "b", no_web_server, ask).read_bytes() == source.read_bytes()


def test_a_share_whose_file_ends_too_early_is_read_on_from_there(source: Path, tmp_path: Path) -> None:
    bundle, share, said = describe(source, "upgrade", "1"), tmp_path / "share", list[str]()
    share.mkdir()
    whole = source.read_bytes()
    (share / source.name).write_bytes(whole[: PART_BYTES + 1])

    def pause(why: str, seconds: float) -> None:
        said.append(why)
        assert seconds > 0
        if len(said) == 2:
            (share / source.name).write_bytes(b"x" * PART_BYTES + whole[PART_BYTES:])  # what is here is not read again

    assert fetched(bundle, tmp_path / "b", str(share), nobody, pause).read_bytes() == whole
    assert said[0] == "the share was cut off at 68 % (its file ends too early): read on in 2 s"
    assert len(said) == 2


def test_what_a_share_that_stays_away_has_not_given_comes_over_the_link(source: Path, tmp_path: Path) -> None:
    bundle, share, asked = describe(source, "upgrade", "1"), tmp_path / "share", list[int]()
    share.mkdir()
    (share / source.name).write_bytes(source.read_bytes()[: PART_BYTES + 1])

    def ask(_bundle: Bundle, number: int) -> bytes:
        asked.append(number)
        return source.read_bytes()[number * PART_BYTES : (number + 1) * PART_BYTES]

    got = fetched(bundle, tmp_path / "b", str(share), ask, lambda *_: (share / source.name).unlink(missing_ok=True))
    assert (got.read_bytes(), asked) == (source.read_bytes(), [1])


@pytest.mark.parametrize("partial", [True, False])
def test_a_web_server_that_is_cut_off_is_read_on_from_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partial: bool
) -> None:
    whole, ranges = source.read_bytes(), list[str | None]()

    class CutOff(http.server.BaseHTTPRequestHandler):
        """Ends its first answer in the middle; gives parts of a file, or does not."""

        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            ranges.append(wanted)
            offset = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and partial else 0
            self.send_response(206 if offset else 200)
            self.send_header("Content-Length", str(len(whole) - offset))
            self.end_headers()
            self.wfile.write(whole[offset:] if len(ranges) > 1 else whole[: PART_BYTES + 5])

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name there

    with served(tmp_path, monkeypatch, CutOff) as address:
        got = fetched(describe(source, "upgrade", "1"), tmp_path / "b", address, nobody)
    assert got.read_bytes() == whole
    assert ranges == [None, f"bytes={PART_BYTES}-"]


def test_one_that_is_ended_keeps_what_it_has(source: Path, tmp_path: Path) -> None:
    bundle, share = describe(source, "upgrade", "1"), tmp_path / "share"
    share.mkdir()
    (share / source.name).write_bytes(source.read_bytes()[: PART_BYTES + 1])

    def end(*_: object) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        fetched(bundle, tmp_path / "b", str(share), nobody, end)
    assert (tmp_path / "b" / f"{bundle.sha256}.part").stat().st_size == PART_BYTES
