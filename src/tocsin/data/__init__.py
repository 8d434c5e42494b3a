"""Files become labelled examples: payments and account events in order of time, with what was known of them and when.

It reads by a spec, says in words what is wrong with which row, splits by time or by entity, and makes a world of its own
where there is no file yet. It knows no feature, no model and no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.data.split import split_by_entity, split_by_time, walk_forward
    from tocsin.data.table import Table
    from tocsin.data.transactions import read
    from tocsin.data.world import WorldSettings, make_world

__all__ = ["Table", "WorldSettings", "make_world", "read", "split_by_entity", "split_by_time", "walk_forward"]

# Each is imported when it is asked for: who reads a picture needs neither tables nor a made world.
_IN = {"Table": "table", "WorldSettings": "world", "make_world": "world", "read": "transactions"}
_IN |= dict.fromkeys(("split_by_entity", "split_by_time", "walk_forward"), "split")


def __getattr__(name: str) -> Any:
    if name not in _IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_IN[name]}"), name)
    return found
