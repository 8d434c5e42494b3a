"""The demo checks its own outcome: an alert, a freeze, a declined payment, a verdict, the release, the audit chain."""

from __future__ import annotations

import time
from collections.abc import Callable
from secrets import token_urlsafe

import click
import msgspec
import sqlalchemy as sa

from tocsin.cli.demo_stream import Client
from tocsin.desk import Actor, Direction, Outcome, access, actions, reads
from tocsin.desk.web.doors import WELCOME
from tocsin.desk.web.gate import SESSION
from tocsin.ledger import Ledger, audit, now
from tocsin.ledger.tables import decisions, transactions
from tocsin.schema import Transaction

_read = msgspec.json.Decoder(Transaction).decode
Told = Callable[[str], None]


def prove(ledger: Ledger, client: Client, analyst: Actor, link: str, told: Told) -> None:
    """Do what an analyst does and hold every answer to what must follow.

    Parameters
    ----------
    link : the token of the analyst's one-time link.

    Raises
    ------
    click.ClickException : says what should have been, and what was.
    """
    status, page = client.ask("GET", f"{WELCOME}{link}")
    _hold(
        status == 200 and analyst.name.encode() in page,
        f"the one-time link must lead {analyst.name} to the desk; it was answered {status}",
    )
    session, _ = access.accept_invitation(ledger, link, at=now(), password=token_urlsafe())
    told(f"the one-time link lets {analyst.name} in")
    queue = reads.queue(ledger, analyst)
    _hold(queue.count > 0, "alerts must have appeared in the queue; it is empty")
    chosen = queue.rows[0].alert
    status, page = client.ask("GET", "/queue", cookie=f"{SESSION}={session}")
    _hold(
        status == 200 and chosen.account.encode() in page,
        f"the desk must show the queue with account {chosen.account} in it; it was answered {status}",
    )
    told(f"{queue.count:,} alerts are in the queue, and the desk shows them")
    _wait_for_reasons(ledger, analyst, chosen.id)
    made = actions.freeze(
        ledger,
        analyst,
        at=now(),
        direction=Direction.BOTH,
        reason="shown in the demo: not the customer's usual payments",
        alerts=[chosen.id],
    )
    told(f"{analyst.name} freezes account {chosen.account} from alert {chosen.id}")
    action, cause = _pay(ledger, client, chosen.account)
    _hold(
        (action, cause) == ("decline", "freeze"),
        f"the next payment of a frozen account must be declined by the freeze; it was answered {action} by {cause}",
    )
    told("its next payment is declined")
    for investigation in made.investigations:
        closed = actions.finalise(
            ledger,
            analyst,
            at=now(),
            investigation=investigation,
            outcome=Outcome.GENUINE,
            reason_code="customer_confirmed",
            note="The customer was called back on the number on file.",
        )
    _hold(len(closed.ended) == 1, "the verdict on the last pending investigation must end the freeze; it did not")
    told("the verdict on the last pending investigation releases it")
    action, cause = _pay(ledger, client, chosen.account)
    _hold(
        cause == "score",
        f"the next payment of a released account must be answered by its score; it was answered {action} by {cause}",
    )
    told(f"its next payment is answered as usual: {action}")
    with ledger.read() as connection:
        chain = audit.verify(connection)
    _hold(chain.broken_at is None, f"the audit chain must verify; event {chain.broken_at} does not fit: {chain.why}")
    told(f"the audit chain verifies, {chain.events} events")


def _pay(ledger: Ledger, client: Client, account: str) -> tuple[str, str]:
    """The account pays once more what it usually pays; how that was answered, and what decided it."""
    joined = sa.join(transactions, decisions, decisions.c.number == transactions.c.number)
    usual = sa.select(transactions.c.body).select_from(joined).where(transactions.c.account == account)
    usual = usual.order_by(decisions.c.action != "approve", transactions.c.number.desc()).limit(1)
    with ledger.read() as connection:
        body = connection.execute(usual).scalar_one()
    payment = msgspec.structs.replace(_read(body), id=f"demo-{time.time_ns()}", at=now())
    answer = client.answer("POST", "/v1/transactions", msgspec.json.encode(payment))
    with ledger.read() as connection:
        kept = sa.select(decisions.c.cause).where(decisions.c.number == answer["number"])
        return str(answer["action"]), str(connection.execute(kept).scalar_one())


def _wait_for_reasons(ledger: Ledger, analyst: Actor, alert: int, *, longest_s: float = 20.0) -> None:
    """Reasons are computed after the answer; an analyst has them within a second or so."""
    until = time.monotonic() + longest_s
    while not reads.alert(ledger, analyst, alert).alert.why:
        _hold(time.monotonic() < until, f"alert {alert} must say why; after {longest_s:.0f} seconds it does not")
        time.sleep(0.05)


def _hold(true: bool, message: str) -> None:
    if not true:
        raise click.ClickException(f"the demo did not end as it must: {message}.")
