"""The system's Firefox, driven by Marionette, the protocol that it speaks itself: no other program is needed."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.servers import missing

READY_S = 60.0
WITHIN_S = 20.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 11: the key of a reference to an element
PREFERENCES = {
    "marionette.port": 0,  # a free one, written into the profile
    "app.update.auto": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.prefetch-next": False,
    "services.settings.server": "data:,#",
    "signon.rememberSignons": False,
    "toolkit.telemetry.server": "data:,",
}


def firefox() -> str:
    """Return the program; skip the test where it is not installed, fail it in CI."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        missing("firefox-esr")
    assert program
    return program


class Firefox:
    """One session of a Firefox that takes any certificate."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=READY_S)
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._read()  # the greeting
        self._call("NewSession", acceptInsecureCerts=True)

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._call("Navigate", url=address)

    def address(self) -> str:
        """Return where it is."""
        return str(self._call("GetCurrentURL")["value"])

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self._call("ElementSendKeys", id=self._find(selector), text=text)

    def click(self, selector: str) -> None:
        """Click an element, and wait for the page that it leads to."""
        self._call("ElementClick", id=self._find(selector))

    def text(self) -> str:
        """Return what the page says."""
        return str(self.evaluate("return document.body.innerText"))

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f"at {self.address()}: {self.text()[:500]}"
            time.sleep(0.05)

    def evaluate(self, script: str, *arguments: object) -> Any:
        """Run a script in the page; return what it returns."""
        return self._call("ExecuteScript", script=script, args=list(arguments))["value"]

    def has(self, selector: str) -> bool:
        """Whether there is such an element."""
        return bool(self.evaluate("return document.querySelector(arguments[0]) !== null", selector))

    def resize(self, width: int, height: int) -> None:
        """Give its window another size."""
        self._call("SetWindowRect", width=width, height=height)

    def picture(self, selector: str) -> bytes:
        """Return a PNG of an element."""
        return base64.b64decode(self._call("TakeScreenshot", id=self._find(selector), full=False)["value"])

    def forget(self) -> None:
        """Drop every cookie of the site."""
        self._call("DeleteAllCookies")

    def close(self) -> None:
        """End the session."""
        self._call("DeleteSession")
        self._file.close()
        self._socket.close()

    def _find(self, selector: str) -> str:
        return str(self._call("FindElement", using="css selector", value=selector)["value"][ELEMENT])

    def _call(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        message = orjson.dumps([0, self._number, f"WebDriver:{command}", parameters])
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, answer = self._read()
        assert number == self._number
        assert error is None, f"{command}: {error}"
        return answer

    def _read(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) != b":":
            assert digit, "Firefox has gone"
            length += digit
        return orjson.loads(self._file.read(int(length)))


@contextmanager
def firefox_in(folder: Path) -> Iterator[Firefox]:
    """Run a Firefox with a profile of its own."""
    program = firefox()
    folder.mkdir(exist_ok=True)
    lines = (
        f"user_pref({orjson.dumps(name).decode()}, {orjson.dumps(to).decode()});" for name, to in PREFERENCES.items()
    )
    (folder / "user.js").write_text("\n".join(lines))
    command = [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    environment = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        session = Firefox(_port(folder, process))
        yield session
        session.close()
    finally:
        process.terminate()
        process.wait(READY_S)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    file, deadline = folder / "MarionetteActivePort", time.monotonic() + READY_S
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, "Firefox has ended"
        assert time.monotonic() < deadline, "Firefox does not begin"
        time.sleep(0.05)
    return int(file.read_text())
