"""What every page passes on its way in and out: who is there, is the form ours, is the answer safe to show.

A page is a plain function ``(visit) -> Response`` that runs off the event loop. Whatever it refuses (a
:class:`~tocsin.errors.TocsinError`) becomes a page in words, or for htmx a message above the page, which is then
fetched anew so that it shows the state as it is.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tocsin.desk import access
from tocsin.desk.model import Actor, Role
from tocsin.desk.web.desk import Desk
from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound, NotSignedIn, TocsinError, TooLarge, TooMany

LONGEST_FORM = 64 * 1024
_LONGEST_SAID = 600  # a browser drops a cookie beyond 4 KiB, and with it what was done
SESSION, BEFORE, SAID, LOOK = "tocsin_session", "tocsin_before", "tocsin_said", "tocsin_look"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_TITLES = {
    BadInput: "That does not fit",
    NotSignedIn: "Please sign in",
    NotAllowed: "Your role may not do this",
    NotFound: "Not here",
    Conflict: "Not as things stand now",
    TooMany: "Too many tries",
}
_ADMINS, _READERS = frozenset({Role.ADMIN}), frozenset({Role.AUDITOR, Role.SENIOR, Role.ADMIN})
PAGES: tuple[tuple[str, str, frozenset[Role]], ...] = (
    ("/queue", "Queue", frozenset(Role)),
    ("/investigations", "Investigations", frozenset(Role)),
    ("/accounts", "Accounts", frozenset(Role)),
    ("/audit", "Audit", _READERS),
    ("/models", "Models", frozenset(Role)),
    ("/people", "People", _ADMINS),
)


@dataclass(slots=True)
class Visit:
    """One request at the desk: who, when, with which form."""

    desk: Desk
    request: Request
    now: datetime
    session: access.Session | None
    form: dict[str, list[str]] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Who is signed in."""
        if self.session is None:
            raise NotSignedIn("somebody must be signed in; nobody is.", hint="Sign in, then try again.")
        return self.session.actor

    def text(self, name: str, default: str = "") -> str:
        """A field of the form."""
        return self.form.get(name, [default])[-1]

    def number(self, name: str) -> int:
        """A field of the form that is a number."""
        return whole(self.text(name), name)

    def place(self, name: str) -> str:
        """A part of the path."""
        found = str(self.request.path_params[name])
        if "\0" in found:  # no database is asked for what none can hold
            raise NotFound("there is nothing at this address.", hint="Check the link.")
        return found

    def asked(self, name: str, default: str = "") -> str:
        """A part of the query."""
        return self.request.query_params.get(name, default).replace("\0", "")[:200]

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page in words, with what every page shows."""
        said = _read_said(self.request.cookies.get(SAID))
        everywhere = {
            "actor": self.session.actor if self.session else None,
            "csrf": self.session.csrf if self.session else "",
            "look": self.request.cookies.get(LOOK, ""),
            "pages": self._pages(),
            "here": "/" + self.request.url.path.split("/")[1],
            "url": _path_of(self.request),
            "q": "",
            "said": said,
            "keys": KEYS,
        }
        response = HTMLResponse(self.desk.render(template, self.now, everywhere | context), status)
        if said:
            response.delete_cookie(SAID, path="/")
        return response

    def go(self, path: str, text: str = "", *, title: str = "", kind: str = "done") -> Response:
        """On to another page, saying there what was done."""
        response = RedirectResponse(path, 303)
        if text:
            said = {"kind": kind, "title": title, "text": text[:_LONGEST_SAID]}
            note = urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode()
            self.set_cookie(response, SAID, note, seconds=60)
        return response

    def back(self, default: str = "/queue") -> str:
        """Where the form was, if that is one of our pages."""
        return local(self.text("back"), default)

    def set_cookie(self, response: Response, name: str, value: str, *, seconds: int | None) -> None:
        """A cookie no script can read and no other site can send along with a form."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=self.desk.secure_cookies
        )

    def _pages(self) -> list[tuple[str, str]]:
        role = self.session.actor.role if self.session else None
        return [(path, word) for path, word, roles in PAGES if role in roles]


KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("J", "K"), "down and up the queue; on an account, from one piece of work to the next"),
    (("Enter",), "open the account"),
    (("G",), "verdict genuine, then the number of the reason, then Enter"),
    (("F",), "verdict fraud, then the number of the reason, then Enter"),
    (("I",), "verdict inconclusive, then the number of the reason, then Enter"),
    (("Z",), "freeze the account"),
    (("N",), "next case: holds it for me"),
    (("X",), "select this one, to dismiss many at once"),
    (("D",), "dismiss, without an investigation"),
    (("M",), "write a note"),
    (("A",), "assign the investigation"),
    (("O",), "open an investigation, or reopen a final one"),
    (("W",), "finalise one that was opened by mistake"),
    (("B", "L", "Y"), "the block: ask to lift it, lift it, keep it"),
    (("E",), "on an account, the exact sum of the score"),
    (("R",), "show new alerts; on an account, what is new"),
    (("/",), "search"),
    (("Ctrl", "Enter"), "send from inside a text"),
    (("Esc",), "close what is open"),
)

Page = Callable[[Visit], Response]


def route(desk: Desk, path: str, show: Page | None = None, do: Page | None = None, *, signed_in: bool = True) -> Route:
    """One address: ``show`` answers a GET, ``do`` a POST; both only to people of the desk unless said otherwise."""

    async def endpoint(request: Request) -> Response:
        page = do if request.method == "POST" else show
        assert page is not None  # the route lists only the methods it has
        return await _answer(desk, request, page, signed_in)

    methods = (["GET"] if show else []) + (["POST"] if do else [])
    return Route(path, endpoint, methods=methods)


async def _answer(desk: Desk, request: Request, page: Page, signed_in: bool) -> Response:
    visit = Visit(desk, request, desk.clock(), None)
    try:
        if request.method == "POST":
            _check_origin(request)
            visit.form = await _form(request)
        response = await run_in_threadpool(_show, visit, page, signed_in)
    except TocsinError as error:
        response = await run_in_threadpool(_refuse, visit, error)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _show(visit: Visit, page: Page, signed_in: bool) -> Response:
    visit.session = session_of(visit.desk, visit.request, visit.now)
    if visit.request.method == "POST":
        ours = visit.session.csrf if visit.session else visit.request.cookies.get(BEFORE, "")
        given = visit.request.headers.get("x-csrf-token") or visit.text("csrf")
        if signed_in:
            assert visit.actor
        if not ours or not compare_digest(ours.encode(), given.encode()):
            raise NotAllowed(
                "a form must carry the mark this desk gave it; it carries another.",
                hint="Go back, load the page again and send it once more.",
            )
    elif signed_in:
        assert visit.actor
    return page(visit)


def session_of(desk: Desk, request: Request, at: datetime, *, touch: bool = True) -> access.Session | None:
    """Whose session the request carries; ``None`` when nobody's or one that has ended. ``touch`` keeps it alive."""
    token = request.cookies.get(SESSION)
    if not token:
        return None
    try:
        return access.session(desk.ledger, token, at, touch=touch)
    except NotSignedIn:
        return None


def before(visit: Visit, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page with a form for somebody who has no session yet; the mark is in the form and in a cookie."""
    mark = visit.request.cookies.get(BEFORE) or token_urlsafe(32)
    response = visit.page(template, status=status, before=visit.session.csrf if visit.session else mark, **context)
    visit.set_cookie(response, BEFORE, mark, seconds=None)
    return response


def _refuse(visit: Visit, error: TocsinError) -> Response:
    htmx = "hx-request" in visit.request.headers
    if isinstance(error, NotSignedIn):
        here = _path_of(visit.request) if visit.request.method == "GET" and not htmx else visit.back("/queue")
        where = f"/sign-in?next={quote(here, safe='/')}"
        return Response(status_code=401, headers={"HX-Redirect": where}) if htmx else RedirectResponse(where, 303)
    title = next((word for kind, word in _TITLES.items() if isinstance(error, kind)), "That did not work")
    words = {"title": title, "message": _sentence(error.message), "hint": error.hint or ""}
    if not htmx:
        posted = visit.request.method == "POST"
        back = visit.back() if posted else "/queue"
        word = "Back to how it stands now" if posted else "To the queue"
        return visit.page("error.html", status=error.status, back=back, back_word=word, **words)
    said = {"kind": "refused", "title": title, "text": f"{words['message']} {words['hint']}".strip()}
    headers = {"HX-Retarget": "#toasts", "HX-Reswap": "innerHTML", "HX-Push-Url": "false", "HX-Trigger": "stale"}
    return HTMLResponse(visit.desk.render("_toast.html", visit.now, {"said": said}), error.status, headers)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _check_origin(request: Request) -> None:
    """Refuse a form that another site sent; browsers say who did."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if site is None and origin is not None:
        foreign = urlsplit(origin).netloc != request.headers.get("host", "")
    if foreign:
        raise NotAllowed("a form must come from this desk; this one came from another site.")


async def _form(request: Request) -> dict[str, list[str]]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise TooLarge(f"a form must be at most {LONGEST_FORM // 1024} KiB; got more.", hint="Shorten the note.")
    kind = request.headers.get("content-type", "").split(";")[0]
    if body and kind != "application/x-www-form-urlencoded":
        raise BadInput(f"a form must be sent as application/x-www-form-urlencoded; got {kind[:60] or 'nothing'!r}.")
    fields: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000):
            fields.setdefault(name, []).append(value)
    except ValueError as error:
        raise BadInput("a form must be UTF-8 with at most 1,000 fields; this one is not.") from error
    for name, values in fields.items():
        if any("\0" in value for value in values):
            raise BadInput("a text must not hold the character NUL.", field=name[:40])
    return fields


def local(path: str, default: str) -> str:
    """The path, if it stays on this desk; an address of somewhere else is never followed."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine and len(path) < 2000 else default


def whole(text: str, name: str) -> int:
    """A whole number out of a form or a path."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadInput(f"must be a whole number; got {text[:20]!r}.", field=name)
    return int(text)


def _path_of(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _read_said(cookie: str | None) -> Mapping[str, str] | None:
    if not cookie:
        return None
    try:
        said = json.loads(urlsafe_b64decode(cookie))
        return {name: str(said[name]) for name in ("kind", "title", "text")}
    except (ValueError, KeyError, TypeError):
        return None


Stream = Callable[[Request], Awaitable[Response]]
