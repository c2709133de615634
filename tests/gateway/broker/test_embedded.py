from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker import embedded as broker_module
from gateway.broker.door import FILE, SOCKET, Door, DoorError, OwnBroker, read_door, write_door
from gateway.broker.embedded import BrokerError, EmbeddedBroker, answers, find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from tests.servers import accepts, free_port, missing, wait_until

KINDS = ["mosquitto", "iotcore"]


class Listener:
    def __init__(self) -> None:
        self.connections: list[int] = []
        self.messages: list[Incoming] = []

    def connected(self, connection: int, limits: Limits) -> None:
        self.connections.append(connection)

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None: ...

    def arrived(self, message: Incoming) -> None:
        self.messages.append(message)


def need(kind: str) -> None:
    if kind == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto")


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedBroker:
    need(request.param)
    return EmbeddedBroker(tmp_path / "broker", port=free_port(), kind=request.param)


async def begin(broker: EmbeddedBroker) -> None:
    broker.start()
    await broker.ready()


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition)


async def carries(settings: Broker) -> bool:
    """Whether a message comes back from a broker that is reached so."""
    heard = Listener()
    link = Link(settings, client_id="carries", handler=heard, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    link.start()
    await until(lambda: heard.connections)
    link.publish(heard.connections[-1], "t/x", b"x", qos=1)
    await until(lambda: heard.messages)
    await asyncio.to_thread(link.stop)
    return True


async def test_it_carries_messages_and_retains(broker: EmbeddedBroker) -> None:
    await begin(broker)
    heard = Listener()
    large = random.Random(1).randbytes(200_000)
    link = Link(broker.settings, client_id="a", handler=heard, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    link.start()
    await until(lambda: heard.connections)
    link.publish(1, "t/small", b"x", qos=1, retain=True)
    link.publish(1, "t/large", large, qos=1)
    await until(lambda: len(heard.messages) == 2)
    assert [(m.topic, m.payload) for m in heard.messages] == [("t/small", b"x"), ("t/large", large)]
    late = Listener()
    other = Link(broker.settings, client_id="b", handler=late, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    other.start()
    await until(lambda: late.messages)
    assert (late.messages[0].payload, late.messages[0].retained) == (b"x", True)
    await asyncio.to_thread(other.stop)
    await asyncio.to_thread(link.stop)
    await broker.stop()
    assert not await answers(broker.folder)


def listening() -> set[str]:
    """Addresses of this machine that somebody listens on, of both families."""
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {line.split()[1] for line in lines if line.split()[3] == "0A"}


def ports_of(pid: int) -> set[str]:
    """Sockets of TCP that a process has."""
    opened = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {f"socket:[{line.split()[9]}]" for line in lines} & opened


def environment_of(pid: int) -> bytes:
    """The environment that a process was given."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_mosquitto_has_no_port_and_its_socket_is_closed_to_others(tmp_path: Path) -> None:
    need("mosquitto")
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind="mosquitto")
    await begin(broker)
    assert broker.pid
    assert ports_of(broker.pid) == set()
    assert stat.S_IMODE(broker.folder.stat().st_mode) == 0o700
    assert stat.S_ISSOCK((broker.folder / SOCKET).stat().st_mode)
    await broker.stop()


async def test_a_broker_does_not_speak_for_the_gateway_to_the_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("mosquitto")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind="mosquitto")
    await begin(broker)
    assert broker.pid
    assert b"NOTIFY_SOCKET" not in environment_of(broker.pid)
    await broker.stop()


@pytest.mark.parametrize("password", [None, "", "rehab", "guessed"])
async def test_a_stranger_is_not_let_into_iotcore(tmp_path: Path, password: str | None) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind="iotcore")
    await begin(broker)
    port = read_door(broker.folder).port
    assert f"0100007F:{port:04X}" in listening()
    assert f"00000000:{port:04X}" not in listening()
    secret = tmp_path / "password"
    secret.write_text(password or "x")
    named = {} if password is None else {"username": "rehab", "password_file": secret}
    heard = Listener()
    stranger = Link(Broker(embedded=False, port=port, **named), client_id="stranger", handler=heard)
    stranger.start()
    await until(lambda: stranger.errors["connection"])
    assert heard.connections == []
    await asyncio.to_thread(stranger.stop)
    assert await carries(broker.settings)
    await broker.stop()


async def test_what_is_secret_is_closed_to_others_and_new_with_each_start(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind="iotcore")
    await begin(broker)
    for name in (FILE, "iotcore.toml", "broker.log"):
        assert stat.S_IMODE((broker.folder / name).stat().st_mode) & 0o077 == 0, name
    first = read_door(broker.folder).secret
    assert len(first) >= 32
    pid = broker.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: broker.restarts == 1 and not broker.problem)
    assert read_door(broker.folder).secret != first
    await broker.stop()


async def test_it_is_started_again_when_it_dies(broker: EmbeddedBroker) -> None:
    await begin(broker)
    first = broker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: broker.restarts == 1 and broker.pid != first and not broker.problem)
    assert await carries(broker.settings)
    await broker.stop()
    assert not await answers(broker.folder)


@pytest.mark.parametrize("what", ["the folder", "its door", "moved away"])
async def test_it_is_where_it_is_looked_for_again_when_that_was_removed(broker: EmbeddedBroker, what: str) -> None:
    await begin(broker)
    first = broker.pid
    if what == "the folder":
        shutil.rmtree(broker.folder)
    elif what == "its door":
        (broker.folder / FILE).unlink()
    else:
        broker.folder.rename(broker.folder.with_name("elsewhere"))
    await until(lambda: broker.restarts == 1 and broker.pid != first and not broker.problem)
    assert await carries(broker.settings)
    await broker.stop()


async def test_a_taken_port_is_nobodys_trouble(broker: EmbeddedBroker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        made = EmbeddedBroker(broker.folder, port=squatter.getsockname()[1], kind=broker.kind)
        await begin(made)
        assert await carries(made.settings)
        await made.stop()


async def test_a_port_that_is_taken_while_the_broker_is_down_is_left(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind="iotcore")
    await begin(broker)
    door, pid = read_door(broker.folder), broker.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)  # so that nobody tries the port before the squatter has it
    heard = Listener()
    link = Link(broker.settings, client_id="a", handler=heard)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not accepts(door.port))
    with socket.create_server(("127.0.0.1", door.port)) as squatter:
        squatter.setblocking(False)
        link.start()
        await until(lambda: heard.connections)
        assert read_door(broker.folder).port != door.port
        await asyncio.to_thread(link.stop)
    await broker.stop()


def test_a_stranger_on_the_port_hears_no_secret(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        # The broker's process is another than the one that holds its port.
        write_door(tmp_path, Door(port=squatter.getsockname()[1], secret="s" * 40, pid=os.getppid()))
        link = Link(OwnBroker(folder=tmp_path), client_id="a", handler=Listener())
        link.start()
        wait_until(lambda: link.last_error)
        assert "is held by another program" in link.last_error
        peer, _ = squatter.accept()
        peer.settimeout(5)
        assert peer.recv(100) == b""
        peer.close()
        link.stop()


async def test_an_embedded_broker_is_never_a_stranger_on_the_port_of_the_settings(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0.5)
        broker = OwnBroker(port=stranger.getsockname()[1], folder=tmp_path / "broker")
        link = Link(broker, client_id="a", handler=Listener())
        link.start()
        await until(lambda: link.last_error)
        assert "is 'rehab-gateway run' running?" in link.last_error
        with pytest.raises(TimeoutError):
            stranger.accept()
        await asyncio.to_thread(link.stop)


async def test_a_broker_that_cannot_start_says_why_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("mosquitto")
    good = broker_module.MOSQUITTO
    monkeypatch.setattr(broker_module, "MOSQUITTO", f"{good}nonsense true\n")
    broker = EmbeddedBroker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    with pytest.raises(BrokerError, match=r"mosquitto ended at once with status \d+ \(.*nonsense"):
        await broker.ready()
    with pytest.raises(DoorError, match="nonsense"):
        read_door(broker.folder)
    monkeypatch.setattr(broker_module, "MOSQUITTO", good)
    await until(lambda: not broker.problem)
    assert await carries(broker.settings)
    await broker.stop()


async def test_a_program_that_misses_a_library_is_reported_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "mosquitto"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'error while loading shared libraries: libx.so.1: not found' >&2\nexit 127\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    broker = EmbeddedBroker(tmp_path / "broker")
    broker.start()
    with pytest.raises(BrokerError, match=r"status 127 \(error while loading shared libraries: libx\.so\.1"):
        await broker.ready()
    await broker.stop()


async def test_one_that_another_process_keeps_is_used_and_taken_over(tmp_path: Path) -> None:
    need("mosquitto")
    keeper, second = (EmbeddedBroker(tmp_path / "broker", kind="mosquitto") for _ in range(2))
    await begin(keeper)
    await begin(second)
    assert second.pid is None
    assert await carries(second.settings)
    await keeper.stop()
    await until(lambda: second.pid is not None and not second.problem)
    assert await carries(second.settings)
    await second.stop()


@pytest.mark.parametrize("name", ["x" * 125, 'a "b" \\c', "zwei\nzeilen = 1", "bett ü €", "a]=[b#c"])
async def test_any_folder_does(broker: EmbeddedBroker, name: str) -> None:
    made = EmbeddedBroker(broker.folder.parent / name / "broker", port=free_port(), kind=broker.kind)
    await begin(made)
    assert await carries(made.settings)
    await made.stop()


async def test_a_folder_that_somebody_else_made_is_not_believed(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs another user's folder")
    write_door(tmp_path, Door(SOCKET))
    os.chown(tmp_path, 12_345, 12_345)
    with pytest.raises(DoorError, match="belongs to another user"):
        read_door(tmp_path)


async def test_memory_of_an_older_version_is_brought_in(tmp_path: Path) -> None:
    need("mosquitto")
    old = EmbeddedBroker(tmp_path / "old" / "broker", kind="mosquitto")
    await begin(old)
    link = Link(old.settings, client_id="a", handler=(heard := Listener()))
    link.start()
    await until(lambda: heard.connections)
    info = link.publish(1, "t/kept", b"x", qos=1, retain=True)
    assert info
    await until(info.is_published)
    await asyncio.to_thread(link.stop)
    await old.stop()
    data = tmp_path / "data"
    data.mkdir()
    (old.folder / "mosquitto.db").rename(data / "mosquitto.db")
    (data / "mosquitto.conf").write_text("# Written by rehab-gateway at each start.\nlistener 1883 127.0.0.1\n")
    new = EmbeddedBroker(data / "broker", kind="mosquitto")
    await begin(new)
    late = Listener()
    other = Link(new.settings, client_id="b", handler=late, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    other.start()
    await until(lambda: late.messages)
    assert sorted(path.name for path in data.iterdir()) == ["broker"]
    await asyncio.to_thread(other.stop)
    await new.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from gateway.broker.embedded import EmbeddedBroker
async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]), port=int(sys.argv[2]), kind=sys.argv[3])
    broker.start()
    await broker.ready()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", KINDS)
async def test_it_ends_with_a_killed_gateway(kind: str, tmp_path: Path) -> None:
    need(kind)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "b"), str(free_port()), kind, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    assert await parent.stdout.readline() == b"ready\n"
    assert await answers(tmp_path / "b")
    parent.kill()
    await parent.wait()
    await until(lambda: not asyncio.run(answers(tmp_path / "b")))


async def test_a_broker_that_was_killed_is_told_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir(0o700)
    write_door(folder, Door(SOCKET))
    link = Link(OwnBroker(folder=folder), client_id="late", handler=Listener())
    link.start()
    await until(lambda: link.last_error)
    await asyncio.to_thread(link.stop)
    assert link.last_error.startswith("its socket is not there")
