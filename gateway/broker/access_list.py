"""Who may do what at a mosquitto of the site's own: its listener and its access list, made from the configuration.

Everybody is known by the common name of a certificate of the site's authority, and by nothing else: the broker takes
it for the user name and for the client id, so that nobody can end, or inherit, another's session.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.wire.commands import COMMANDS
from gateway.wire.topics import ROOT, TABLE, Topics

TLS_PORT = 8883  # registered for MQTT over TLS (IANA)
HISTORIAN, DASHBOARD = "historian", "dashboard"
FROM_GATEWAY = (
    "measurements",
    "records",
    "cycles",
    "gaps",
    "status",
    "status-page",
    "ward",
    "notices",
    "waveform",
    "home",
)
TO_GATEWAY = ("stored", "stored-by", "command")
ANSWERS = "rehab/answers"
"""Where whoever sends a command may be answered: ``rehab/answers/<site>/<common name>/…``, below no gateway."""

MADE = "# Made by 'rehab-gateway broker-acl'"
"""What both files begin with, by which they are known again."""

LISTENER = """\
{made}: put it into /etc/mosquitto/conf.d and restart mosquitto.
# The four files come from the site's certificate authority.

listener {port}
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/crl.pem
tls_version tlsv1.2

# Who comes without a certificate of this authority is refused; its common name is who it is.
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl

# Acknowledged messages wait here for a historian that is away; the outbox has them until they are stored.
# (Not 0 for "any number": mosquitto 2.0.11 ends the connection of whoever it refuses a message then.)
max_queued_messages 1000000
max_queued_bytes 67108864
max_inflight_messages 100
persistent_client_expiration 14d
max_packet_size 1048576

# A small message does not wait in the kernel until the one before it is acknowledged.
set_tcp_nodelay true
"""


def names(parts: Sequence[str], topics: Topics) -> list[str]:
    """Return the topic filters of rows of the topic table."""
    patterns = {row.name: row.pattern for row in TABLE}
    levels = [patterns[part].split("/") for part in parts]
    return ["/".join([topics.prefix, *("+" if level.startswith("<") else level for level in row)]) for row in levels]


def access_list(
    site: str, gateways: Sequence[str], historians: Sequence[str], dashboards: Sequence[str], *,
    home_assistant: str = "", discovery: str = "homeassistant",
) -> str:  # fmt: skip
    """Return mosquitto's access list: what is not in it is refused.

    Everybody is given by common name; a Home Assistant only where gateways announce themselves, below ``discovery``.

    Raises:
        ValueError: one name is two of them.
    """
    everybody = [*gateways, *historians, *dashboards, *([home_assistant] if home_assistant else [])]
    twice = sorted({name for name in everybody if everybody.count(name) > 1})
    if twice:
        raise ValueError(f"'{twice[0]}' is two of them: each needs a name, and a certificate, of its own")
    every = Topics(site, "+")
    blocks = [f"{MADE}. A user is the common name of a certificate."]
    for gateway in gateways:
        own = Topics(site, gateway)
        rules = [("write", topic) for topic in (*names(FROM_GATEWAY, own), f"{ANSWERS}/{site}/#")]
        if home_assistant:
            rules.append(("write", f"{discovery}/device/rehab-{site}-{gateway}/+/config"))
        blocks.append(_block(f"gateway {gateway}", gateway, [*rules, *(("read", t) for t in names(TO_GATEWAY, own))]))
    for historian in historians:
        # The retained curves of a subject that is erased: it empties them.
        written = (every.stored, every.stored_by(historian), every.cycles())
        rules = [("read", f"{ROOT}/{site}/#"), *(("write", topic) for topic in written)]
        blocks.append(_block("historian", historian, rules))
    for dashboard in dashboards:
        rules = [
            ("read", f"{ROOT}/{site}/#"),
            *(("write", every.command(name)) for name in COMMANDS),
            ("read", f"{ANSWERS}/{site}/{dashboard}/#"),
        ]
        blocks.append(_block("dashboard", dashboard, rules))
    if home_assistant:
        blocks.append(_home_assistant(home_assistant, every, discovery))
    return "\n".join(blocks)


def _home_assistant(user: str, every: Topics, discovery: str) -> str:
    heard = (every.status, every.home(), f"{discovery}/#")
    said = f"{discovery}/status"  # its birth and its last will
    return _block("Home Assistant", user, [*(("read", topic) for topic in heard), ("write", said)])


def listener(folder: Path, port: int = TLS_PORT) -> str:
    """Return mosquitto's configuration; its files, and the access list, lie in ``folder``."""
    return LISTENER.format(made=MADE, folder=folder, port=port)


def _block(what: str, user: str, rules: Sequence[tuple[str, str]]) -> str:
    return "\n".join([f"\n# {what}", f"user {user}", *(f"topic {kind} {topic}" for kind, topic in rules)]) + "\n"
