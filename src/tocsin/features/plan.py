"""A spec's stages and statistics → the model's input columns and what the kernel must keep for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from tocsin.errors import NotFound
from tocsin.features.assemble import assemble
from tocsin.features.layout import lay_out, microseconds
from tocsin.features.program import Ints, Program
from tocsin.features.words import say, say_column
from tocsin.spec import CALENDAR, Spec

FORMAT = 2
"""Raised when the meaning of a feature or the shape of the memory changes; part of every fingerprint."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model reads and what the kernel keeps for it; :func:`compile_plan` makes one.

    Parameters
    ----------
    names : the model's input columns, stage by stage, raw columns before features.
    ends : stage ``s`` may use ``names[:ends[s]]``.
    stage_names : the stages' names.
    categorical : places in ``names`` of entity columns, folded to ``key % 1021 + 1`` (0: not there).
    keys, numbers : the columns of a batch that are read.
    history : how many of an entity's last payments stand behind the columns of a row; 0: none are kept.
    fingerprint : hex; two plans with the same one compute and remember the same.
    """

    names: tuple[str, ...]
    ends: tuple[int, ...]
    stage_names: tuple[str, ...]
    categorical: tuple[int, ...]
    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    fingerprint: str
    idle_expiry: int
    ceiling_bytes: int
    entities: tuple[tuple[str, ...], ...]
    program: Program = field(repr=False, compare=False)
    cells: Ints = field(repr=False, compare=False)
    words: Mapping[str, str] = field(repr=False, compare=False)
    history: int = 0

    @property
    def width(self) -> int:
        """How wide a row of the kernel is: ``names``, then the last payments, then this one (:mod:`.history`)."""
        return len(self.names) + (self.history + 1 if self.history else 0)

    def describe(self, name: str) -> str:
        """A column in plain words: ``payments by this card in the last hour``.

        Raises
        ------
        NotFound : no column of this plan has that name.
        """
        if name not in self.words:
            raise NotFound(f"a column must be one of this plan's {len(self.names)}; got {name[:80]!r}.", field="name")
        return self.words[name]


def compile_plan(spec: Spec) -> Plan:
    """Work out what a spec's features need kept and how each is read.

    Raises
    ------
    BadSpec : a line asks for what an event does not carry.

    Examples
    --------
    >>> from tocsin.spec import parse
    >>> plan = compile_plan(parse('''
    ... [columns]
    ... at = "t"
    ... amount = "a"
    ... account = "c"
    ... [[stage]]
    ... name = "amount"
    ... columns = ["amount"]
    ... features = ["count of amount by account over 1h"]
    ... '''))
    >>> plan.names
    ('amount', 'count_amount_by_account_1h')
    >>> plan.describe("count_amount_by_account_1h")
    'payments by this account in the last hour'
    """
    names: list[str] = []
    ends: list[int] = []
    for stage in spec.stages:
        names += [column for column in dict.fromkeys(stage.columns) if column not in names]
        names += [feature.name for feature in stage.features]
        ends.append(len(names))
    layout = lay_out(spec.features, spec.number_names, spec.history)
    features = {feature.name for feature in spec.features}
    raw = [name for name in names if name not in features]
    plain = {"amount", *CALENDAR, *spec.number_names}
    used = [column for _, by in layout.lookups for column in by] + [name for name in raw if name not in plain]
    used += spec.history.kind if spec.history else ()
    keys = tuple(dict.fromkeys(used))
    program = assemble(spec, layout, names, keys)
    cells = program.cells()
    words = {name: say_column(name) for name in raw} | {feature.name: say(feature, spec) for feature in spec.features}
    digest = blake2b(digest_size=16)
    digest.update(repr((FORMAT, names, ends, keys, spec.number_names, spec.currency, spec.time.zone)).encode())
    digest.update(cells.tobytes())
    return Plan(
        names=tuple(names),
        ends=tuple(ends),
        stage_names=tuple(stage.name for stage in spec.stages),
        categorical=tuple(i for i, name in enumerate(names) if name in raw and name not in plain),
        keys=keys,
        numbers=spec.number_names,
        fingerprint=digest.hexdigest(),
        idle_expiry=max(microseconds(spec.idle_expiry), max((g.reach for g in layout.groups.values()), default=0)),
        ceiling_bytes=spec.memory_ceiling_mb * 1_000_000,
        entities=tuple(layout.tables),
        program=program,
        cells=cells,
        words=words,
        history=spec.history.length if spec.history else 0,
    )
