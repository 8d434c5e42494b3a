"""Every table of the one database.

Times are int64 microseconds since 1970 UTC, money whole minor units. ``number`` is the place in the one sequence that
all transactions, account events, labels and verdicts share; the memory consumes exactly that order. Nothing here is
ever deleted; what ends carries the time and the reason of its end.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives row ids only to INTEGER primary keys; PostgreSQL needs 64 bits said aloud.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


# The next free number of "events", updated first in every write, so on PostgreSQL it also orders the writers; and how
# far others have read it ("links").
sequence = sa.Table(
    "sequence",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
)

# One row an account ever seen. Deciding a payment locks it shared, freezing locks it alone (PostgreSQL).
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.String(200), primary_key=True),
    _time("first_seen_at"),
)

transactions = sa.Table(
    "transactions",
    metadata,
    sa.Column("number", _Id, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(200), nullable=False, unique=True),
    sa.Column("content", sa.LargeBinary(16), nullable=False),  # fingerprint: same id, other content is a conflict
    _time("at"),
    _time("received_at"),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("base_minor", sa.BigInteger, nullable=False),  # the amount in the base currency
    sa.Column("account", sa.String(200), nullable=False),
    sa.Column("payee", sa.String(200)),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the whole transaction as JSON, the card as a token
    sa.Column("late", sa.Boolean, nullable=False, default=False),
    sa.Index("ix_transactions_account_at", "account", "at"),
    sa.Index("ix_transactions_payee_at", "payee", "at"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("number", _Id, sa.ForeignKey("transactions.number"), primary_key=True, autoincrement=False),
    sa.Column("action", sa.String(10), nullable=False),
    sa.Column("code", sa.String(40), nullable=False),  # neutral: what the payment system may show
    sa.Column("cause", sa.String(20), nullable=False),  # score | freeze | block | deadline | imported
    sa.Column("score", sa.Float),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the Decision as it was answered, JSON
    sa.Column("model", sa.String(100), nullable=False),
    _time("decided_at"),
)

account_events = sa.Table(
    "account_events",
    metadata,
    sa.Column("number", _Id, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(200), nullable=False, unique=True),
    sa.Column("content", sa.LargeBinary(16), nullable=False),
    _time("at"),
    _time("received_at"),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("account", sa.String(200), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_account_events_account_at", "account", "at"),
)

# Which accounts were seen with which card token, device, address, payee; read from the rows above after the answer.
links = sa.Table(
    "links",
    metadata,
    sa.Column("word", sa.String(10), primary_key=True),
    sa.Column("value", sa.String(200), primary_key=True),
    sa.Column("account", sa.String(200), primary_key=True),
    sa.Column("first_number", sa.BigInteger, nullable=False),
    sa.Index("ix_links_account", "account"),
)

# Of a chargeback and a verdict the one that came last, by its number, holds; both stay.
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("number", _Id, primary_key=True, autoincrement=False),
    sa.Column("transaction_number", sa.BigInteger, sa.ForeignKey("transactions.number"), nullable=False, index=True),
    sa.Column("finding", sa.String(10), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),  # chargeback | verdict | ...
    sa.Column("investigation", sa.BigInteger),
    _time("known_at"),
    sa.UniqueConstraint("transaction_number", "source", "finding", "known_at"),
)

investigations = sa.Table(
    "investigations",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", sa.String(200), sa.ForeignKey("accounts.account"), nullable=False, index=True),
    sa.Column("subject", sa.String(80), nullable=False),  # takeover, mule payee, laundering...
    sa.Column("status", sa.String(10), nullable=False),  # pending | final
    sa.Column("opened_by", sa.String(100), nullable=False),
    _time("opened_at"),
    sa.Column("assigned_to", sa.String(100)),
    _time("due_at", nullable=True),
    sa.Column("verdict", sa.String(15)),  # genuine | fraud | inconclusive | mistake
    sa.Column("reason_code", sa.String(40)),
    sa.Column("note", sa.Text),
    sa.Column("finalised_by", sa.String(100)),
    _time("finalised_at", nullable=True),
    sa.Index("ix_investigations_account_status", "account", "status"),
    sa.Index("ix_investigations_status_id", "status", "id"),
    sa.Index("ix_investigations_finalised_at", "finalised_at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("number", sa.BigInteger, sa.ForeignKey("transactions.number"), nullable=False, unique=True),
    sa.Column("account", sa.String(200), sa.ForeignKey("accounts.account"), nullable=False),
    _time("at"),
    _time("created_at"),
    _time("due_at"),
    sa.Column("action", sa.String(10), nullable=False),  # review | decline
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("stake_minor", sa.BigInteger, nullable=False),  # probability x amount, base currency
    sa.Column("why", sa.Text, nullable=False, default=""),  # one sentence in the customer's terms
    sa.Column("inputs", sa.LargeBinary),  # float64 row the model saw; reasons are computed from it, after a restart too
    sa.Column("reasons", sa.LargeBinary),  # JSON list of Reason; written after the answer
    sa.Column("normal", sa.LargeBinary),  # JSON: this customer's normal, frozen at that moment
    sa.Column("status", sa.String(10), nullable=False),  # new | joined | dismissed
    sa.Column("investigation", sa.BigInteger, sa.ForeignKey("investigations.id"), index=True),
    sa.Column("dismissed_by", sa.String(100)),
    sa.Column("dismissed_reason", sa.Text),
    sa.Column("locked_by", sa.String(100), index=True),
    _time("locked_at", nullable=True),
    sa.Index("ix_alerts_account_status", "account", "status"),
    sa.Index("ix_alerts_status_stake", "status", "stake_minor", "created_at", "id"),
)

freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", sa.String(200), sa.ForeignKey("accounts.account"), nullable=False),
    sa.Column("direction", sa.String(4), nullable=False),  # in | out | both
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("set_by", sa.String(100), nullable=False),
    _time("set_at"),
    sa.Column("status", sa.String(10), nullable=False),  # active | ended
    sa.Column("fraud_in", sa.BigInteger, sa.ForeignKey("investigations.id")),  # first fraud verdict of its life
    sa.Column("ended_by_investigation", sa.BigInteger, sa.ForeignKey("investigations.id")),
    _time("ended_at", nullable=True),
    sa.Index("ix_freezes_account_status", "account", "status"),
    sa.Index("ix_freezes_status", "status"),
)

freeze_investigations = sa.Table(
    "freeze_investigations",
    metadata,
    sa.Column("freeze", sa.BigInteger, sa.ForeignKey("freezes.id"), primary_key=True),
    sa.Column("investigation", sa.BigInteger, sa.ForeignKey("investigations.id"), primary_key=True),
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", sa.String(200), sa.ForeignKey("accounts.account"), nullable=False),
    sa.Column("direction", sa.String(4), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("investigation", sa.BigInteger, sa.ForeignKey("investigations.id"), nullable=False),
    sa.Column("set_by", sa.String(100), nullable=False),
    _time("set_at"),
    sa.Column("status", sa.String(10), nullable=False),  # active | lifted
    sa.Column("lift_asked_by", sa.String(100)),
    sa.Column("lift_reason", sa.Text),
    _time("lift_asked_at", nullable=True),
    sa.Column("lifted_by", sa.String(100)),
    _time("lifted_at", nullable=True),
    sa.Index("ix_blocks_account_status", "account", "status"),
    sa.Index("ix_blocks_status", "status"),
)

# The audit chain: append only; hash = blake2b(previous hash, canonical JSON of the row).
case_events = sa.Table(
    "case_events",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=False),  # 1, 2, 3... without a gap
    _time("at"),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("account", sa.String(200)),
    sa.Column("subject", sa.String(120)),  # such as "investigation 1204"
    sa.Column("old", sa.Text),  # JSON
    sa.Column("new", sa.Text),  # JSON
    sa.Column("previous", sa.LargeBinary(32), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Index("ix_case_events_account_at", "account", "at"),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("role", sa.String(10), nullable=False),  # analyst | senior | admin | auditor
    sa.Column("password_hash", sa.String(200)),
    sa.Column("active", sa.Boolean, nullable=False, default=True),
    _time("created_at"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("person", sa.String(100), sa.ForeignKey("people.name"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    _time("created_at"),
    _time("seen_at"),
    _time("expires_at"),
)

# Wrong passwords of the last minutes; the one table whose rows are thrown away when they no longer count.
failed_sign_ins = sa.Table(
    "failed_sign_ins",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False, index=True),
    sa.Column("address", sa.String(100), nullable=False, index=True),
    _time("at"),
)

# One-time links: the first sign-in, a forgotten password.
invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("person", sa.String(100), sa.ForeignKey("people.name"), nullable=False),
    _time("expires_at"),
    _time("used_at", nullable=True),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("key_hash", sa.LargeBinary(32), nullable=False, unique=True),
    _time("created_at"),
    _time("revoked_at", nullable=True),
)

# The newest activation is the model in force; rolling back activates the one before.
activations = sa.Table(
    "activations",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    _time("at"),
)
