"""One simulator at a path: a lock beside it that the kernel lets go of when the simulator ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

MODE = 0o640


class Claim:
    """The right to make a socket or a port at a path, until ``release`` or the end of the process.

    Args:
        path: Where; its folder is made if absent.

    Raises:
        OSError: EADDRINUSE where another simulator serves: what lies there is not ours to remove.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock")
        self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            why = "another simulator serves there; stop it, or choose another --socket and --ports"
            raise OSError(errno.EADDRINUSE, why, str(path)) from None
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Let another simulator have the path."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
