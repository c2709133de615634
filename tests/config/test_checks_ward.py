"""What a ward cannot be, and what no message may show."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load
from gateway.cli.options import known_drivers

KNOWN = known_drivers()
SLOT = '[[slot]]\nid = "{id}"\nsubject = "{subject}"\n{more}'
DEVICE = '[[slot.device]]\nid = "{id}"\ndriver = "{driver}"\nplacement = "{placement}"\n{way}\n'


def refused(folder: Path, text: str) -> str:
    """Return what is said of a configuration; empty if nothing."""
    path = folder / "ward.toml"
    path.write_text(text, "utf-8")
    try:
        load(path, KNOWN)
    except ConfigError as error:
        return "\n".join(str(problem) for problem in error.problems)
    return ""


def slot(ident: str = "bay-1", subject: str = "p-1", more: str = "") -> str:
    return SLOT.format(id=ident, subject=subject, more=more)


def device(ident: str, driver: str, placement: str, way: str) -> str:
    return DEVICE.format(id=ident, driver=driver, placement=placement, way=way)


DOT = device("dot-1", "movella_dot", "lower_back", 'address = "D4:22:CD:00:00:01"')
SHIMMER = device("shimmer-1", "shimmer3", "lower_back", 'port = "/dev/rfcomm0"')
STRAP = device("strap-1", "heart_rate", "chest", 'address = "D4:22:CD:00:00:02"')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (slot() + slot("bay-2"), "slot.subject = 'p-1' is already in slot 'bay-1': nobody is in two beds"),
        (slot(more='protocol = "fre_walk"\n'), "is not a protocol; did you mean 'free_walk'?"),
        (slot() + DOT + SHIMMER, "already has a movella_dot in this slot: one motion sensor a place"),
        (slot() + STRAP.replace("chest", "left_foot"), "is no place for a heart_rate: choose one of chest, wrist"),
        ('[broker]\nhost = "mqtt://broker"\nembedded = false\n', "broker.host must be a name or an address alone"),
        ('[broker]\nhost = "broker 7"\nembedded = false\n', "broker.host must be a name or an address alone"),
        ("[broker]\nport = 8080\n", "dashboard.port = 8080 is already broker.port"),
        ("[prometheus]\nport = 8080\n", "prometheus.port = 8080 is already dashboard.port"),
        ('[site]\ndata = "a\\nb"\n', "site.data holds a character that cannot be seen"),
        (slot(more='label = "bed \\u001b[31m"\n'), "slot.label holds a character that cannot be seen"),
    ],
)
def test_what_cannot_be_is_reported(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refused(tmp_path, text)


def test_a_strap_and_a_sensor_share_a_place(tmp_path: Path) -> None:
    assert refused(tmp_path, slot() + DOT.replace("lower_back", "chest") + STRAP) == ""
    assert refused(tmp_path, slot() + slot("bay-2", "p-2", 'protocol = "tug"\n')) == ""


@pytest.mark.parametrize(
    "text",
    [
        '[historian.store]\nkind = "influxdb3"\nurl = "http://ward:hunter2@store:8181"\n',
        '[historian.store]\nkind = "influxdb3"\nurl = "ward:hunter2@store:8181"\n',
        '[broker]\nhost = "mqtt://ward:hunter2@broker"\nembedded = false\n',
        'broker = "mqtt://ward:hunter2@broker"\n',
        '[broker]\npassword_file = ["hunter2"]\n',
        '[broker]\npassword = "hunter2"\n',
        '[broker]\nusername = ["ward", "hunter2"]\n',
        '[historian.store]\nkind = "influxdb3"\nurl = "http://x"\ntoken_file = { token = "hunter2" }\n',
        '[historian.store]\nkind = "http://ward:hunter2@store"\nurl = "http://x"\n',
    ],
)
def test_no_message_shows_a_secret(tmp_path: Path, text: str) -> None:
    reason = refused(tmp_path, text)
    assert reason
    assert "hunter2" not in reason
