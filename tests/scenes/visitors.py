"""People in front of the desk's pages: a browser without scripts, a clock that stands still until it is moved."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette

from tocsin.desk import access, people
from tocsin.desk.model import Actor, Role
from tocsin.desk.web import Desk

with warnings.catch_warnings():  # starlette would rather have httpx2, which is not what the world uses yet
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
ADMIN = Actor("admin", Role.ADMIN)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Person:
    """Somebody in front of a browser without scripts: clicks links and sends forms as the page wrote them."""

    def __init__(self, app: Starlette, desk: Desk, name: str, role: Role) -> None:
        self.name, self.role = name, role
        self.browser = TestClient(app, base_url="http://desk.test", follow_redirects=False)
        token = people.add_person(desk.ledger, ADMIN, at=desk.clock(), name=name, role=role)
        session, self.session = access.accept_invitation(
            desk.ledger, token, at=desk.clock(), password="quite a long one"
        )
        self.browser.cookies.set("tocsin_session", session)

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.role)

    def see(self, path: str, status: int = 200) -> str:
        """The page as words; what is where the page says it is."""
        response = self.browser.get(path, follow_redirects=True)
        assert response.status_code == status, response.text
        return response.text

    def send(self, path: str, status: int = 303, *, htmx: bool = False, **fields: object) -> str:
        """Send a form with this session's mark; the page it leads to, or the refusal."""
        form = {"csrf": self.session.csrf} | {name: str(value) for name, value in fields.items()}
        response = self.browser.post(path, data=form, headers={"HX-Request": "true"} if htmx else {})
        assert response.status_code == status, response.text
        return self.see(response.headers["location"]) if status == 303 else response.text


def plain(page: str) -> str:
    """A page's words without its tags, one space between them."""
    without = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    for name, sign in (("&#39;", "'"), ("&quot;", '"'), ("&amp;", "&"), ("\u00a0", " ")):
        without = without.replace(name, sign)
    return " ".join(without.split())


def browse(app: Starlette, base: str = "http://desk.test") -> TestClient:
    """A browser without scripts in front of an application; it does not follow redirects unless told."""
    return TestClient(app, base_url=base, follow_redirects=False)
