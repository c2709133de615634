"""The pages of signing in: the form, the way back with a PIN, one's own PIN, and the way to another site and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template
from urllib.parse import quote

from gateway.dashboard.pages import draft_of, read, translate
from gateway.texts.languages import spoken, text


@dataclass(frozen=True, slots=True)
class Ways:
    """How somebody may come in here.

    Attributes:
        returning: Names of those who may go on with a PIN in this browser.
        openid: What people call the trust's own sign-in; empty where there is none.
        languages: Links to the other languages.
    """

    returning: Sequence[str] = ()
    openid: str = ""
    languages: str = ""


def sign_in(onward: str, reason: str, ways: Ways) -> str:
    """Return the page with all the ways in; ``onward`` is where it leads."""
    where = quote(onward, safe="")
    body = _page("login").substitute(
        next=escape(onward),
        reason=escape(reason),
        hidden="" if reason else " hidden",
        unlock=_unlock(onward, ways.returning) if ways.returning else "",
        heading=escape(text("login.somebody_else") if ways.returning else text("login.sign_in")),
        level=2 if ways.returning else 1,
        focus="" if ways.returning else " autofocus",
        openid=_openid(where, ways.openid) if ways.openid else "",
        languages=ways.languages,
        draft=draft_of(spoken()),
    )
    return _outside(text("unlock.locked") if ways.returning else text("login.sign_in"), body)


def _unlock(onward: str, names: Sequence[str]) -> str:
    options = "".join(f"<option>{escape(name)}</option>" for name in names)
    return _page("unlock").substitute(options=options, next=escape(onward))


def _openid(where: str, label: str) -> str:
    words = escape(text("login.sign_in_with", name=label))
    return f'<p class="other"><a class="button" href="openid?next={where}">{words}</a></p>'


def own_pin(*, name: str, has_one: bool, may_set: bool, said: str = "", well: bool = True, languages: str = "") -> str:
    """Return the page of one's own PIN."""
    body = _page("pin").substitute(
        name=escape(name),
        has=escape(text("pin.you_have_a_pin") if has_one else text("pin.you_have_no_pin")),
        said=escape(said),
        said_hidden="" if said else " hidden",
        said_role="status" if well else "alert",
        set_hidden="" if may_set else " hidden",
        whole_hidden=" hidden" if may_set else "",
        remove_hidden="" if may_set and has_one else " hidden",
        languages=languages,
        draft=draft_of(spoken()),
    )
    return _outside(text("pin.your_pin"), body)


def onward(address: str, words: str, *, root: str) -> str:
    """Return a page that goes on by itself.

    A redirection would not do: after another site has sent the browser here, a browser keeps a strict cookie back until
    a page of ours has asked (RFC 6265bis, "SameSite"), and a form of ours may lead to no other site (CSP, form-action).
    """
    body = _page("onward").substitute(address=escape(address), words=escape(words))
    refresh = f'<meta http-equiv="refresh" content="0; url={escape(address)}">\n'
    return _outside(text("onward.one_moment"), body, root=root, head=refresh)


def not_let_in(where: str, onward: str, reason: str, *, root: str) -> str:
    """Return the page that says why another site's answer let nobody in; ``where`` is the form."""
    again = f"{where}?next={quote(onward, safe='')}"
    body = _page("refused").substitute(again=escape(again), reason=escape(reason), draft=draft_of(spoken()))
    return _outside(text("refused.not_signed_in"), body, root=root)


def _outside(title: str, body: str, *, root: str = "", head: str = "") -> str:
    """Return a page for somebody who is not in, or not quite."""
    return _page("outside").substitute(title=escape(title), body=body, root=root, head=head, lang=spoken().locale)


def _page(name: str) -> Template:
    return Template(translate(read(name), spoken()))
