"""The people of the desk, for admins: who is there, as what, and one-time links."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import access, people, reads
from tocsin.desk.model import Role
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.doors import WELCOME
from tocsin.desk.web.gate import Visit, route
from tocsin.errors import BadInput

ROLES = tuple(role.value for role in Role if role is not Role.SERVICE)


def show(visit: Visit) -> Response:
    """Everybody."""
    return _page(visit, None)


def add(visit: Visit) -> Response:
    """Somebody new, with a link to choose a password."""
    name = visit.text("name").strip().lower()
    token = people.add_person(visit.desk.ledger, visit.actor, at=visit.now, name=name, role=_role(visit))
    return _page(visit, _link(visit, name, token))


def change_role(visit: Visit) -> Response:
    """Another role, in force at the person's next click."""
    name, role = visit.text("name"), _role(visit)
    people.change_role(visit.desk.ledger, visit.actor, at=visit.now, name=name, role=role)
    return visit.go("/people", f"{name} is {role} from now on.")


def link(visit: Visit) -> Response:
    """A new link for somebody who forgot the password."""
    name = visit.text("name")
    token = people.new_link(visit.desk.ledger, visit.actor, at=visit.now, name=name)
    return _page(visit, _link(visit, name, token))


def switch_off(visit: Visit) -> Response:
    """Let somebody in no longer."""
    name = visit.text("name")
    people.switch_off(visit.desk.ledger, visit.actor, at=visit.now, name=name)
    return visit.go("/people", f"{name} is off: signed out everywhere, and everything they did stays.")


def switch_on(visit: Visit) -> Response:
    """Let somebody in again, by a new link."""
    name = visit.text("name")
    return _page(visit, _link(visit, name, people.switch_on(visit.desk.ledger, visit.actor, at=visit.now, name=name)))


def routes(desk: Desk) -> list[BaseRoute]:
    """The page and its forms."""
    return [
        route(desk, "/people", show, add),
        route(desk, "/people/role", do=change_role),
        route(desk, "/people/link", do=link),
        route(desk, "/people/off", do=switch_off),
        route(desk, "/people/on", do=switch_on),
    ]


def _page(visit: Visit, made: dict[str, object] | None) -> Response:
    access.require(visit.actor, access.Deed.MANAGE_PEOPLE)
    rows = reads.list_people(visit.desk.ledger, visit.actor)
    return visit.page("people.html", rows=rows, roles=ROLES, link=made, here="/people")


def _link(visit: Visit, name: str, token: str) -> dict[str, object]:
    here = visit.desk.address or f"{visit.request.url.scheme}://{visit.request.url.netloc}"
    return {"name": name, "address": f"{here}{WELCOME}{token}", "until": visit.now + access.INVITATION_LASTS}


def _role(visit: Visit) -> Role:
    text = visit.text("role")
    if text not in ROLES:
        raise BadInput(f"a role must be one of {', '.join(ROLES)}; got {text[:20]!r}.", field="role")
    return Role(text)
