"""The desk's side of enrolment and of renewal: a question in, certificates or a refusal out."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any

import orjson

from gateway.broker.access_list import HISTORIAN
from gateway.fleet.authority import MEMBER_DAYS, OF_OLD, PARTS, Authority
from gateway.fleet.codes import ProofError, key_of, make_code, opened, sealed
from gateway.fleet.mosquitto import RESERVED
from gateway.fleet.refusals import Refusals
from gateway.fleet.register import MOST_MEMBERS, MOST_TRIES, Invitation, Register
from gateway.machine.plain_text import text_of

log = logging.getLogger(__name__)

DAY_S = 86_400
LARGEST_REQUEST = 16_384
LONGEST_NAME = 64
LONGEST_NONCE = 128
NO_INVITATION = "no invitation of this name and code is open: it is wrong, used, or over. Ask for a new one"
"""One sentence for all of it: who guesses learns nothing."""


NOT_IN_IT = "it is not in the fleet"
MOST_A_DAY = 10
"""Times that a gateway gets new certificates within a day: each is a number that a revocation has to name."""


class EnrolmentError(Exception):
    """Why somebody does not get what they ask for."""


def invite(register: Register, gateway: str, ring: str, *, minutes: float, now_s: float) -> str:
    """Invite a gateway and return its code, which is kept nowhere; raises EnrolmentError."""
    others = (
        *RESERVED,
        *orjson.loads(register.fact("historians") or "[]"),
        *orjson.loads(register.fact("dashboards") or "[]"),
    )
    if gateway in (*others, HISTORIAN):
        raise EnrolmentError(
            f"'{gateway}' is another's name in this fleet, with other rights: call the gateway otherwise"
        )
    present = {member.gateway for member in register.present()}
    if gateway not in present and len(present) >= MOST_MEMBERS:
        raise EnrolmentError(f"the fleet has {len(present)} gateways: that is all there may be")
    code = make_code()
    register.invite(gateway, key_of(code, gateway), ring, now_s + minutes * 60)
    return code


class Enrolment:
    """Answers whoever wants to join, or needs new certificates.

    Args:
        register: The desk's books.
        authority: Signs.
        about: What a new gateway is told of the site beside its certificates.
        on_joined: Called when somebody has joined, and whether they were a member before; before they are answered,
            since the broker has to know them.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        register: Register,
        authority: Authority,
        about: dict[str, Any],
        *,
        on_joined: Callable[[str, bool], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._register = register
        self._authority = authority
        self._about = about
        self._on_joined = on_joined
        self._clock = clock
        self._refusals = Refusals()

    def answer(self, payload: bytes) -> bytes:
        """Return the answer to a request, sealed with the code; or a refusal, which anybody may read."""
        try:
            return self._join(payload)
        except EnrolmentError as refusal:
            self._refusals.add(f"enrolment refused: {refusal}")
            return orjson.dumps({"v": 1, "refused": str(refusal)})

    def _join(self, payload: bytes) -> bytes:
        envelope = _object(payload)
        gateway = text_of(envelope.get("gateway"), LONGEST_NAME)
        used = self._register.invitation(gateway)
        if used is None or used.expires_s <= self._clock() or used.tries >= MOST_TRIES:
            raise EnrolmentError(NO_INVITATION)
        try:
            message = opened(used.key, "request", envelope)
        except ProofError:
            self._register.count_try(gateway)
            raise EnrolmentError(NO_INVITATION) from None
        except ValueError as error:
            raise EnrolmentError(f"the request cannot be read: {error}") from None
        asked = hashlib.sha256(payload).hexdigest()
        if used.asked:
            if used.asked == asked and used.answer is not None:
                return used.answer  # the answer was lost on its way: the same question gets the same answer
            raise EnrolmentError(NO_INVITATION)
        return self._admit(used, message, asked)

    def _admit(self, used: Invitation, message: dict[str, Any], asked: str) -> bytes:
        pems, numbers = self._sign(used.gateway, message)
        nonce = text_of(message.get("nonce"), LONGEST_NONCE)
        about = {**self._about, "gateway": used.gateway, "nonce": nonce, "ca": self._authority.pem}
        answer = sealed(used.key, "answer", about | pems)
        anew = any(member.gateway == used.gateway for member in self._register.members())
        if not self._register.admit(used, asked, answer, numbers, self._clock()):
            raise EnrolmentError(NO_INVITATION)
        self._on_joined(used.gateway, anew)
        log.info("gateway %s has joined", used.gateway)
        return answer

    def renew(self, gateway: str, payload: bytes) -> bytes:
        """Return new certificates for a gateway that is known by its present one."""
        try:
            self._see_that_it_may(gateway)
            pems, numbers = self._sign(gateway, _object(payload))
            if not self._register.add_certificates(gateway, numbers):
                raise EnrolmentError(NOT_IN_IT)  # noqa: TRY301 - as whatever else is refused here
        except EnrolmentError as refusal:
            self._refusals.add(f"{gateway} gets no new certificates: {refusal}")
            return orjson.dumps({"v": 1, "refused": str(refusal)})
        log.info("gateway %s has new certificates", gateway)
        return orjson.dumps({"v": 1, **pems})

    def _see_that_it_may(self, gateway: str) -> None:
        """Raise EnrolmentError where a gateway is none of ours, or has new certificates again and again."""
        if gateway not in {member.gateway for member in self._register.present()}:
            raise EnrolmentError(NOT_IN_IT)
        since_s = self._clock() + (MEMBER_DAYS - 1) * DAY_S  # what was signed a day ago ends then
        if self._register.certificates_after(gateway, since_s) >= MOST_A_DAY * len(PARTS):
            raise EnrolmentError(f"it has had new ones {MOST_A_DAY} times within a day: look at what runs there")

    def _sign(self, gateway: str, message: dict[str, Any]) -> tuple[dict[str, str], list[tuple[int, float]]]:
        pems, numbers = {}, []
        expires_s = self._clock() + MEMBER_DAYS * DAY_S
        for part, ending in PARTS.items():
            request = message.get(f"{part}_request", "" if part in OF_OLD else None)
            if request is None:
                continue  # a gateway of before
            try:
                if not isinstance(request, str):
                    raise ValueError("it is no text")  # noqa: TRY301, TRY004 - as whatever else is wrong with it
                pems[f"{part}_cert"], number = self._authority.sign_request(request, f"{gateway}{ending}")
            except ValueError as error:
                raise EnrolmentError(f"the request cannot be signed: {error}") from None
            numbers.append((number, expires_s))
        return pems, numbers


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > LARGEST_REQUEST:
        raise EnrolmentError("the request is too large")
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise EnrolmentError("the request is not JSON") from None
    if not isinstance(found, dict):
        raise EnrolmentError("the request is not an object")
    return found
