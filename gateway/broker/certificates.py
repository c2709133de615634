"""Certificates: what TLS to the broker needs, how long a certificate holds, and what went wrong in one sentence.

Nothing is kept: files are read at each connection, so that a certificate that was replaced works without a restart.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from config import plain_file
from config.settings import Broker, Settings
from gateway.broker.certificate_changes import CertificateChanges
from gateway.broker.door import own_broker

Part = Literal["gateway", "historian", "dashboard", "command"]
COMMAND_FILE = "command.pem"
"""Certificate and key of the commands typed on a gateway: in a fleet they lie beside the gateway's own."""
DAY_S = 86400.0
LARGEST_BYTES = 1_000_000
LISTEN_S = 2.0
"""For the broker's word on our certificate: it comes at once, or not at all."""
LOOK_EVERY_S = 60.0
"""A certificate may be replaced at any time; a minute later the notice is gone."""

_NOT_OURS = "the broker's certificate is not of the authority in broker.ca_file"
_NOT_ITS_LIST = "the revocation list in broker.crl_file is not of the broker's authority"
_OTHER_HOST = "the broker's certificate is for another host than broker.host"
_VERIFY = {  # of the broker's certificate: codes of OpenSSL's verification (x509_vfy.h)
    3: _NOT_ITS_LIST,
    8: _NOT_ITS_LIST,
    9: "the broker's certificate is not valid yet: look at the clocks of both machines",
    10: "the broker's certificate has expired: the broker needs a new one",
    12: "the revocation list in broker.crl_file is too old: fetch the authority's newest",
    18: _NOT_OURS,
    19: _NOT_OURS,
    20: _NOT_OURS,
    21: _NOT_OURS,
    23: "the broker's certificate has been revoked: do not trust this broker",
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
_REASONS = (  # in OpenSSL's words: what the broker answers to ours (RFC 8446, section 6.2), and wrong files
    ("CERTIFICATE_EXPIRED", "the broker refused our certificate, which has expired: put a new one in its place"),
    ("CERTIFICATE_REVOKED", "the broker refused our certificate, which has been revoked: ask for a new one"),
    ("UNKNOWN_CA", "the broker refused our certificate, which is not of its authority"),
    ("CERTIFICATE_REQUIRED", "the broker asks for a certificate: set broker.cert_file and key_file"),
    ("UNSUPPORTED_CERTIFICATE", "the broker refused our certificate, which is not one for clients"),
    ("BAD_CERTIFICATE", "the broker refused our certificate"),
    ("CERTIFICATE_UNKNOWN", "the broker refused our certificate"),
    ("HANDSHAKE_FAILURE", "the broker and we have no way of TLS in common, or it asks for a certificate"),
    ("PROTOCOL_VERSION", "the broker speaks an old TLS only: it needs version 1.2"),
    ("WRONG_VERSION_NUMBER", "the broker does not speak TLS on this port"),
    ("KEY_VALUES_MISMATCH", "broker.key_file is not the key of broker.cert_file"),
    ("NO_START_LINE", "a certificate or key file is not in PEM format"),
    ("NO_CERTIFICATE_OR_CRL_FOUND", "a certificate or key file is not in PEM format"),
)
_TLS = re.compile(r"\[(?:SSL|X509)(?:: ([A-Z0-9_]+))?\]")


class _Socket(ssl.SSLSocket):
    """A socket that does not stay open when the other side cannot be trusted; paho would forget it as it is."""

    def do_handshake(self, block: bool = False) -> None:  # as in the standard library
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def broker_for(settings: Settings, part: Part) -> Broker:
    """Return the broker as a part reaches it: the embedded one, or with a certificate of its own, where it has one.

    A broker may know one connection by each certificate: a command with that of ``run`` would end what it asks.
    """
    broker = settings.broker
    own = settings.historian.cert_file, settings.historian.key_file
    if part in ("dashboard", "command"):
        own = settings.dashboard.broker_cert_file, settings.dashboard.broker_key_file
    if part == "command" and broker.cert_file and (file := broker.cert_file.with_name(COMMAND_FILE)).exists():
        own = file, file
    if part != "gateway" and own[0] is not None:
        broker = broker.model_copy(update={"cert_file": own[0], "key_file": own[1]})
    return own_broker(broker, settings.site.data) if broker.embedded else broker


def context_for(broker: Broker) -> ssl.SSLContext | None:
    """Return what TLS to the broker needs, read from the files now; None without TLS.

    Raises:
        OSError: a file is missing or is not what it should be (`explain` says it in words).
    """
    if broker.ca_file is None and broker.cert_file is None:
        return None
    for file in (broker.ca_file, broker.crl_file, broker.cert_file, broker.key_file):
        if file is not None:
            plain_file.look(file)  # OpenSSL would wait for somebody who writes into a pipe
    context = ssl.create_default_context(cafile=broker.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Socket
    if broker.crl_file is not None:
        context.load_verify_locations(cafile=broker.crl_file)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if broker.cert_file is not None:
        context.load_cert_chain(broker.cert_file, broker.key_file)
    return context


def refusal(broker: Broker) -> str:
    """Return why the broker ends the connection after the handshake; empty when it says nothing about TLS.

    With TLS 1.3 a broker judges our certificate after we think that all is well. If we have written something by then,
    its word on it may be lost with the connection; so we come again, write nothing, and listen.
    """
    try:
        context = context_for(broker)
        if context is None:
            return ""
        with (
            socket.create_connection((broker.host, broker.port), timeout=LISTEN_S) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as secure,
        ):
            secure.settimeout(LISTEN_S)
            secure.recv(1)
    except OSError as error:
        return explain(error) if is_tls_trouble(str(error)) else ""
    return ""


def _in_words(error: OSError) -> str:
    """Return what the system says of a connection that did not come about, and not the name of an exception."""
    if isinstance(error, FileNotFoundError):
        return ""  # a certificate: OpenSSL does not say which
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers there: does the broker run, and are address and port right?"
    return (error.strerror or "").lower()


def explain(error: str | BaseException) -> str:
    """Return a failure of TLS as a sentence; other failures, and texts, as they are."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, f"the broker's certificate is refused: {error.verify_message}")
    plain = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
    found = _TLS.search(plain)
    if found is None:
        return _in_words(error) or plain if isinstance(error, OSError) else plain
    reason = found[1] or "NO_START_LINE"  # without a word of why, OpenSSL found nothing to read
    sentence = next((sentence for end, sentence in _REASONS if reason.endswith(end)), "")
    return sentence or f"TLS failed: {reason.lower().replace('_', ' ')}"


def is_tls_trouble(text: str) -> bool:
    """Whether a text of the MQTT library is about TLS."""
    return _TLS.search(text) is not None


def days_left(certificate: Path, *, now: datetime | None = None) -> float:
    """Return for how many days the first certificate of a file still holds; negative when it is over.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no certificate.
    """
    from cryptography import x509  # 8 MB of memory, which a site without TLS does without

    if certificate.stat().st_size > LARGEST_BYTES:
        raise ValueError("too large for a certificate")
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return (found.not_valid_after_utc - (now or datetime.now(UTC))).total_seconds() / DAY_S


def common_name(certificate: Path) -> str:
    """Return the name in a certificate; empty where there is none, or where the file cannot be read."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (OSError, ValueError):
        return ""
    return str(names[0].value) if names else ""


class Certificates:
    """The certificates that the settings name, looked at now and then.

    Args:
        settings: Which files they are.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        named = {
            "of the gateway": settings.broker.cert_file,
            "of the broker's authority": settings.broker.ca_file,
            "of the historian": settings.historian.cert_file,
            "of the dashboard": settings.dashboard.cert_file,
            "of the dashboard at the broker": settings.dashboard.broker_cert_file,
        }
        self._paths = {name: path for name, path in named.items() if path is not None}
        self._clock = clock
        self._looked = -LOOK_EVERY_S
        self._found: list[dict[str, Any]] = []
        self._compared = CertificateChanges()
        self._changed: list[dict[str, str]] = []

    def status(self) -> list[dict[str, Any]]:
        """Return ``{"name", "days_left"}`` of each, at most a minute old; one that cannot be read is left out.

        The file may be another user's, on whose side it is looked after; a connection that needs it says so itself.
        """
        now = self._clock()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            days = {name: _days(path) for name, path in self._paths.items()}
            self._found = [{"name": name, "days_left": left} for name, left in days.items() if left is not None]
            looks = {name: self._compared.look(name, path) for name, path in self._paths.items()}
            self._changed = [{"name": name, "why": why} for name, why in looks.items() if why]
        return self._found

    def changes(self) -> list[dict[str, str]]:
        """Return ``{"name", "why"}`` of each that is not what it was, as of the last status."""
        return self._changed


def _days(path: Path) -> float | None:
    try:
        return round(days_left(path), 2)
    except (OSError, ValueError):
        return None
