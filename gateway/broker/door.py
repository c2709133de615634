"""Where an embedded broker is reached, and by whom: a file in a folder that only its user may enter.

The broker listens on a Unix socket in that folder. One that knows no such sockets has a port of loopback, which is
anybody's: then the file has a secret that is new with each start, and the process that must hold the port. The file is
read again for every connection, for the address may change whenever the broker starts; it also says why there is none.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from config.settings import Broker

FOLDER = "broker"
"""In the data folder."""
FILE = "door.json"
SOCKET = "broker.sock"
USER = "rehab"
LARGEST_BYTES = 65_536
LOOPBACK = "127.0.0.1"
PRIVATE = 0o600


class DoorError(ConnectionError):
    """The embedded broker cannot be reached; the text says why."""


@dataclass(frozen=True, slots=True)
class Door:
    """What stands in the file.

    Attributes:
        socket: Name of the Unix socket beside the file; empty where there is a port.
        port: TCP port on loopback; 0 where there is a socket.
        secret: The password of user `USER` there.
        pid: The process that holds the port.
        problem: Why there is no broker; empty where there is one.
    """

    socket: str = ""
    port: int = 0
    secret: str = ""
    pid: int = 0
    problem: str = ""


class OwnBroker(Broker):
    """The settings of an embedded broker, whose address is not in them but in a folder."""

    folder: Path


def own_broker(broker: Broker, data: Path) -> OwnBroker:
    """Return the settings of the broker that ``run`` keeps in a data folder."""
    return OwnBroker(**broker.model_dump(), folder=data / FOLDER)


def where(broker: Broker) -> str:
    """Return how a broker is called in messages."""
    return "the embedded broker" if isinstance(broker, OwnBroker) else f"{broker.host}:{broker.port}"


def write_door(folder: Path, door: Door) -> None:
    """Say how the broker is reached; never half of it, and to nobody else."""
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(orjson.dumps(asdict(door)))
    new.replace(folder / FILE)


def read_door(folder: Path) -> Door:
    """Return how the broker is reached; raises DoorError."""
    path = folder / FILE
    try:
        _trust(folder)
        data = path.read_bytes() if path.stat().st_size <= LARGEST_BYTES else b""
        door = Door(**orjson.loads(data))
    except DoorError:
        raise
    except FileNotFoundError:
        raise DoorError(f"there is none in {folder}: is 'rehab-gateway run' running?") from None
    except PermissionError:
        raise DoorError(f"{path} is not open to this user: start all parts as one user") from None
    except (ValueError, TypeError):
        raise DoorError(f"{path} is not what this version writes: start 'rehab-gateway run' again") from None
    except OSError as error:
        raise DoorError(f"{path}: {error.strerror}") from error
    if door.problem:
        raise DoorError(door.problem)
    return door


def check_holder(door: Door) -> None:
    """Raise DoorError where somebody else than the broker holds its port."""
    if door.port and not listens(door.pid, door.port):
        raise DoorError(f"port {door.port} of the embedded broker is held by another program")


def listens(pid: int, port: int) -> bool:
    """Whether a process of this user listens on a port of loopback."""
    address = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    held = {f"socket:[{row[9]}]" for row in rows if row[1] == address and row[3] == "0A"}
    try:
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    return any(_target(link) in held for link in opened)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _trust(folder: Path) -> None:
    """Refuse a folder that somebody else has put where ours should be."""
    if folder.stat().st_uid not in {os.geteuid(), 0, folder.parent.stat().st_uid}:
        raise DoorError(f"{folder} belongs to another user, whose broker is not believed: remove it")
