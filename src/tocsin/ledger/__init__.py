"""The one database: what came in, what was decided, who did what. It knows tables, order and the audit chain; it does
not know models, features, or which moves at the desk are legal."""

from tocsin.ledger.store import Ledger, microseconds, moment, now

__all__ = ["Ledger", "microseconds", "moment", "now"]
