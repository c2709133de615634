"""A backup on another computer too: sent by the ``sftp`` that Debian has, and there only once it is whole."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from config.settings import Backup

PROGRAM = "sftp"
PAUSES_S = (10.0, 60.0)
"""Before it is tried again: a switch that starts. For longer than that systemd begins again, each half an hour."""
OPTIONS = (
    "BatchMode=yes",  # nobody is there to answer
    "StrictHostKeyChecking=yes",  # and nobody to say whether a computer that is not known is the right one
    "UserKnownHostsFile=none",  # the service sees no home folder: who is known stands in /etc/ssh/ssh_known_hosts
    "IdentitiesOnly=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)
UNKNOWN = "Host key verification failed"
MOST_WORDS = 300


class SendError(Exception):
    """A backup could not be sent; the sentence says why."""


def send(path: Path, backup: Backup, *, say: Callable[[str], None], pause: Callable[[float], None]) -> None:
    """Send a backup to where the configuration says, if it says so; raises SendError.

    It goes under another name until all of it has arrived. Older ones there are left alone.
    """
    if backup.sftp_to is None or backup.sftp_key_file is None:
        return
    if '"' in str(path):
        raise SendError(f"{path} cannot be sent: its name has a quotation mark")
    say(f"sending it to {backup.sftp_to}")
    for pause_s in (*PAUSES_S, None):
        why = _try(path, backup.sftp_to, backup.sftp_key_file)
        if not why:
            return
        words = f"the backup is in {path.parent} and could not be sent to {backup.sftp_to}: {why}"
        if pause_s is None or UNKNOWN in why:
            raise SendError(words)
        say(f"{words}; again in {pause_s:.0f} s")
        pause(pause_s)


def _try(path: Path, to: str, key_file: Path) -> str:
    """Try once; return why it failed, or nothing."""
    options = [word for option in OPTIONS for word in ("-o", option)]
    part = f"{path.name}.part"
    batch = f'put "{path}" "{part}"\nrename "{part}" "{path.name}"\n'
    command = [PROGRAM, *options, "-i", str(key_file), "-b", "-", to]
    try:
        done = subprocess.run(command, input=batch, capture_output=True, text=True, check=False, errors="replace")
    except FileNotFoundError:
        return f"there is no {PROGRAM} here: sudo apt install openssh-client"
    if done.returncode == 0:
        return ""
    why = " ".join(done.stderr.split())[-MOST_WORDS:] or f"sftp ended with {done.returncode}"
    if UNKNOWN in why:
        host = to.partition("@")[2].partition(":")[0]
        return f"{UNKNOWN}: {host} is not the computer that /etc/ssh/ssh_known_hosts knows, or is not in it yet"
    return why
