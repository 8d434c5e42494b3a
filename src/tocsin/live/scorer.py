"""What is waiting → decisions, as one transaction of the ledger. No network; the clock is passed in.

Ids first: what was seen before gets its old answer and is not remembered twice. Everything new gets the next numbers of
the one sequence, the memory consumes them, the model scores, freezes and blocks are read, the policy rules, all is
written, and only when that has committed does anyone get an answer. If it does not commit, nobody does, and the memory
goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import thread_time

import sqlalchemy as sa

from tocsin.artifact import Artifact
from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.record import Recorder, Rows
from tocsin.ledger.store import Clock
from tocsin.ledger.tables import decisions, transactions
from tocsin.live.door import Arrival
from tocsin.live.ids import Outcome, Sorted
from tocsin.live.judge import Judge
from tocsin.live.memory import Memory
from tocsin.schema import AccountEvent, Transaction

STEPS = ("ledger_read", "memory", "score", "rules", "ledger_write", "commit")
_ACCOUNTS_KEPT = 200_000


class Scorer:
    """Decides whole batches; used by one thread only, which owns the memory.

    Parameters
    ----------
    memory, model : in step with each other: the model's plan is the memory's.
    due_in : how long analysts have for an alert.

    Attributes
    ----------
    seconds : processor time each of ``STEPS`` has taken so far.
    actions : how many payments were decided each way so far, by action and cause.
    on_alert : called after a commit that rang.
    """

    def __init__(self, ledger: Ledger, memory: Memory, model: Artifact, *, clock: Clock, due_in: timedelta) -> None:
        self.memory = memory
        self.model = model
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self.actions: Counter[tuple[str, str]] = Counter()
        self.alerts = 0
        self.on_alert: Callable[[], None] | None = None
        self._ledger = ledger
        self._recorder = Recorder(ledger)
        self._clock = clock
        self._due_in = due_in // timedelta(microseconds=1)
        self._accounts: set[str] = set()
        self._mark = 0.0

    def decide(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """One outcome for each arrival, in order, all of them committed together.

        Raises
        ------
        Exception : whatever kept the write from committing; then nothing of the batch is in the ledger nor in the memory.
        """
        self.memory.undo()  # only if the last undoing was itself cut short
        self._mark = thread_time()
        rows, new_accounts = Rows(), list[str]()
        try:
            with self._ledger.write() as connection:
                batch = self._read(connection, arrivals)
                if batch.new:
                    new_accounts = self._introduce(connection, batch)
                    self._rule(connection, batch, rows)
                    self._write(connection, rows, batch.entries[0].number, len(batch.new))
        except BaseException:
            self.memory.undo()
            raise
        self.memory.committed()
        self._lap("commit")
        self._settle(batch, rows, new_accounts)
        return batch.outcomes()

    def amend(self, arrivals: Sequence[Arrival]) -> None:
        """Make the ledger say what was answered, where the deadline passed between decision and answer."""
        with self._ledger.write() as connection:
            for arrival in arrivals:
                if arrival.late is None or not arrival.fresh or not isinstance(arrival.value, Transaction):
                    continue
                ruling, body = arrival.late
                number = sa.select(transactions.c.number).where(transactions.c.id == arrival.id).scalar_subquery()
                connection.execute(
                    decisions.update()
                    .where(decisions.c.number == number)
                    .values(action=ruling.action.value, code=ruling.code, cause=ruling.cause, body=body)
                )

    def _read(self, connection: sa.Connection, arrivals: Sequence[Arrival]) -> Sorted:
        first = self._recorder.next_number(connection)
        self.memory.catch_up(connection, first - 1)
        batch = Sorted(self._recorder, connection, arrivals, first)
        self._lap("ledger_read")
        return batch

    def _rule(self, connection: sa.Connection, batch: Sorted, rows: Rows) -> None:
        before = self.memory.kernel.late
        matrix = self.memory.step(self.memory.gatherer.gather(batch.entries))
        self._lap("memory")
        late = self._late(connection, batch) if self.memory.kernel.late > before else frozenset()
        scored = self.model.score(matrix)
        self._lap("score")
        payments = [a.value for a in batch.new if isinstance(a.value, Transaction)]
        standings = self._recorder.standings(connection, {n for p in payments for n in (p.account, p.payee) if n})
        self._lap("ledger_read")
        judge = Judge(self.model, scored, standings, now=self._clock(), due_in=self._due_in)
        row = 0
        for arrival, place, entry in zip(batch.new, batch.places, batch.entries, strict=True):
            value = arrival.value
            if isinstance(value, Transaction):
                judged = judge.judge(row, arrival, value, entry.number)
                judge.keep_payment(rows, entry, arrival, value, judged, matrix[row], late=entry.number in late)
                batch.answers[place] = judged.body
                row += 1
            elif isinstance(value, AccountEvent):
                judge.keep_event(rows, entry, arrival, value)
            else:
                judge.keep_label(rows, entry, value)
        self._lap("rules")

    def _late(self, connection: sa.Connection, batch: Sorted) -> frozenset[int]:
        """The numbers of the payments that are older than a payment of their account that came before them."""
        t = transactions.c
        names = {a.value.account for a in batch.new if isinstance(a.value, Transaction)}
        query = sa.select(t.account, sa.func.max(t.at).label("newest")).where(t.account.in_(names)).group_by(t.account)
        newest: dict[str, int] = {row.account: row.newest for row in connection.execute(query)}
        out: list[int] = []
        for arrival, entry in zip(batch.new, batch.entries, strict=True):
            if isinstance(arrival.value, Transaction):
                seen = newest.get(arrival.value.account, arrival.at)
                if arrival.at < seen:
                    out.append(entry.number)
                newest[arrival.value.account] = max(seen, arrival.at)
        return frozenset(out)

    def _write(self, connection: sa.Connection, rows: Rows, first: int, count: int) -> None:
        self._recorder.take_numbers(connection, first, count)
        self._recorder.add(connection, rows)
        self._lap("ledger_write")

    def _introduce(self, connection: sa.Connection, batch: Sorted) -> list[str]:
        """Give every account its row before its standing is read; returns those this process had not seen."""
        known, at = self._accounts, microseconds(self._clock())
        seen: set[str] = set()
        for arrival in batch.new:
            value = arrival.value
            if isinstance(value, Transaction | AccountEvent):
                if value.account not in known:
                    seen.add(value.account)
                if value.payee and value.payee not in known and isinstance(value, Transaction):
                    seen.add(value.payee)
        self._recorder.add_accounts(connection, ((name, at) for name in seen))
        self._lap("ledger_write")
        return list(seen)

    def _settle(self, batch: Sorted, rows: Rows, new_accounts: list[str]) -> None:
        """After the commit: count, and remember what need not be asked again."""
        if len(self._accounts) > _ACCOUNTS_KEPT:
            self._accounts.clear()
        self._accounts.update(new_accounts)
        self.alerts += len(rows.alerts)
        if rows.alerts and self.on_alert:
            self.on_alert()
        for decision in rows.decisions:
            self.actions[decision.action, decision.cause] += 1
        for arrival in batch.new:
            arrival.fresh = True

    def _lap(self, step: str) -> None:
        now = thread_time()
        self.seconds[step] += now - self._mark
        self._mark = now
