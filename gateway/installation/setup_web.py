"""The set-up in a browser: one page over TLS, behind a code that works once, and over when it is done.

The certificate is thrown away afterwards, and nobody has signed it: whoever opens the page compares its fingerprint
with the one on the console, where the code stands too.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from config.errors import ConfigError
from config.settings import Dashboard
from gateway.dashboard.guard import HAS_USERS, add_headers, names_its_page, only_from_here
from gateway.dashboard.pages import STATIC
from gateway.dashboard.proxies import PROXIES, Proxies
from gateway.dashboard.signin import read_fields, read_form
from gateway.installation.setup import Done, SetupError
from gateway.installation.setup_answers import AnswerError, complete
from gateway.installation.setup_certificates import CertificateError, fingerprint, make_stand_in
from gateway.installation.setup_files import ALPHABET
from gateway.installation.setup_pages import code_page, done_page, questions_page
from gateway.installation.setup_questions import KEYS, QUESTIONS, Answers
from gateway.model.usage import UsageError

CODE_LETTERS = 8
"""40 bits, and five tries: nobody guesses it."""
TRIES = 5
CODE_WITHIN_S = 900.0
"""From the start to the code: somebody walks from the console to a tablet."""
ALL_WITHIN_S = 3600.0
LINGER_S = 3.0
"""For the style sheet of the last page."""
COOKIE = "__Host-setup"
CERTIFICATE_DAYS = 1
LARGEST_FORM = 65536

CarryOut = Callable[[Answers], Done]


@dataclass(slots=True)
class Visit:
    """One set-up in a browser.

    Attributes:
        carry_out: What is done with the answers.
        code: What opens it, once; empty when it has.
        entered: Set when the code was given, or never can be.
        ends: Set when the set-up is over, whatever came of it.
        tries: How many wrong codes are left.
        token: Of the browser that had the code; empty before.
        done: What came of it.
        ward: What the ward is called, once it is done.
    """

    carry_out: CarryOut
    code: str
    code_until_s: float
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    tries: int = TRIES
    token: str = ""
    done: Done | None = None
    ward: str = ""
    busy: bool = False


VISIT = web.AppKey("visit", Visit)


def run_setup_web(host: str, port: int, *, carry_out: CarryOut, say: Callable[[str], None]) -> Done:
    """Serve the set-up until it is done; raises SetupError where nobody came in time, UsageError for the address."""
    return asyncio.run(serve_setup(host, port, carry_out=carry_out, say=say))


async def serve_setup(host: str, port: int, *, carry_out: CarryOut, say: Callable[[str], None]) -> Done:
    """Serve the set-up until it is done.

    Args:
        host: The address to listen on.
        port: The port.
        carry_out: Called with the answers, on a thread.
        say: Told address, fingerprint and code.
    """
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS)).upper()
    visit = Visit(carry_out, code, time.monotonic() + CODE_WITHIN_S)
    context, shown = _throw_away(host)
    runner = web.AppRunner(make_app(visit), access_log=None, shutdown_timeout=LINGER_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except OSError as error:
            raise UsageError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
        say(f"Open https://{f'[{host}]' if ':' in host else host}:{port}/ in a browser.")
        say(f"It warns, as nobody has signed this page: compare the SHA-256 fingerprint.\n  {shown}")
        say(f"The code, within {CODE_WITHIN_S / 60:g} minutes: {code[:4]}-{code[4:]}")
        try:
            async with asyncio.timeout(CODE_WITHIN_S) as waiting:
                await visit.entered.wait()
                waiting.reschedule(asyncio.get_running_loop().time() + ALL_WITHIN_S)
                await visit.ends.wait()
        except TimeoutError:
            raise SetupError("nobody has finished the set-up in time: start it again") from None
        await asyncio.sleep(LINGER_S)
    finally:
        await runner.cleanup()
    if visit.done is None:
        raise SetupError(f"{TRIES} wrong codes were tried: start it again for another")
    return visit.done


def make_app(visit: Visit) -> web.Application:
    """Return the application of one set-up."""
    app = web.Application(middlewares=[only_from_here], client_max_size=LARGEST_FORM)
    app[VISIT], app[HAS_USERS], app[PROXIES] = visit, True, Proxies(Dashboard())
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/", start)
    app.router.add_post("/code", take_code)
    app.router.add_get("/questions", show_questions)
    app.router.add_post("/questions", take_answers)
    app.router.add_static("/static", STATIC)
    return app


async def start(request: web.Request) -> web.Response:
    """Ask for the code."""
    if _is_in(request):
        raise web.HTTPSeeOther("questions")
    return _html(code_page())


async def take_code(request: web.Request) -> web.Response:
    """Let the browser in that has the code; the code is used up by it."""
    visit = request.app[VISIT]
    _from_our_page(request)
    given = str((await read_form(request)).get("code", ""))
    plain = "".join(letter for letter in given.upper() if letter.isalnum())
    if not visit.code or time.monotonic() > visit.code_until_s:
        return _html(code_page("The code has been used, or its time is over. Start the set-up again."), 403)
    if not hmac.compare_digest(plain.encode(), visit.code.encode()):
        visit.tries -= 1
        if visit.tries <= 0:
            visit.code = ""
            visit.entered.set()
            visit.ends.set()
        return _html(code_page(f"That is not the code. Tries left: {visit.tries}."), 403)
    visit.code, visit.token = "", secrets.token_urlsafe(32)
    visit.entered.set()
    answer = web.HTTPSeeOther("questions")
    answer.set_cookie(COOKIE, visit.token, httponly=True, secure=True, samesite="Strict", path="/")
    raise answer


async def show_questions(request: web.Request) -> web.Response:
    """Show all questions, each with its default."""
    _must_be_in(request)
    return _html(questions_page({}, {}))


async def take_answers(request: web.Request) -> web.Response:
    """Take the answers: show what is wrong with them, or carry them out."""
    visit = request.app[VISIT]
    _must_be_in(request)
    _from_our_page(request)
    if visit.done is not None:  # the page was sent again: what it shows is shown nowhere else
        return _html(done_page(visit.ward, visit.done))
    form = await read_fields(request)
    given = {key: str(form[key]).strip() for key in KEYS if key in form}
    given = {key: value for key, value in given.items() if value or not _has_default(key)}
    if visit.busy:
        raise web.HTTPConflict(text="The set-up is under way.\n")
    visit.busy = True
    try:
        answers = complete(given)
        visit.done = await asyncio.to_thread(visit.carry_out, answers)
    except AnswerError as error:
        return _html(questions_page(given, {error.key: error.sentence}), 422)
    except (SetupError, CertificateError, ConfigError, UsageError, OSError) as error:
        return _html(questions_page(given, {"": str(error)}), 422)
    finally:
        visit.busy = False
    visit.ward = answers["ward.name"]
    visit.ends.set()
    return _html(done_page(visit.ward, visit.done))


def _has_default(key: str) -> bool:
    return next(question for question in QUESTIONS if question.key == key).required


def _is_in(request: web.Request) -> bool:
    token = request.app[VISIT].token
    return bool(token) and hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), token.encode())


def _must_be_in(request: web.Request) -> None:
    if not _is_in(request):
        raise web.HTTPSeeOther("./")


def _from_our_page(request: web.Request) -> None:
    if not names_its_page(request):
        raise web.HTTPForbidden(text="A form is taken from our own page only.\n")


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


def _throw_away(host: str) -> tuple[ssl.SSLContext, str]:
    """Return TLS with a certificate for this once, and its fingerprint. The files are gone before anybody comes."""
    pair = make_stand_in([host, "localhost"], days=CERTIFICATE_DAYS)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        cert.write_bytes(pair.cert)
        key.touch(0o600)
        key.write_bytes(pair.key)
        context.load_cert_chain(cert, key)
    return context, fingerprint(pair.cert)
