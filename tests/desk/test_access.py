"""Whoever may not, cannot: every deed, and every function that does one, against every role; and signing in."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

import tocsin.desk
from scenes.desk import ADA, ANA, AUD, BEN, BOT, SAM, SUE, Scene
from scenes.postgres import fresh_database
from tocsin.desk import access, actions, chosen, history, people, reads, search, stops
from tocsin.desk.access import MAY, Deed, may, require
from tocsin.desk.model import Actor, Direction, Outcome, Role
from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound, NotSignedIn, TooMany
from tocsin.ledger import Ledger, audit, tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

EACH: dict[Role, Actor] = {
    Role.ANALYST: BEN, Role.SENIOR: SAM, Role.ADMIN: ADA, Role.AUDITOR: AUD, Role.SERVICE: BOT,
}  # fmt: skip

# What the design says, written a second time and by hand: a change of the table must be made twice.
WORK, READ = {"analyst", "senior"}, {"analyst", "senior", "admin", "auditor"}
EXPECTED: dict[str, set[str]] = {
    "READ_CASES": READ,
    "READ_AUDIT": {"senior", "admin", "auditor"},
    "READ_PEOPLE": READ,
    "TAKE_ALERT": WORK,
    "DISMISS_ALERT": WORK,
    "INVESTIGATE": WORK,
    "ASSIGN": WORK,
    "NOTE": WORK,
    "FREEZE": WORK,
    "FINALISE": WORK,
    "REOPEN": WORK,
    "ASK_TO_LIFT": WORK,
    "LIFT": {"senior"},
    "MANAGE_PEOPLE": {"admin"},
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("deed", list(Deed))
def test_every_deed_against_every_role(deed: Deed, role: Role) -> None:
    actor = Actor("somebody", role)
    assert may(actor, deed) == (role.value in EXPECTED[deed.name])
    if not may(actor, deed):
        with pytest.raises(NotAllowed, match=f"you are {role}"):
            require(actor, deed)


def test_the_table_is_complete() -> None:
    assert set(MAY) == set(Deed)
    assert not any(Role.SERVICE in roles for roles in MAY.values())


# For every public function that takes an actor: the deed it needs, and a call that is legal for whoever may.
def _alert(scene: Scene) -> dict[str, Any]:
    return {"alert": scene.alert("A")}


def _pending(scene: Scene) -> dict[str, Any]:
    return {"investigation": scene.open("A").id}


def _joining(scene: Scene) -> dict[str, Any]:
    return _alert(scene) | _pending(scene)


def _final(scene: Scene) -> dict[str, Any]:
    opened = scene.open("A")
    scene.close(opened.id)
    return {"investigation": opened.id, "reason": "more"}


def _blocked(scene: Scene) -> dict[str, Any]:
    opened = scene.open("A")
    scene.freeze("A")
    return {"block": scene.close(opened.id, "fraud").blocks[0].id}


def _asked(scene: Scene) -> dict[str, Any]:
    how = _blocked(scene)
    actions.ask_to_lift_block(scene.ledger, SUE, at=scene.now, reason="paid back", **how)
    return how | {"reason": "seen"}


def _freezing(scene: Scene) -> dict[str, Any]:
    scene.open("A")
    return {"account": "A", "direction": Direction.OUT, "reason": "x"}


def _verdict(scene: Scene) -> dict[str, Any]:
    return _pending(scene) | {"outcome": Outcome.GENUINE, "reason_code": "travel"}


def _judging(scene: Scene) -> dict[str, Any]:
    return {"alerts": [scene.alert("A")], "outcome": Outcome.GENUINE, "reason_code": "travel"}


def _seen(scene: Scene) -> dict[str, Any]:
    scene.pay("A")
    return {"name": "A"}


def _off(scene: Scene) -> dict[str, Any]:
    people.switch_off(scene.ledger, ADA, at=scene.now, name="ana")
    return {"name": "ana"}


Prepare = Callable[[Scene], dict[str, Any]]
CALLS: dict[Callable[..., Any], tuple[Deed, Prepare]] = {
    actions.open_investigation: (Deed.INVESTIGATE, lambda scene: {"account": "A", "subject": "mule"}),
    actions.join_alert: (Deed.INVESTIGATE, _joining),
    actions.dismiss_alert: (Deed.DISMISS_ALERT, lambda scene: _alert(scene) | {"reason": "usual"}),
    actions.assign: (Deed.ASSIGN, lambda scene: _pending(scene) | {"to": "sue", "reason": "hers"}),
    actions.note: (Deed.NOTE, lambda scene: {"account": "A", "text": "called"}),
    actions.freeze: (Deed.FREEZE, _freezing),
    actions.finalise: (Deed.FINALISE, _verdict),
    actions.finalise_as_mistake: (Deed.FINALISE, lambda scene: _pending(scene) | {"reason": "twice"}),
    actions.judge_alerts: (Deed.FINALISE, _judging),
    actions.reopen: (Deed.REOPEN, _final),
    actions.ask_to_lift_block: (Deed.ASK_TO_LIFT, lambda scene: _blocked(scene) | {"reason": "paid back"}),
    actions.lift_block: (Deed.LIFT, _asked),
    actions.refuse_to_lift: (Deed.LIFT, _asked),
    actions.take_alert: (Deed.TAKE_ALERT, _alert),
    actions.release_alert: (Deed.TAKE_ALERT, _alert),
    actions.take_next: (Deed.TAKE_ALERT, lambda scene: {}),
    people.add_person: (Deed.MANAGE_PEOPLE, lambda scene: {"name": "new", "role": Role.ANALYST}),
    people.new_link: (Deed.MANAGE_PEOPLE, lambda scene: {"name": "ana"}),
    people.change_role: (Deed.MANAGE_PEOPLE, lambda scene: {"name": "ana", "role": Role.SENIOR}),
    people.switch_off: (Deed.MANAGE_PEOPLE, lambda scene: {"name": "ana"}),
    people.switch_on: (Deed.MANAGE_PEOPLE, _off),
    reads.queue: (Deed.READ_CASES, lambda scene: {}),
    reads.alert: (Deed.READ_CASES, lambda scene: {"id": scene.alert("A")}),
    reads.consequences: (Deed.READ_CASES, _pending),
    reads.news: (Deed.READ_CASES, lambda scene: {"after": 0}),
    reads.newest_alert: (Deed.READ_CASES, lambda scene: {}),
    reads.day: (Deed.READ_CASES, lambda scene: {"since": scene.now}),
    reads.list_investigations: (Deed.READ_CASES, lambda scene: {}),
    reads.audit_page: (Deed.READ_AUDIT, lambda scene: {}),
    reads.list_people: (Deed.READ_PEOPLE, lambda scene: {}),
    history.account_page: (Deed.READ_CASES, _seen),
    history.timeline: (Deed.READ_CASES, _seen),
    history.news: (Deed.READ_CASES, lambda scene: _seen(scene) | {"after": (0, 0, 0)}),
    history.account_of_investigation: (Deed.READ_CASES, lambda scene: {"id": scene.open("A").id}),
    chosen.choices: (Deed.READ_CASES, lambda scene: {"account": "A", "alerts": [scene.alert("A")]}),
    search.find: (Deed.READ_CASES, lambda scene: {"text": "A"}),
    stops.stops: (Deed.READ_CASES, lambda scene: {}),
}


def _public(module: ModuleType) -> list[Callable[..., Any]]:
    return [
        one
        for name, one in inspect.getmembers(module, inspect.isfunction)
        if one.__module__ == module.__name__
        and not name.startswith("_")
        and "actor" in inspect.signature(one).parameters
    ]


def test_no_function_of_the_desk_is_forgotten_here() -> None:
    modules = [import_module(f"tocsin.desk.{found.name}") for found in iter_modules(tocsin.desk.__path__)]
    everything = {one for module in modules if module.__name__ != "tocsin.desk.web" for one in _public(module)}
    assert everything - {may, require} == set(CALLS)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("act", list(CALLS), ids=lambda act: f"{act.__module__.rsplit('.')[-1]}.{act.__name__}")
def test_every_function_against_every_role(scene: Scene, act: Callable[..., Any], role: Role) -> None:
    deed, prepare = CALLS[act]
    how = prepare(scene)
    if "at" in inspect.signature(act).parameters:
        how["at"] = scene.now
    if act is actions.release_alert and role.value in WORK:  # only what one holds oneself can be given back
        actions.take_alert(scene.ledger, EACH[role], **how)
    before = _rows(scene)
    if role.value in EXPECTED[deed.name]:
        act(scene.ledger, EACH[role], **how)
    else:
        with pytest.raises(NotAllowed):
            act(scene.ledger, EACH[role], **how)
        assert _rows(scene) == before


def _rows(scene: Scene) -> list[list[Any]]:
    with scene.ledger.read() as connection:
        return [connection.execute(sa.select(table)).all() for table in tables.metadata.sorted_tables]  # type: ignore[misc]


# --- signing in ----------------------------------------------------------------------------------------------------

PASSWORD = "four words in a row"


def joined(scene: Scene, name: str = "ana") -> tuple[str, access.Session]:
    token = people.new_link(scene.ledger, ADA, at=scene.now, name=name)
    return access.accept_invitation(scene.ledger, token, at=scene.now, password=PASSWORD)


def sign_in(scene: Scene, name: str = "ana", password: str = PASSWORD, address: str = "10.0.0.1") -> tuple[str, Any]:
    return access.sign_in(scene.ledger, at=scene.now, name=name, password=password, address=address)


def test_first_start_makes_one_admin_with_a_one_time_link_and_never_again(scene: Scene) -> None:
    with scene.ledger.write() as connection:
        connection.execute(tables.people.delete())
    token = access.first_admin(scene.ledger, at=scene.now)
    assert token is not None
    assert access.first_admin(scene.ledger, at=scene.now) is None
    assert access.invited(scene.ledger, token, scene.now) == Actor("admin", Role.ADMIN)
    _, session = access.accept_invitation(scene.ledger, token, at=scene.now, password=PASSWORD)
    assert session.actor.role is Role.ADMIN
    with pytest.raises(NotSignedIn, match="was used"):
        access.accept_invitation(scene.ledger, token, at=scene.now, password=PASSWORD)


def test_no_secret_stands_in_the_ledger(scene: Scene) -> None:
    link = people.new_link(scene.ledger, ADA, at=scene.now, name="ana")
    first, _ = access.accept_invitation(scene.ledger, link, at=scene.now, password=PASSWORD)
    second, session = sign_in(scene)
    written = repr(_rows(scene))
    for secret in (link, first, second, PASSWORD):
        assert secret not in written
    assert "$argon2id$" in written
    assert first != second
    assert session.csrf not in (first, second)


def test_a_session_ends_by_time_by_idling_by_signing_out_and_by_being_switched_off(scene: Scene) -> None:
    token, session = joined(scene)
    begun = scene.at
    assert access.session(scene.ledger, token, begun).actor == ANA
    with pytest.raises(NotSignedIn):
        access.session(scene.ledger, token, begun + access.SESSION_IDLES)
    at = begun
    while at + timedelta(minutes=50) < session.expires_at:
        at += timedelta(minutes=50)
        access.session(scene.ledger, token, at)
    with pytest.raises(NotSignedIn):
        access.session(scene.ledger, token, session.expires_at)
    token, _ = sign_in(scene)
    access.sign_out(scene.ledger, token, scene.now)
    with pytest.raises(NotSignedIn):
        access.session(scene.ledger, token, scene.now)
    access.sign_out(scene.ledger, token, scene.now)
    token, _ = sign_in(scene)
    people.switch_off(scene.ledger, ADA, at=scene.now, name="ana")
    with pytest.raises(NotSignedIn):
        access.session(scene.ledger, token, scene.now)
    with pytest.raises(NotSignedIn):
        sign_in(scene)


def test_a_new_role_holds_at_the_next_click(scene: Scene) -> None:
    token, _ = joined(scene)
    people.change_role(scene.ledger, ADA, at=scene.now, name="ana", role=Role.AUDITOR)
    assert access.session(scene.ledger, token, scene.now).actor.role is Role.AUDITOR


def test_wrong_names_and_passwords_are_refused_in_the_same_words(scene: Scene) -> None:
    joined(scene)
    said = set()
    for name, password in (("ana", "wrong"), ("nobody", PASSWORD), ("ben", PASSWORD), ("ana", PASSWORD + "x")):
        with pytest.raises(NotSignedIn) as refused:
            sign_in(scene, name, password)
        said.add(str(refused.value))
    assert len(said) == 1


def test_wrong_passwords_are_counted_and_then_even_the_right_one_waits(scene: Scene) -> None:
    joined(scene)
    for _ in range(access.MOST_FAILURES["name and address"]):
        with pytest.raises(NotSignedIn):
            sign_in(scene, password="wrong")
    with pytest.raises(TooMany):
        sign_in(scene)
    sign_in(scene, address="10.0.0.2")  # somebody elsewhere cannot lock her out
    scene.at += access.FORGET_FAILURES
    sign_in(scene)
    for _ in range(access.MOST_FAILURES["name and address"]):
        sign_in(scene)  # right ones do not count


def test_a_name_tried_from_everywhere_and_an_address_that_tries_every_name_are_stopped(scene: Scene) -> None:
    with scene.ledger.write() as connection:
        rows = [{"name": "ana", "address": f"10.1.0.{one}", "at": 1} for one in range(access.MOST_FAILURES["name"] - 1)]
        rows += [{"name": f"n{one}", "address": "10.9.9.9", "at": 1} for one in range(access.MOST_FAILURES["address"])]
        connection.execute(tables.failed_sign_ins.insert(), [row | {"at": _now(scene)} for row in rows])
    with pytest.raises(NotSignedIn):
        sign_in(scene, password="wrong", address="10.2.0.1")
    with pytest.raises(TooMany, match="one name"):
        sign_in(scene, address="10.2.0.2")
    with pytest.raises(TooMany, match="one address"):
        sign_in(scene, name="ben", address="10.9.9.9")
    kinds = [one.kind for one in reads.audit_page(scene.ledger, AUD)]
    assert kinds == ["sign_in_throttled"]


def _now(scene: Scene) -> int:
    from tocsin.ledger import microseconds

    return microseconds(scene.now)


def test_a_link_runs_out_and_a_newer_one_ends_it(scene: Scene) -> None:
    first = people.new_link(scene.ledger, ADA, at=scene.now, name="ana")
    second = people.new_link(scene.ledger, ADA, at=scene.now, name="ana")
    made = scene.at
    with pytest.raises(NotSignedIn):
        access.invited(scene.ledger, first, made)
    assert access.invited(scene.ledger, second, made).name == "ana"
    with pytest.raises(NotSignedIn):
        access.accept_invitation(scene.ledger, second, at=made + access.INVITATION_LASTS, password=PASSWORD)


@pytest.mark.postgres
def test_a_link_used_twice_at_once_lets_one_in() -> None:
    ledger = Ledger(fresh_database())
    ledger.create()
    token = access.first_admin(ledger, at=NOON)
    assert token is not None
    with ThreadPoolExecutor(1) as second:
        with ledger.write() as connection:  # the first has marked it used, and has not committed yet
            connection.execute(tables.invitations.update().values(used_at=0))
            late = second.submit(access.accept_invitation, ledger, token, at=NOON, password=PASSWORD)
            waits = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            until = time.monotonic() + 60
            waiting = 0
            while time.monotonic() < until and not waiting:  # a transaction sees one state of this view all its life
                with ledger.read() as look:
                    waiting = look.execute(waits).scalar_one()
                time.sleep(0.02)
            assert waiting, "the second must come to wait for the first"
        with pytest.raises(NotSignedIn, match="link"):
            late.result()
    ledger.close()


@pytest.mark.parametrize("password", ["short", "x" * 201, "my name is person.one ok"])
def test_passwords_that_do_not_do_leave_the_link_unused(scene: Scene, password: str) -> None:
    token = people.add_person(scene.ledger, ADA, at=scene.now, name="person.one", role=Role.ANALYST)
    with pytest.raises(BadInput, match="password"):
        access.accept_invitation(scene.ledger, token, at=scene.now, password=password)
    access.accept_invitation(scene.ledger, token, at=scene.now, password=PASSWORD)


def test_a_new_password_ends_the_sessions_before_it(scene: Scene) -> None:
    token, _ = joined(scene)
    joined(scene)
    with pytest.raises(NotSignedIn):
        access.session(scene.ledger, token, scene.now)


def test_forms_carry_the_mark_of_their_session(scene: Scene) -> None:
    _, session = joined(scene)
    access.check_csrf(session, session.csrf)
    for given in ("", session.csrf[:-1], "é"):
        with pytest.raises(NotAllowed):
            access.check_csrf(session, given)


def test_people_are_added_once_and_somebody_stays_admin(scene: Scene) -> None:
    ledger = scene.ledger
    with pytest.raises(Conflict, match="there is a ana already"):
        people.add_person(ledger, ADA, at=scene.now, name="ana", role=Role.ANALYST)
    for name in ("", "Ana", "a b", "-x", "x" * 101):
        with pytest.raises(BadInput):
            people.add_person(ledger, ADA, at=scene.now, name=name, role=Role.ANALYST)
    with pytest.raises(BadInput, match="services have keys"):
        people.add_person(ledger, ADA, at=scene.now, name="robot", role=Role.SERVICE)
    with pytest.raises(Conflict, match="the last one"):
        people.switch_off(ledger, ADA, at=scene.now, name="ada")
    with pytest.raises(Conflict, match="the last one"):
        people.change_role(ledger, ADA, at=scene.now, name="ada", role=Role.ANALYST)
    people.change_role(ledger, ADA, at=scene.now, name="sue", role=Role.ADMIN)
    people.switch_off(ledger, Actor("sue", Role.ADMIN), at=scene.now, name="ada")
    with pytest.raises(Conflict, match="ada is off"):
        people.new_link(ledger, Actor("sue", Role.ADMIN), at=scene.now, name="ada")
    assert people.switch_on(ledger, Actor("sue", Role.ADMIN), at=scene.now, name="ada")
    for call in (people.switch_off, people.switch_on, people.new_link):
        with pytest.raises(NotFound):
            call(ledger, ADA, at=scene.now, name="nobody")  # type: ignore[operator]
    with ledger.read() as connection:
        assert audit.verify(connection).broken_at is None
