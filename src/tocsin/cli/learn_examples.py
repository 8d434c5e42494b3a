"""``tocsin learn`` for pictures, sounds and texts: one path, whatever the kind and the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tocsin.artifact.classes import NETWORK, REPORT, ClassesCard, load
from tocsin.artifact.folder import check_free, write
from tocsin.cli.bar import steps
from tocsin.data.collection import Collection, collect
from tocsin.data.dirt import dirt
from tocsin.errors import BadInput, Damaged, NotReady
from tocsin.learn.perception.learned import Learned, choose_way, learn
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.suspicion import sentences
from tocsin.learn.task import Told

if TYPE_CHECKING:
    from tocsin.evaluate.enough import Enough
    from tocsin.evaluate.headline import Rival

MOST_THREADS = 4
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _Compared:
    """What was measured beside the model, for its report: what more examples bring, and plain machine learning or why not."""

    enough: Enough | None = None
    rival: Rival | None = None
    unasked: str = ""


def learn_examples(data: Path, told: Mapping[str, Any]) -> None:
    """Learn from examples and say how good it is.

    Parameters
    ----------
    told : every option of ``tocsin learn`` by its name.
    """
    out: Path = told["out"]
    recipe = recipe_of(told)
    check_free(out.absolute(), force=told["force"])
    columns = {name: told[name] for name in ("kind", "column", "label", "split", "group")}
    try:
        collection = collect(data, **columns)
    except BadInput as error:
        if data.is_file():
            spec = "A table of payments needs --spec: a ready spec's name or a TOML file that describes it."
            hint = spec if error.hint is None else f"{error.hint} {spec}"
            raise BadInput(error.message, field=error.field, hint=hint) from error
        raise
    if recipe.way is None and recipe.source is None and not recipe.network and not told["offline"]:
        _fetch(collection.kind, recipe.weights)
    recipe, why = choose_way(recipe, collection.kind)
    if recipe.way != "plain":
        from tocsin.cli.learn_transactions import check_torch

        check_torch(recipe.threads)
    learned, card, compared = _learn(collection, recipe, out, why, told["report"])
    _summarise(Console(), collection, learned, card, out, compared)


def _fetch(kind: str, where: Path | None) -> None:
    """Get the published weights of the kind's own network if they are not here; where that fails, say why and go on."""
    from tocsin.cli.learn_transactions import check_torch
    from tocsin.cli.networks import fetched
    from tocsin.learn.perception.chosen import KNOWING, has_weights
    from tocsin.learn.perception.registry import entry

    check_torch()
    name = KNOWING[kind]
    published = entry(name).pretrained
    if has_weights(kind, where) or published is None:
        return
    console = Console(stderr=True)
    console.print(
        f"Fetching the weights of {name}: {published.megabytes:.0f} MB, {published.licence}, once. --offline leaves that out.",
        highlight=False,
    )
    try:
        fetched(name, where)
    except (NotReady, Damaged, OSError) as error:
        console.print(escape(f"They could not be had: {error}"), highlight=False)


def recipe_of(told: Mapping[str, Any]) -> Recipe:
    """What the options say; the training's folder is beside the model's."""
    out: Path = told["out"]
    known = {field.name for field in fields(Recipe)} & told.keys()
    given = {name: told[name] for name in known} | {"augment": told["augment"] or ""}
    given["threads"] = told["threads"] or min(MOST_THREADS, len(os.sched_getaffinity(0)))
    return Recipe(**given, folder=out.with_name(f"{out.name}.training"))


def _learn(
    collection: Collection, recipe: Recipe, out: Path, why: tuple[str, ...], report: bool
) -> tuple[Learned, ClassesCard, _Compared]:
    """Learn, compare, write; a bar says where it stands."""
    with steps("looking at the data") as (progress, told):
        for note in why:
            progress.console.print(escape(note), highlight=False)
        found = dirt(collection, told)
        for finding in found.findings:
            progress.console.print(f"Note: {escape(finding.said)}", highlight=False)
        learned = learn(collection, recipe, told, good=found.good & ~found.leaking, twin=found.twin)
        compared = _compare(collection, learned, recipe, told) if report else _Compared()
        told("writing the model", 0.0)

        def also(folder: Path) -> None:
            _also(folder, collection, learned, recipe.folder, told, compared if report else None)

        card = write(out, learned.card, learned.files, also=also)
        if recipe.folder is not None:
            shutil.rmtree(recipe.folder, ignore_errors=True)
    return learned, card, compared


def _compare(collection: Collection, learned: Learned, recipe: Recipe, told: Told) -> _Compared:
    """What more examples would bring, and what plain machine learning makes of these, as far as seconds tell it."""
    from tocsin.evaluate.enough import Enough
    from tocsin.evaluate.rival import against_plain

    card, rows, enough, rival, unasked = learned.card, learned.portions, None, None, ""
    if learned.taught is not None:
        words = " and another on the words" if learned.taught.words is not None else ""
        by = f"a linear machine on {f'what {card.network} sees{words}' if card.network else 'the same plain features'}"
        enough = Enough.measured(collection, learned.taught, rows.groups, by, seed=recipe.seed, told=told)
    if recipe.way != "plain" and learned.quality is not None:
        seen = learned.predictions
        right = seen.probability.argmax(axis=1) == seen.label
        try:
            rival, seconds = against_plain(collection, rows, right, seed=recipe.seed, told=told)
        except BadInput as error:  # texts without a word that comes twice, and the like: a network may know what to do
            seconds, unasked = 0.0, f"Plain machine learning has no answer here: {error.message}"
        if rival is None and not unasked:
            unasked = (
                f"Plain machine learning was not asked, as that would take about {max(1, round(seconds / 60))} min: the same "
                "command with --way plain and another --out says what it reaches."
            )
    return _Compared(enough, rival, unasked)


def _also(
    folder: Path,
    collection: Collection,
    learned: Learned,
    training: Path | None,
    told: Told,
    compared: _Compared | None,
) -> None:
    """What lies beside a model and is no part of it: the curves of its last phase of training, and the report if one is wanted."""
    for name in ("training.json", "training.html"):
        phases = (
            [] if training is None else sorted(training.glob(f"*/{name}"), key=lambda path: path.stat().st_mtime_ns)
        )
        if phases and learned.epochs:
            shutil.copy(phases[-1], folder / name)
    if compared is None or learned.quality is None:
        return
    from tocsin.evaluate.attribution import explainer
    from tocsin.evaluate.classcharts import course_of_epochs
    from tocsin.evaluate.enough import NAME
    from tocsin.evaluate.pictured import write_report

    if compared.enough is not None:
        compared.enough.keep(folder / NAME)
    model, seen = load(folder), learned.predictions
    write_report(
        folder / REPORT,
        model.card,
        collection,
        seen.rows,
        seen.probability,
        seen.label,
        explainer(model, learned.files.get(NETWORK)),
        course_of_epochs(learned.epochs, compared.enough),
        plain=compared.rival,
        notes=(
            *([compared.unasked] if compared.unasked else []),
            *learned.notes,
            *sentences(collection, learned.doubts),
        ),
        told=told,
    )


def _summarise(
    console: Console, collection: Collection, learned: Learned, card: ClassesCard, out: Path, compared: _Compared
) -> None:
    """In words and one table: what it learned from, how it did on what it never saw, and the next command."""
    rows = learned.portions
    console.print(
        f"Learned {len(card.classes)} classes of {card.kind} from {len(rows.taught):,} of {len(collection):,} examples; "
        f"judged by {rows.held_out}.",
        highlight=False,
    )
    for note in (*learned.notes, *sentences(collection, learned.doubts)):
        console.print(f"Note: {escape(note)}", highlight=False)
    found = learned.quality
    if found is not None:
        second = "" if found.roc_auc is None else f", AUC {found.roc_auc:.3f}"
        console.print(
            f"Right on {found.accuracy:.1%} of the test (mean over the classes {found.balanced_accuracy:.1%}, macro F1 "
            f"{found.macro_f1:.3f}{second}); how sure it says it is, is off by {found.calibration_error:.1%}.",
            highlight=False,
        )
        _say_compared(console, compared, found.accuracy)
        _say_classes(console, card, learned)
    console.print(f"[bold]{card.version}[/bold] is written in {out}. Next: tocsin predict {out} FILE", highlight=False)


def _say_compared(console: Console, compared: _Compared, accuracy: float) -> None:
    """How it stands against plain machine learning, and what more examples would bring."""
    from tocsin.evaluate.headline import against

    said = [against(compared.rival, accuracy)] if compared.rival is not None else []
    said += [compared.unasked] if compared.unasked else []
    said += [compared.enough.sentence()] if compared.enough is not None else []
    for sentence in said:
        console.print(escape(sentence), highlight=False)


def _say_classes(console: Console, card: ClassesCard, learned: Learned) -> None:
    """Each class: how many, how many found, and what it is most often taken for; the worst first."""
    found = learned.quality
    assert found is not None
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("class")
    for title in ("test", "found", "taken for"):
        grid.add_column(title, justify="right")
    there = [c for c in range(len(card.classes)) if found.confusion[c].sum()]
    for c in sorted(there, key=lambda c: found.recall[c])[:_SHOWN]:
        wrong = found.confusion[c].copy()
        wrong[c] = 0
        other = f"{card.classes[int(wrong.argmax())]} ({wrong.max()})" if wrong.any() else ""
        grid.add_row(escape(card.classes[c]), str(found.confusion[c].sum()), f"{found.recall[c]:.1%}", escape(other))
    console.print(grid, highlight=False)
