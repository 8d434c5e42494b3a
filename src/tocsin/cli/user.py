"""``tocsin user``: the people of the desk, from the machine the ledger is on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tocsin.app import Settings, console_user, open_ledger, read_settings
from tocsin.desk import people, reads
from tocsin.desk.access import INVITATION_LASTS
from tocsin.desk.model import Actor, Role
from tocsin.desk.web.doors import WELCOME
from tocsin.ledger import Ledger, now

_ROLES = [role.value for role in Role if role is not Role.SERVICE]
_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
_ledger = click.option("--ledger", help="Or the ledger itself, as a database URL.")
_role = click.option("--role", type=click.Choice(_ROLES), required=True, help="What they are at the desk.")


@click.group()
def command() -> None:
    """People of the desk: add, list, change the role, a new sign-in link, switch off and on.

    Whoever may write the ledger's file acts here as an admin, and every act is an event in the audit chain.

    \b
    Example:
        tocsin user add ana --role analyst     # prints a one-time link for ana
        tocsin user role ana --role senior
        tocsin user off ana
    """


@command.command()
@click.argument("name")
@_role
@_data
@_ledger
def add(name: str, role: str, folder: Path | None, ledger: str | None) -> None:
    """Add NAME and print the one-time link with which they choose their password."""
    _link(folder, ledger, lambda opened, me: people.add_person(opened, me, at=now(), name=name, role=Role(role)))


@command.command("list")
@_data
@_ledger
def list_(folder: Path | None, ledger: str | None) -> None:
    """Everybody of the desk, with their role."""
    found = _do(folder, ledger, reads.list_people)
    for one in found:
        state = "" if one.has_password else "  has not chosen a password yet"
        click.echo(f"{one.name:<24} {one.role:<8}" + (state if one.active else "  off"))
    if not found:
        click.echo("There is nobody; `tocsin user add NAME --role admin` adds somebody.")


@command.command("role")
@click.argument("name")
@_role
@_data
@_ledger
def role_(name: str, role: str, folder: Path | None, ledger: str | None) -> None:
    """Give NAME another role, in force at their next click."""
    _do(folder, ledger, lambda opened, me: people.change_role(opened, me, at=now(), name=name, role=Role(role)))
    click.echo(f"{name} is {role} now.")


@command.command()
@click.argument("name")
@_data
@_ledger
def link(name: str, folder: Path | None, ledger: str | None) -> None:
    """A new one-time link for NAME; the one before ends."""
    _link(folder, ledger, lambda opened, me: people.new_link(opened, me, at=now(), name=name))


@command.command()
@click.argument("name")
@_data
@_ledger
def off(name: str, folder: Path | None, ledger: str | None) -> None:
    """Let NAME in no longer; sessions end at once, what they did stays."""
    _do(folder, ledger, lambda opened, me: people.switch_off(opened, me, at=now(), name=name))
    click.echo(f"{name} is off.")


@command.command()
@click.argument("name")
@_data
@_ledger
def on(name: str, folder: Path | None, ledger: str | None) -> None:
    """Let NAME in again, with a new password."""
    _link(folder, ledger, lambda opened, me: people.switch_on(opened, me, at=now(), name=name))


def _do(folder: Path | None, url: str | None, act: Callable[[Ledger, Actor], Any]) -> Any:
    opened = open_ledger(_settings(folder, url))
    try:
        return act(opened, Actor(f"{console_user()} (console)", Role.ADMIN))
    finally:
        opened.close()


def _link(folder: Path | None, url: str | None, act: Callable[[Ledger, Actor], str]) -> None:
    settings = _settings(folder, url)
    token = _do(folder, url, act)
    click.echo(f"{settings.address}{WELCOME}{token}")
    click.echo(f"The link works once, for {INVITATION_LASTS.days} days. It cannot be shown again.", err=True)


def _settings(folder: Path | None, url: str | None) -> Settings:
    return read_settings(folder=folder, ledger=url)
