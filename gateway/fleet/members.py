"""Who may come to the broker, kept in step with the books: rights, revocations, and the end of a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from stat import S_IMODE

import orjson

from config.settings import Broker
from gateway.broker.access_list import HISTORIAN
from gateway.broker.certificates import days_left
from gateway.fleet.authority import MEMBER_DAYS, PARTS, Authority, belong_together
from gateway.fleet.mosquitto import DESK, evict, reload, rights, write_rights
from gateway.fleet.register import Register
from gateway.machine.durable import replace_file


class FleetFolder:
    """The desk's folder: books, authority and what mosquitto reads.

    Args:
        folder: Made by 'rehab-gateway fleet init'.
        reload_command: Has mosquitto read its files again.

    Raises:
        OSError, ValueError, sqlite3.Error: It is not there, or is none.
    """

    def __init__(self, folder: Path, reload_command: Sequence[str]) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.register = Register(folder)
        self._reload_command = reload_command
        self._to_put_out: set[str] = set()

    @property
    def site(self) -> str:
        """Whose fleet it is."""
        return self.register.fact("site")

    def historians(self) -> list[str]:
        """Return the ids of the historians that share; none where one shares with nobody."""
        return list(orjson.loads(self.register.fact("historians") or "[]"))

    def broker(self, name: str = DESK) -> Broker:
        """Return the broker as somebody whose certificate lies here reaches it."""
        fact = self.register.fact
        return Broker(
            embedded=False, host=fact("host"), port=int(fact("port")), ca_file=self.authority.path,
            cert_file=self.folder / f"{name}.pem", key_file=self.folder / f"{name}.key",
        )  # fmt: skip

    def apply(self, joined_anew: str = "") -> str:
        """Have mosquitto know who is in the fleet now; return what went wrong, or nothing.

        What others write to the books waits meanwhile: the newest list is never replaced by an older one. Of a gateway
        that joined anew the connections of before are ended, once the broker has read that they may not come back.
        """
        if joined_anew:
            self._to_put_out.add(joined_anew)
        register = self.register
        with register.changing():
            gateways = [member.gateway for member in register.present()]
            dashboards = list(orjson.loads(register.fact("dashboards") or "[]"))
            write_rights(self.folder, rights(self.site, gateways, self.historians() or [HISTORIAN], dashboards))
            self.authority.write_revocations(register.revoked_numbers(time.time()))
            trouble = reload(self._reload_command)
        if not trouble:
            self._to_put_out = {one for one in self._to_put_out if self._put_out(one)}
        return trouble

    def _put_out(self, gateway: str) -> list[str]:
        """End each connection that a gateway may have; return by which names it may still have one."""
        names = [f"{gateway}{ending}" for ending in PARTS.values()]
        return [name for name in names if not evict(self.authority, self.broker(), name)]

    def renew_own(self) -> list[str]:
        """Renew certificates of the broker and of whoever is at the desk's side, in time; return whose."""
        renewed = []
        for key in sorted(self.folder.glob("*.key")):
            pem = key.with_suffix(".pem")
            if key.stem == "ca" or not pem.exists() or not self._is_ending(pem, key):
                continue
            hosts = orjson.loads(self.register.fact("hosts")) if key.stem == "broker" else ()
            made, private, _ = self.authority.issue(key.stem, hosts=hosts)
            # Who may read the broker's key is the site's choice: mosquitto is another user.
            replace_file(key, private.encode(), mode=S_IMODE(key.stat().st_mode))
            replace_file(pem, made.encode(), mode=0o644)
            renewed.append(key.stem)
        return renewed

    def _is_ending(self, pem: Path, key: Path) -> bool:
        """Whether a certificate ends soon, or is not that of its key: a power cut came between the two files."""
        own = belong_together(pem.read_text("utf-8"), key.read_text("utf-8"))
        return not own or days_left(pem) < MEMBER_DAYS / 3

    def revoke(self, gateway: str, why: str) -> list[str] | None:
        """Take a gateway out of the fleet at once; of one that is out already, tell the broker once more.

        Returns:
            What could not be done, in sentences; None where there never was such a gateway.
        """
        known = any(member.gateway == gateway for member in self.register.members())
        if not self.register.revoke(gateway, why, time.time()) and not known:
            return None
        trouble = self.apply()
        found = [f"mosquitto has not read its new lists: {trouble}"] if trouble else []
        return [*found, *(f"the connection of {name} could not be ended" for name in self._put_out(gateway))]
