"""Events → numbers; the same code trains and serves.

A spec's statistics are compiled to a :class:`Plan`; a :class:`Kernel` steps over events in the order of their
arrival, says for each payment what was known just before it, and then remembers it. It knows windows, entities and
labels; it does not know what a model is, where events come from, or what time it is.
"""

from tocsin.features.kernel import Kernel
from tocsin.features.memory import Snapshot
from tocsin.features.plan import Plan, compile_plan

__all__ = ["Kernel", "Plan", "Snapshot", "compile_plan"]
