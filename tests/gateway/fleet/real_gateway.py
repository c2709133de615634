"""A gateway whose 'run' is the product's own process, with a sensor that is not there; restarted as systemd would."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from config.settings import Broker
from tests.gateway.fleet.hospital import LightGateway

SLOT = """
[[slot]]
id = "bay-1"
subject = "p-1"

[[slot.device]]
id = "strap"
driver = "bno08x_rvc"
placement = "chest"
port = "/dev/there-is-none"
"""
RESTART_S = 0.2
END_S = 30.0


class RealGateway(LightGateway):
    """The agent is in this process; 'run' is one of its own, and its status is its own."""

    def __init__(self, folder: Path, name: str, broker: Broker, *, share: str | None = None) -> None:
        super().__init__(folder, name, broker, share=share)
        with self.config.open("a", encoding="utf-8") as file:
            file.write(SLOT)
        self.pid_file = folder / "run.pid"
        self.restart_command = ["sh", "-c", f"kill -TERM $(cat {self.pid_file})"]
        self.well_within_s = 60.0
        self.starts = 0

    def start_speaking(self, *, resend_after_s: float) -> None:
        """Start 'run', again and again, as a service with Restart=always."""
        del resend_after_s
        self._keeper = threading.Thread(target=self._keep, name=f"run-{self.name}", daemon=True)
        self._keeper.start()

    def stop_speaking(self) -> None:
        """End it in good order."""
        process = self._process
        if process.poll() is None:
            process.terminate()
        self._keeper.join(END_S)

    def _keep(self) -> None:
        log = (self.folder / "run.log").open("ab")
        with log:
            while not self.ended.is_set():
                command = [sys.executable, "-m", "gateway", "run", str(self.config)]
                self._process = subprocess.Popen(command, stdout=log, stderr=log)
                self.starts += 1
                self.pid_file.write_text(str(self._process.pid))
                self._process.wait()
                self.ended.wait(RESTART_S)
