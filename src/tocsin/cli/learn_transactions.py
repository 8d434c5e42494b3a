"""``tocsin learn`` for payments: from a table of transactions and its spec to a model, in order of time."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tocsin import spec as specs
from tocsin.artifact import Card, write
from tocsin.artifact.folder import check_free
from tocsin.cli.bar import steps
from tocsin.data import read
from tocsin.errors import BadInput, NotReady
from tocsin.features import compile_plan
from tocsin.grammar import parse_span
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.gathering import gather
from tocsin.learn.quality import Quality
from tocsin.learn.transactions import Learned, Recipe, learn
from tocsin.measure.budget import parse_goal
from tocsin.measure.early import EarlyAnswers
from tocsin.measure.policy import NEVER
from tocsin.spec import Spec

FROM_OTHERS = ("scratch", "transfer", "extract")
"""With networks: from nothing (the same as ``network``), or from another model's."""
CURVES = "training.html"
"""How the training of the network went, beside the model."""
MEMORY = "memory.bin"
"""The kernel's memory after the last event, beside the model: serving starts warm from it."""


def learn_payments(data: Path, spec_name: str, told: Mapping[str, Any]) -> None:
    """Learn from payments and say how good it is.

    Parameters
    ----------
    told : every option of ``tocsin learn`` by its name.
    """
    boosting = {name: told[name] for name in ("trees", "leaves", "rate", "seed", "threads")}
    after = None if told["genuine_after"] is None else parse_span(told["genuine_after"])
    way, out = told["way"] or "trees", told["out"]
    how = "network" if way in ("scratch", "transfer") else way
    recipe = Recipe(
        parse_goal(told["budget"], told["cost"], told["fpr"]),
        BoostingSettings(**boosting),
        how,
        told["anomaly"],
        told["held_out"],
        told["newest"],
        told["refit"],
        told["name"],
        told["early_leak"],
        after,
        anomaly_by=told["anomaly_by"],
        most_genuine=told["most_genuine"],
    )
    spec = specs.load(spec_name)
    if how in ("network", "extract") or told["anomaly_by"] == "autoencoder":
        check_torch(told["threads"])
    if how == "network":
        recipe = replace(recipe, processes=told["processes"], folder=out.with_name(f"{out.name}.training"))
    recipe = _from_another(recipe, way, spec, told["source"], told["layer"], told["into"])
    check_free(out.absolute(), force=told["force"])
    learned, remembered, card = _learn(data, spec, recipe, out, told["bad_rows"])
    _summarise(Console(), learned, card, remembered, out, spec)


def _from_another(recipe: Recipe, way: str, spec: Spec, source: Path | None, layer: str, into: str | None) -> Recipe:
    """What is taken from another model, read before anything else is.

    Raises
    ------
    BadInput : a way that needs another model has none, or the other way round; or the model does not fit.
    """
    if way not in FROM_OTHERS[1:]:
        for option, given in (("--from", source is not None), ("--layer", bool(layer)), ("--into", into is not None)):
            if given:
                raise BadInput(f"{option} is for --way transfer or extract; got --way {way}.", field=option)
        return recipe
    if source is None:
        raise BadInput(
            f"--way {way} needs another model's networks; got no directory.", field="--from", hint="Give --from MODEL."
        )
    if into == "logistic":
        raise BadInput("payments are learned on a layer by svm or trees; got logistic.", field="--into")
    if way == "extract":
        from tocsin.learn.extract import extraction_of

        return replace(recipe, extract=extraction_of(source, compile_plan(spec), layer, into or "svm"))
    if layer or into:
        raise BadInput("--layer and --into are for --way extract; got --way transfer.", field="--layer")
    from tocsin.learn.transfer import weights_of

    return replace(recipe, base=weights_of(source, compile_plan(spec)))


def _learn(data: Path, spec: Spec, recipe: Recipe, out: Path, bad_rows: Path | None) -> tuple[Learned, str, Card]:
    """Read, compute features, learn, write; a bar says where it stands. Of the memory's size it says a word."""
    with steps("reading the file") as (progress, told), _aside(recipe, out) as aside:
        table = read(data, spec, bad_rows=bad_rows)
        for note in table.notes:
            progress.console.print(f"Note: {escape(note)}", highlight=False)
        plan = compile_plan(spec)
        most, seed = recipe.most_genuine, recipe.boosting.seed
        examples, kernel = gather(table, plan, room=recipe.room(plan), most_genuine=most, seed=seed, told=told)
        del table  # the payments as they were read take as much memory as what is learned from
        kernel.save(Path(aside) / MEMORY)  # and nothing looks into the kernel's memory before the model serves
        remembered = f"{kernel.entities:,} entities in {kernel.bytes_used / 2**20:.1f} MB"
        del kernel
        learned = learn(examples, spec, plan, recipe, source=data.name, told=told)
        told("writing the model", 1.0)

        def also(folder: Path) -> None:
            shutil.move(Path(aside) / MEMORY, folder / MEMORY)
            curves = recipe.folder / "network" / CURVES if recipe.folder is not None else None
            if curves is not None and curves.is_file():
                shutil.copy(curves, folder / CURVES)

        card = write(out, learned.card, learned.files, also=also)
        if recipe.folder is not None:
            shutil.rmtree(recipe.folder, ignore_errors=True)
    return learned, remembered, card


def _aside(recipe: Recipe, out: Path) -> AbstractContextManager[str | Path]:
    """A folder for what the model will have beside it: where its training keeps its checkpoints, or one that is gone after."""
    if recipe.folder is not None:
        recipe.folder.mkdir(parents=True, exist_ok=True)
        return nullcontext(recipe.folder)
    beside = out.absolute().parent
    return TemporaryDirectory(prefix=f".{out.name}.", dir=beside if beside.is_dir() else None)


def has_torch() -> bool:
    """Whether what trains networks is installed."""
    return find_spec("torch") is not None and find_spec("safetensors") is not None


def check_torch(threads: int = 1) -> None:
    """Say what is missing before anything is read; and keep PyTorch to so many threads.

    Its own default, all cores, makes networks as small as these slower, and on a busy machine ten times as slow.

    Raises
    ------
    NotReady : PyTorch is not installed.
    """
    if not has_torch():
        raise NotReady(
            "a network needs PyTorch and safetensors, which are not installed.",
            field="--way",
            hint="pip install 'tocsin[networks]', with the build of PyTorch of your choice; or learn --way trees.",
        )
    import torch

    torch.set_num_threads(threads)


def _summarise(console: Console, learned: Learned, card: Card, remembered: str, out: Path, spec: Spec) -> None:
    """In words and one table: what it learned from, how it did on what it never saw, and the next command."""
    facts = card.learned
    console.print(
        f"Learned from {facts.trees_rows:,} of {facts.rows:,} payments, {facts.first[:10]} to {facts.last[:10]}; "
        f"{facts.frauds:,} are known frauds ({facts.fraud_rate:.2%}).",
        highlight=False,
    )
    if learned.quality is not None:
        _say_quality(console, learned.quality, card)
    else:
        console.print("Nothing was held out with known labels, so nothing is said of how good it is.")
    if learned.verdict is not None:
        kept = (
            f" {card.network.correction:.0%} of its correction is believed."
            if card.network is not None and card.settings.get("layer") is None
            else ""
        )
        console.print(escape(learned.verdict.words) + kept, highlight=False)
    for note in learned.notes:
        console.print(f"Note: {escape(note)}", highlight=False)
    decline = "never" if card.policy.decline_at >= NEVER else f"from {card.policy.decline_at:.4f}"
    console.print(
        f"Policy: review from {card.policy.review_at:.4f}, decline by score {decline}; the memory holds {remembered}.",
        highlight=False,
    )
    console.print(f"[bold]{card.version}[/bold] is written in {out}. Next: tocsin serve {out}", highlight=False)


def _say_quality(console: Console, found: Quality, card: Card) -> None:
    console.print(
        f"On the newest {found.payments:,} payments ({found.days:.0f} days, {found.frauds:,} frauds), never looked at "
        "while learning:",
        highlight=False,
    )
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("after stage")
    for title in ("trees", "AUC", "average precision", "frauds found at 1 % false alarms"):
        grid.add_column(title, justify="right")
    for stage in found.exits:
        grid.add_row(
            stage.stage,
            str(stage.trees),
            f"{stage.roc_auc:.3f}",
            f"{stage.average_precision:.3f}",
            f"{stage.recall_at_1_percent:.1%}",
        )
    console.print(grid, highlight=False)
    console.print(
        f"With its thresholds: {found.alerts_a_day:.0f} alerts a day, {found.precision:.0%} of them frauds, "
        f"{found.recall:.0%} of the frauds and {found.caught:.0%} of their money; "
        f"it expected {found.expected:.2%} fraud, and {found.rate:.2%} came.",
        highlight=False,
    )
    if found.early is not None:
        console.print(early_sentence(found.early), highlight=False)
    elif card.settings.get("early_leak") is not None:
        console.print("Too few frauds to approve anything early within that leak; every stage is always asked.")


def early_sentence(early: EarlyAnswers) -> str:
    """What early approvals did, in a sentence."""
    return (
        f"Early answers: {early.traffic:.0%} of the payments were approved before the last stage, which saves "
        f"{early.lookups_saved:.0%} of the look-ups and lost {early.lost:.2%} of {early.frauds:,} frauds "
        f"({early.lost_money:.2%} of their money) that all stages together would have rung for."
    )
