"""A configuration that is wrong is told in one sentence, with file, key and line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.checks import KnownDriver
from config.errors import ConfigError, Problem
from config.loader import load
from gateway.cli.options import known_drivers
from tests.config.test_pseudonym import NUMBER

EXAMPLES = sorted((Path(__file__).parents[2] / "config/examples").glob("*.toml"))


def takes_rate(*, rate_hz: int = 60) -> int:
    if rate_hz not in {30, 60}:
        raise ValueError(f"rate_hz = {rate_hz} is not one of 30, 60")
    return rate_hz


DRIVERS = {
    "movella_dot": KnownDriver("ble", takes_rate),
    "heart_rate": KnownDriver("ble", lambda: None),
    "shimmer3": KnownDriver("serial", lambda: None),
}

WARD = """\
[site]
site = "elm"

[[slot]]
id = "bay-a"
subject = "p-1"

[[slot.device]]
id = "dot-1"
driver = "movella_dot"
placement = "left_foot"
address = "D4:22:CD:00:00:01"

[[slot.device]]
id = "shimmer-1"
driver = "shimmer3"
placement = "lower_back"
port = "/dev/rfcomm0"
axes = "z y -x"
"""


def ward(folder: Path, text: str) -> Path:
    path = folder / "ward.toml"
    path.write_text(text, "utf-8")
    return path


def found(path: Path) -> tuple[Problem, ...]:
    """Return what is wrong, if anything."""
    try:
        load(path, DRIVERS)
    except ConfigError as error:
        return error.problems
    return ()


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, DRIVERS)
    sentences = [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]
    assert "\n".join(sentences) == str(caught.value).replace(f"{path.parent}/", "")
    return sentences


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_loads(example: Path) -> None:
    load(example, known_drivers())


def test_there_are_the_examples_that_the_docs_name() -> None:
    assert {path.stem for path in EXAMPLES} >= {"demo", "ward", "external-broker", "influxdb", "postgresql"}


def test_a_good_file_gives_its_settings(tmp_path: Path) -> None:
    settings = load(ward(tmp_path, WARD), DRIVERS)
    assert settings.site.site == "elm"
    assert [device.id for device in settings.slot[0].device] == ["dot-1", "shimmer-1"]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(ward(tmp_path, ""), DRIVERS).slot == []


def test_relative_paths_are_beside_the_file_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    text = '[broker]\nembedded = false\nca_file = "../tls/ca.pem"\n[recorder]\nfolder = "/srv/recordings"\n'
    ward(tmp_path / "etc", text)
    settings = load("etc/ward.toml")
    assert settings.site.data == tmp_path / "etc/var"
    assert settings.broker.ca_file == tmp_path / "tls/ca.pem"
    assert settings.recorder.folder == Path("/srv/recordings")


def test_paths_in_slots_are_anchored_too(tmp_path: Path) -> None:
    text = WARD.replace("/dev/rfcomm0", "ttys/back")
    assert load(ward(tmp_path, text), DRIVERS).slot[0].device[1].port == tmp_path / "ttys/back"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"movella_dot"',
            '"movela_dot"',
            "ward.toml, line 10: slot.device.driver = 'movela_dot' is not a driver; did you mean 'movella_dot'?",
        ),
        (
            '"movella_dot"',
            '"eeg"',
            (
                "ward.toml, line 10: slot.device.driver = 'eeg' is not a driver;"
                " choose one of heart_rate, movella_dot, shimmer3"
            ),
        ),
        (
            'placement = "left_foot"',
            'place = "left_foot"',
            "ward.toml, line 8: [slot.device] lacks 'placement': Where it is worn",
        ),
        (
            "left_foot",
            "left_fot",
            "ward.toml, line 11: slot.device.placement = 'left_fot' is not known; did you mean 'left_foot'?",
        ),
        ('site = "elm"', 'sight = "elm"', "ward.toml, line 2: site.sight is not a setting; did you mean 'site'?"),
        ("[site]", "[sites]", "ward.toml, line 1: sites is not a setting; did you mean 'site'?"),
        (
            '"elm"',
            '"Elm Hospital"',
            (
                "ward.toml, line 2: site.site = 'Elm Hospital' must be lower-case letters, digits and hyphens,"
                " begin with a letter or digit, at most 32 long"
            ),
        ),
        ('"elm"', "7", "ward.toml, line 2: site.site = 7 must be text in quotes"),
        (
            'port = "/dev/rfcomm0"',
            "",
            "ward.toml, line 14: device 'shimmer-1' is a serial device: give it a 'port' such as /dev/rfcomm0",
        ),
        (
            'address = "D4:22:CD:00:00:01"',
            "",
            "ward.toml, line 8: device 'dot-1' is a Bluetooth device: give it an 'address' or a 'name'",
        ),
        (
            "address =",
            'port = "/dev/ttyS0"\naddress =',
            "ward.toml, line 12: slot.device.port is for a tty, and movella_dot is a Bluetooth driver",
        ),
        (
            "port =",
            'name = "Shimmer"\nport =',
            "ward.toml, line 18: slot.device.name is for Bluetooth, and shimmer3 is a serial driver",
        ),
        (
            "z y -x",
            "z y x",
            (
                "ward.toml, line 19: slot.device.axes = 'z y x' is a mirror image:"
                " no way of wearing gives it, turn one sign"
            ),
        ),
        ("z y -x", "z y z", "ward.toml, line 19: slot.device.axes = 'z y z' must name each of x, y and z once"),
        (
            "z y -x",
            "up",
            (
                "ward.toml, line 19: slot.device.axes = 'up' must be three sensor axes (forward, left, up)"
                " such as 'x y z' or '-x -y z'"
            ),
        ),
        (
            '"shimmer-1"',
            '"dot-1"',
            "ward.toml, line 15: slot.device.id = 'dot-1' is already another device's: each needs its own",
        ),
        (
            '"p-1"',
            f'"{NUMBER}"',
            (
                "ward.toml, line 6: slot.subject has the form of an NHS number:"
                " use a pseudonym and keep the link elsewhere"
            ),
        ),
        (
            "[[slot]]\n",
            "[slot]\n",
            "ward.toml, line 4: slot must be written [[slot]], because there can be many",
        ),
        (
            "[site]",
            "speed = 2\n[site]",
            "ward.toml, line 1: speed = 2 needs simulated = true: real time does not hurry",
        ),
        ("[site]", "speed = 0\n[site]", "ward.toml, line 1: speed = 0 must be greater than 0"),
        (
            "[site]",
            "[broker]\nport = 70000\n[site]",
            "ward.toml, line 2: broker.port = 70000 must be at most 65535",
        ),
        ("[site]", '[broker]\nport = "mqtt"\n[site]', "ward.toml, line 2: broker.port = 'mqtt' must be a whole number"),
        ("[site]", "[recorder]\nenabled = 3\n[site]", "ward.toml, line 2: recorder.enabled = 3 must be true or false"),
        (
            "[site]",
            '[dashboard]\nhost = "0.0.0.0"\n[site]',
            (
                "ward.toml, line 2: dashboard.host = '0.0.0.0' lets the network in: set dashboard.cert_file"
                " or use 127.0.0.1"
            ),
        ),
        (
            "[site]",
            '[broker]\nhost = "mqtt.example.org"\n[site]',
            (
                "ward.toml, line 2: broker.host = 'mqtt.example.org' is not this machine, but broker.embedded is true:"
                " set it to false"
            ),
        ),
        (
            "[site]",
            '[historian.store]\nkind = "influx"\nurl = "http://127.0.0.1"\n[site]',
            "ward.toml, line 2: historian.store.kind = 'influx' is not known; did you mean 'influxdb3'?",
        ),
        (
            "[site]",
            '[radio]\nname = "simulated"\nsocket = "radio.sock"\n[site]',
            "ward.toml, line 2: radio.name = 'simulated' needs simulated = true, so that nobody takes it for real",
        ),
        (
            "[site]",
            '[historian]\nshare = "stores"\n[site]',
            "ward.toml, line 2: historian.share needs historian.id: receipts say whose they are",
        ),
        ('id = "dot-1"', "id = dot-1", "ward.toml, line 9: is not TOML: invalid value"),
        ("[site]", "[site", "ward.toml, line 1: is not TOML: expected ']' at the end of a table declaration"),
        ('"z y -x"', '"z y -x', "ward.toml, line 19: is not TOML: illegal character '\\n'"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in WARD
    sentences = problems(ward(tmp_path, WARD.replace(old, new, 1)))
    assert expected in sentences
    assert all("\n" not in sentence for sentence in sentences)


def test_options_are_judged_by_the_driver(tmp_path: Path) -> None:
    text = WARD.replace('address = "D4', 'options = { rate_hz = 50 }\naddress = "D4')
    assert problems(ward(tmp_path, text)) == [
        "ward.toml, line 12: slot.device.options: rate_hz = 50 is not one of 30, 60"
    ]


def test_influxdb_2_asks_for_what_it_needs(tmp_path: Path) -> None:
    text = '[historian.store]\nkind = "influxdb2"\nurl = "localhost:8086"\n'
    assert problems(ward(tmp_path, text)) == [
        "ward.toml, line 1: [historian.store] lacks 'organisation': InfluxDB 2 asks for it",
        "ward.toml, line 1: [historian.store] lacks 'token_file': InfluxDB 2 asks for a token",
        "ward.toml, line 3: historian.store.url = 'localhost:8086' must begin with http:// or https://",
    ]


def test_tls_settings_that_belong_together(tmp_path: Path) -> None:
    text = '[broker]\nembedded = false\nkey_file = "k"\npassword_file = "p"\n'
    assert problems(ward(tmp_path, text)) == [
        "ward.toml, line 3: broker.key_file needs broker.cert_file beside it",
        "ward.toml, line 4: broker.password_file needs broker.username beside it",
    ]


def test_several_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = WARD.replace('"elm"', "1").replace("left_foot", "ear").replace("lower_back", "nose")
    sentences = problems(ward(tmp_path, text))
    assert [sentence.split(":")[0] for sentence in sentences] == [f"ward.toml, line {n}" for n in (2, 11, 17)]


def test_files_that_are_no_files(tmp_path: Path) -> None:
    assert problems(tmp_path / "absent.toml")[0].startswith("absent.toml: there is no such file")
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    assert problems(folder)[0].startswith("folder.toml: is a folder")
    for dots in (".", "..", ""):
        with pytest.raises(ConfigError, match="is a folder: name the TOML file in it"):
            load(dots)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# good\n# Z\xfcrich\n")
    assert problems(latin) == ["latin.toml, line 2: is not UTF-8 text: save it as UTF-8"]
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 2_000_000)
    assert "too large" in problems(large)[0]


def test_a_file_of_another_user(tmp_path: Path) -> None:
    path = ward(tmp_path, WARD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        assert found(path) == ()  # the administrator reads everything
    else:
        assert "may not be read by this user" in str(found(path)[0])


scalars = st.none() | st.integers(-3, 70000) | st.booleans() | st.text("ab-x .", max_size=5)
values = scalars | st.lists(st.integers(), max_size=2)
keys = st.sampled_from(
    ["site", "slot", "device", "id", "subject", "axes", "port", "store", "kind", "speed", "socket", "nope"]
)


@given(st.dictionaries(keys, values | st.dictionaries(keys, values, max_size=3), max_size=4))
def test_whatever_stands_there_it_is_reported_and_never_a_traceback(
    tmp_path_factory: Any, table: dict[str, Any]
) -> None:
    path = ward(tmp_path_factory.mktemp("any"), toml(table))
    assert all(problem.line and "\n" not in problem.sentence for problem in found(path))


def toml(table: dict[str, Any]) -> str:
    """Write plain keys first, then tables."""
    plain = [f"{key} = {literal(value)}" for key, value in table.items() if not isinstance(value, dict)]
    tables = [f"[{key}]\n{toml(value)}" for key, value in table.items() if isinstance(value, dict)]
    return "\n".join([*plain, *tables])


def literal(value: Any) -> str:
    """Write a plain value."""
    if value is None:
        return "{}"
    return str(value).lower() if isinstance(value, bool) else repr(value)


UDP = {**DRIVERS, "exo_frame_udp": KnownDriver("udp", lambda: None)}
NETWORK = """\
[site]
site = "elm"

[[slot]]
id = "gym-1"
subject = "p-1"

[[slot.device]]
id = "exo-1"
driver = "exo_frame_udp"
placement = "exoskeleton"
listen = "192.0.2.10:05005"
sender = "192.0.2.20"
"""


def test_a_device_of_the_network_says_where_it_sends_to_and_from(tmp_path: Path) -> None:
    (device,) = load(ward(tmp_path, NETWORK), drivers=UDP).slot[0].device
    assert (device.listen, device.sender) == ("192.0.2.10:5005", "192.0.2.20")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            'listen = "192.0.2.10:05005"', "",
            "line 8: device 'exo-1' is a UDP device: give it a 'listen' such as 192.0.2.10:5005, of this computer",
        ),
        ('sender = "192.0.2.20"', "", "line 8: device 'exo-1' is a UDP device: give it a 'sender' such as 192.0.2.20"),
        ("192.0.2.10:05005", "0.0.0.0:5005", "line 12: slot.device.listen = '0.0.0.0:5005' must be the address of one"),
        ('"192.0.2.10:05005"', '"5005"', "line 12: slot.device.listen = '5005' must be an address and a port such as"),
        ('"192.0.2.20"', '"exo.local"', "line 13: slot.device.sender = 'exo.local' must be an address such as"),
        ('"192.0.2.20"', '"2001:db8::1"', "slot.device.sender = '2001:db8::1' does not reach '192.0.2.10:5005'"),
        ("sender =", 'port = "/dev/tty"\nsender =', "slot.device.port is for a tty, and exo_frame_udp is a UDP driver"),
        ("exo_frame_udp", "shimmer3", "line 12: slot.device.listen is for UDP, and shimmer3 is a serial driver"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_device_of_the_network(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(ward(tmp_path, NETWORK.replace(before, after)), drivers=UDP)
    assert any(sentence in str(problem) for problem in caught.value.problems), caught.value.problems


def test_two_devices_do_not_listen_at_one_place(tmp_path: Path) -> None:
    other = (
        NETWORK[NETWORK.index("[[slot]]") :].replace("gym-1", "gym-2").replace("p-1", "p-2").replace("exo-1", "exo-2")
    )
    with pytest.raises(ConfigError) as caught:
        load(ward(tmp_path, NETWORK + other.replace("192.0.2.20", "192.0.2.21")), drivers=UDP)
    (problem,) = caught.value.problems
    assert "slot.device.listen = '192.0.2.10:5005' is already another device's" in str(problem)


def test_parts_go_before_the_file_key_by_key_in_the_order_of_their_names(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    path.write_text('[site]\nsite = "north"\ngateway = "a"\n[outbox]\nmax_days = 5\nhistorians = ["x", "y"]\n')
    parts = tmp_path / "ward.toml.d"
    parts.mkdir()
    (parts / "50-b.toml").write_text("[outbox]\nmax_days = 7\n")
    (parts / "10-a.toml").write_text('[site]\ngateway = "b"\n[outbox]\nmax_days = 6\nhistorians = ["z"]\n')
    (parts / "60-c.previous").write_text("nonsense")
    found = load(path)
    assert (found.site.site, found.site.gateway) == ("north", "b")
    assert (found.outbox.max_days, found.outbox.historians) == (7, ["z"])
    assert load(path, trial=("50-b.toml", "[outbox]\nmax_days = 8\n")).outbox.max_days == 8
    assert load(path).outbox.max_days == 7


def test_a_mistake_in_a_part_is_told_of_the_part(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    path.write_text("[outbox]\nmax_days = 5\n")
    (tmp_path / "ward.toml.d").mkdir()
    part = tmp_path / "ward.toml.d" / "10-a.toml"
    part.write_text("\n[outbox]\nmax_days = 0\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [(str(part), 3)]


def test_an_editors_hidden_files_are_no_parts(tmp_path: Path) -> None:
    path = ward(tmp_path, '[site]\ngateway = "a"\n')
    parts = path.with_name(f"{path.name}.d")
    parts.mkdir()
    (parts / ".#10-a.toml").symlink_to("somebody@there.1")
    (parts / ".10-a.toml").write_text("half a")
    assert load(path).site.gateway == "a"


def test_parts_that_cannot_be_listed_are_told_and_never_left_out(tmp_path: Path) -> None:
    path = ward(tmp_path, '[site]\ngateway = "a"\n')
    parts = path.with_name(f"{path.name}.d")
    parts.write_text("")
    assert "is no folder" in problems(path)[0]
    parts.unlink()
    parts.symlink_to(parts.name)  # leads to itself
    assert "cannot be read" in problems(path)[0]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are for one user."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_parts_of_another_user(open_folder: Path) -> None:
    path = ward(open_folder, '[site]\ngateway = "a"\n')
    parts = path.with_name(f"{path.name}.d")
    parts.mkdir()
    (parts / "10-a.toml").write_text('[site]\ngateway = "b"\n')
    path.chmod(0o644)
    for mode in (0, 0o600):
        parts.chmod(mode)
        with as_somebody_else(), pytest.raises(ConfigError, match="may not be read by this user"):
            load(path)
    parts.chmod(0o700)


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Go on without an administrator's rights."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)
