"""The first ledger: everything that came in, what was decided, what people did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table and the sequence's first row."""
    _account_events()
    _accounts()
    _activations()
    _case_events()
    _failed_sign_ins()
    _keys()
    _links()
    _people()
    _sequence()
    _transactions()
    _decisions()
    _investigations()
    _invitations()
    _labels()
    _sessions()
    _alerts()
    _blocks()
    _freezes()
    _freeze_investigations()
    op.execute("INSERT INTO sequence (name, next) VALUES ('events', 1)")


def downgrade() -> None:
    """There is nothing before the first."""
    raise NotImplementedError("a ledger only goes forward; restore the backup made before the upgrade")


def _account_events() -> None:
    op.create_table(
        "account_events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_account_events")),
        sa.UniqueConstraint("id", name=op.f("uq_account_events_id")),
    )
    op.create_index("ix_account_events_account_at", "account_events", ["account", "at"], unique=False)


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_accounts")),
    )


def _activations() -> None:
    op.create_table(
        "activations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )


def _case_events() -> None:
    op.create_table(
        "case_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=True),
        sa.Column("subject", sa.String(length=120), nullable=True),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index("ix_case_events_account_at", "case_events", ["account", "at"], unique=False)


def _failed_sign_ins() -> None:
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_sign_ins")),
    )
    op.create_index(op.f("ix_failed_sign_ins_address"), "failed_sign_ins", ["address"], unique=False)
    op.create_index(op.f("ix_failed_sign_ins_name"), "failed_sign_ins", ["name"], unique=False)


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_keys_key_hash")),
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("word", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("word", "value", "account", name=op.f("pk_links")),
    )
    op.create_index("ix_links_account", "links", ["account"], unique=False)


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people")),
    )


def _sequence() -> None:
    op.create_table(
        "sequence",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sequence")),
    )


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("payee", sa.String(length=200), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transactions")),
        sa.UniqueConstraint("id", name=op.f("uq_transactions_id")),
    )
    op.create_index("ix_transactions_account_at", "transactions", ["account", "at"], unique=False)
    op.create_index("ix_transactions_payee_at", "transactions", ["payee", "at"], unique=False)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["transactions.number"], name=op.f("fk_decisions_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_decisions")),
    )


def _investigations() -> None:
    op.create_table(
        "investigations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("opened_by", sa.String(length=100), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("assigned_to", sa.String(length=100), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(length=15), nullable=True),
        sa.Column("reason_code", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("finalised_by", sa.String(length=100), nullable=True),
        sa.Column("finalised_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_investigations_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_investigations")),
    )
    op.create_index(op.f("ix_investigations_account"), "investigations", ["account"], unique=False)
    op.create_index("ix_investigations_account_status", "investigations", ["account", "status"], unique=False)
    op.create_index("ix_investigations_finalised_at", "investigations", ["finalised_at"], unique=False)
    op.create_index("ix_investigations_status_id", "investigations", ["status", "id"], unique=False)


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["people.name"], name=op.f("fk_invitations_person")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_invitations")),
    )


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("transaction_number", sa.BigInteger(), nullable=False),
        sa.Column("finding", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("investigation", sa.BigInteger(), nullable=True),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_number"], ["transactions.number"], name=op.f("fk_labels_transaction_number")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_labels")),
        sa.UniqueConstraint(
            "transaction_number",
            "source",
            "finding",
            "known_at",
            name=op.f("uq_labels_transaction_number_source_finding_known_at"),
        ),
    )
    op.create_index(op.f("ix_labels_transaction_number"), "labels", ["transaction_number"], unique=False)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.name"], name=op.f("fk_sessions_person")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("stake_minor", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=True),
        sa.Column("reasons", sa.LargeBinary(), nullable=True),
        sa.Column("normal", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("investigation", sa.BigInteger(), nullable=True),
        sa.Column("dismissed_by", sa.String(length=100), nullable=True),
        sa.Column("dismissed_reason", sa.Text(), nullable=True),
        sa.Column("locked_by", sa.String(length=100), nullable=True),
        sa.Column("locked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_alerts_account")),
        sa.ForeignKeyConstraint(["investigation"], ["investigations.id"], name=op.f("fk_alerts_investigation")),
        sa.ForeignKeyConstraint(["number"], ["transactions.number"], name=op.f("fk_alerts_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("number", name=op.f("uq_alerts_number")),
    )
    op.create_index("ix_alerts_account_status", "alerts", ["account", "status"], unique=False)
    op.create_index(op.f("ix_alerts_investigation"), "alerts", ["investigation"], unique=False)
    op.create_index(op.f("ix_alerts_locked_by"), "alerts", ["locked_by"], unique=False)
    op.create_index("ix_alerts_status_stake", "alerts", ["status", "stake_minor", "created_at", "id"], unique=False)


def _blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("investigation", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=100), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("lift_asked_by", sa.String(length=100), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.Column("lift_asked_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=100), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_blocks_account")),
        sa.ForeignKeyConstraint(["investigation"], ["investigations.id"], name=op.f("fk_blocks_investigation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
    )
    op.create_index("ix_blocks_account_status", "blocks", ["account", "status"], unique=False)
    op.create_index("ix_blocks_status", "blocks", ["status"], unique=False)


def _freezes() -> None:
    op.create_table(
        "freezes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(length=100), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("fraud_in", sa.BigInteger(), nullable=True),
        sa.Column("ended_by_investigation", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_freezes_account")),
        sa.ForeignKeyConstraint(
            ["ended_by_investigation"], ["investigations.id"], name=op.f("fk_freezes_ended_by_investigation")
        ),
        sa.ForeignKeyConstraint(["fraud_in"], ["investigations.id"], name=op.f("fk_freezes_fraud_in")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freezes")),
    )
    op.create_index("ix_freezes_account_status", "freezes", ["account", "status"], unique=False)
    op.create_index("ix_freezes_status", "freezes", ["status"], unique=False)


def _freeze_investigations() -> None:
    op.create_table(
        "freeze_investigations",
        sa.Column("freeze", sa.BigInteger(), nullable=False),
        sa.Column("investigation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["freeze"], ["freezes.id"], name=op.f("fk_freeze_investigations_freeze")),
        sa.ForeignKeyConstraint(
            ["investigation"], ["investigations.id"], name=op.f("fk_freeze_investigations_investigation")
        ),
        sa.PrimaryKeyConstraint("freeze", "investigation", name=op.f("pk_freeze_investigations")),
    )
