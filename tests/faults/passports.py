"""Certificates that end, or are taken back, while everything runs, and are replaced in their place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gateway.broker.access_list import access_list, listener
from gateway.broker.embedded import find_mosquitto
from tests.certificates import DAY, Authority
from tests.faults.chain import Chain, wait_for
from tests.faults.files import works
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.servers import Child, free_port, missing

LIVES_S = 15.0
"""Of a certificate that ends in the middle of a run: long enough to be in use before, also on a busy machine."""
MARGIN_S = 1.0
"""Certificates know whole seconds."""
EXPIRED = "has expired"


def refused_again(chain: Chain, times: int) -> bool:
    """Whether the gateway has said more than so many times why it is not let in."""
    return chain.gateway.text().count(EXPIRED) > times


@contextmanager
def strict_mosquitto(folder: Path, authority: Authority) -> Iterator[Child]:
    """A mosquitto that knows everybody by certificate, with the access list that the product makes."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    authority.issue("broker", server=True)
    port = free_port()
    (folder / "acl").write_text(access_list("test", ["faults"], ["historian"], []))
    config = folder / "mosquitto.conf"
    # Ours is for a mosquitto that Debian has configured: where it keeps its memory stands elsewhere.
    memory = f"persistence_location {folder}/\n"
    config.write_text(f"user {Path('/proc/self').owner()}\n{memory}{listener(folder, port)}")
    child = Child(port, [str(program), "-c", str(config)])
    try:
        yield child
    finally:
        child.end()


def expired(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Let the gateway's certificate end while it is in use, cut the link, and put a new one in its place.

    Nobody starts anything again: the gateway must say why it is refused, and read the new files by itself.
    """
    del seed
    outcome = Outcome("certificate expires and is replaced")
    folder.mkdir()
    authority = Authority(folder)
    for name in ("faults", "historian"):
        authority.issue(name)
    with strict_mosquitto(folder, authority) as broker, Chain(folder, broker, tls=folder, resend_after_s=5.0) as chain:
        while outcome.times < times:
            ends_at = time.monotonic() + LIVES_S
            authority.issue("faults", days=LIVES_S / DAY.total_seconds())
            chain.broker.end()
            chain.broker.start()
            if not works(chain) or time.monotonic() > ends_at:
                outcome.notes.append("the certificate was over before it was used")
            time.sleep(max(0.0, ends_at + MARGIN_S - time.monotonic()))
            # TLS asks for the certificate when a connection is made: a standing one goes on.
            chain.broker.end()
            chain.broker.start()
            if not wait_for(partial(refused_again, chain, chain.gateway.text().count(EXPIRED)), QUIET_WITHIN_S):
                outcome.notes.append("nobody said that the certificate has expired")
            authority.issue("faults")
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    return outcome
