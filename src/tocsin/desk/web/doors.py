"""In and out: signing in, choosing a password by a one-time link, signing out, and how the desk looks to me."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tocsin.desk import access
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import LOOK, SESSION, Visit, before, local, route
from tocsin.errors import BadInput, NotSignedIn, TooMany

WELCOME = "/welcome/"


def sign_in_page(visit: Visit) -> Response:
    """The form; whoever is signed in already goes on."""
    following = local(visit.asked("next"), "/queue")
    if visit.session:
        return RedirectResponse(following, 303)
    return before(visit, "sign_in.html", next=following, name="", wrong="")


def sign_in(visit: Visit) -> Response:
    """Let somebody in, or say that name and password do not belong together, never which of them is wrong."""
    name, following = visit.text("name").strip(), local(visit.text("next"), "/queue")
    client = visit.request.client
    try:
        token, session = access.sign_in(
            visit.desk.ledger,
            at=visit.now,
            name=name,
            password=visit.text("password"),
            address=client.host if client else "unknown",
        )
    except (NotSignedIn, TooMany) as error:
        status, wrong = error.status, f"{error.message[:1].upper()}{error.message[1:]} {error.hint or ''}".strip()
        return before(visit, "sign_in.html", status=status, next=following, name=name[:100], wrong=wrong)
    return _enter(visit, token, session, following)


def welcome_page(visit: Visit) -> Response:
    """Where a one-time link leads."""
    try:
        person = access.invited(visit.desk.ledger, visit.place("token"), visit.now)
    except NotSignedIn as error:
        return _spent(visit, error)
    return before(visit, "welcome.html", person=person.name, least=access.SHORTEST_PASSWORD, wrong="")


def welcome(visit: Visit) -> Response:
    """Keep the password that was chosen, and sign in."""
    token, password = visit.place("token"), visit.text("password")
    try:
        if password != visit.text("again"):
            raise BadInput("the same password must be written twice; these differ.")
        made, session = access.accept_invitation(visit.desk.ledger, token, at=visit.now, password=password)
    except BadInput as error:
        person = access.invited(visit.desk.ledger, token, visit.now)
        wrong = f"{error.message[:1].upper()}{error.message[1:]} {error.hint or ''}".strip()
        least = access.SHORTEST_PASSWORD
        return before(visit, "welcome.html", status=error.status, person=person.name, least=least, wrong=wrong)
    except NotSignedIn as error:
        return _spent(visit, error)
    return _enter(visit, made, session, "/queue")


def sign_out(visit: Visit) -> Response:
    """End the session here and in the ledger."""
    access.sign_out(visit.desk.ledger, visit.request.cookies.get(SESSION, ""), visit.now)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(SESSION, path="/")
    return response


def look(visit: Visit) -> Response:
    """Light, dark, or as the system says; kept in this browser."""
    wanted = visit.text("look")
    response = RedirectResponse(visit.back(), 303)
    if wanted in ("light", "dark"):
        visit.set_cookie(response, LOOK, wanted, seconds=365 * 86_400)
    else:
        response.delete_cookie(LOOK, path="/")
    return response


def routes(desk: Desk) -> list[BaseRoute]:
    """The doors; only signing out and the look ask for a session."""
    return [
        route(desk, "/sign-in", sign_in_page, sign_in, signed_in=False),
        route(desk, WELCOME + "{token}", welcome_page, welcome, signed_in=False),
        route(desk, "/sign-out", do=sign_out),
        route(desk, "/look", do=look),
    ]


def _spent(visit: Visit, error: NotSignedIn) -> Response:
    words = {"title": "This link leads nowhere any more", "message": error.message, "hint": error.hint or ""}
    return visit.page("error.html", status=error.status, back="/sign-in", back_word="To the sign-in", **words)


def _enter(visit: Visit, token: str, session: access.Session, following: str) -> Response:
    response = RedirectResponse(following, 303)
    left = int((session.expires_at - visit.now).total_seconds())
    visit.set_cookie(response, SESSION, token, seconds=left)
    return response
