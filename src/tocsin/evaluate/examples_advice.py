"""Advice for pictures, sounds and texts: what is measured, what is expected of the rest, and which to take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from shlex import quote

from tocsin.data.collection import Collection
from tocsin.errors import NotReady
from tocsin.evaluate.advisor import Advice, Candidate, choose, expected_of, more_labels, reasons
from tocsin.evaluate.trials import Trial, rare_class, try_extract, try_plain
from tocsin.learn.perception.portions import Portions, portions
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told, silent

Clock = Callable[[], float]
BUDGET = 75.0
"""Seconds an advice may take, about."""


def advise_examples(
    collection: Collection,
    *,
    budget: float = BUDGET,
    threads: int = 1,
    seed: int = 0,
    recipe: Recipe | None = None,
    clock: Clock = time.perf_counter,
    told: Told = silent,
) -> Advice:
    """Measure, draw on, choose.

    Parameters
    ----------
    budget : seconds, about. clock : what minutes are measured by; the processor's own time on a machine with other work.
    recipe : what the user would say to ``tocsin learn`` anyway, such as where the weights are.

    Raises
    ------
    BadInput : nothing can be learned from the data.
    """
    began, spent = time.perf_counter(), clock()
    recipe = replace(recipe or Recipe(), seed=seed, threads=threads)
    rows = portions(collection, held_out=recipe.held_out, seed=seed)
    plain = _measured("plain", try_plain(collection, rows, budget / 3, seed=seed, clock=clock, told=told), rows)
    found, notes = [plain], list(rows.notes)
    left = max(10.0, budget - (clock() - spent) - 12.0)
    if find_spec("torch") is None or find_spec("safetensors") is None:
        notes.append("PyTorch is not installed, so no network is considered; pip install 'tocsin[networks]' brings it.")
    else:
        found += _networks(collection, rows, recipe, plain, left, clock, told, notes)
    chosen, rare = choose(tuple(found)), rare_class(collection, rows.taught)
    examples, classes = len(rows.taught), len(collection.classes)
    if chosen.growth is not None and chosen.growth.points[-1].examples < 0.7 * examples:
        notes.append(
            f"Measured with {chosen.growth.points[-1].examples:,} of {examples:,} examples, and drawn on from there."
        )
    return Advice(
        what=f"{examples:,} labelled {NOUN[collection.kind]} of {classes} classes to learn from",
        examples=examples,
        chosen=chosen,
        candidates=tuple(sorted(found, key=lambda one: -one.expected)),
        command=f"tocsin learn {quote(collection.source)} --way {chosen.way}"
        + (f" --network {chosen.network}" if chosen.network else ""),
        why=reasons(chosen, tuple(found), examples, classes),
        unless=_unless(chosen, tuple(found), examples, classes),
        seconds=time.perf_counter() - began,
        machine=machine(),
        measure="share right" if rare is None else f"F1 of {collection.classes[rare]}",
        notes=tuple(notes),
        kind=collection.kind,
    )


NOUN = {"images": "pictures", "sound": "sounds", "text": "texts"}


def _measured(way: str, trial: Trial, rows: Portions) -> Candidate:
    """A way whose learning curve was measured, drawn on to all examples."""
    examples = len(rows.taught)
    low, high = trial.growth.between(examples)
    last = trial.growth.points[-1]
    grounds = f"measured: {last.right:.1%} by cross-validation with {last.examples:,} examples"
    return Candidate(
        way,
        trial.network,
        trial.growth.right(examples),
        low,
        high,
        trial.seconds / 60,
        trial.growth,
        grounds,
    )


def _networks(
    collection: Collection,
    rows: Portions,
    recipe: Recipe,
    plain: Candidate,
    budget: float,
    clock: Clock,
    told: Told,
    notes: list[str],
) -> list[Candidate]:
    """What networks would bring; what cannot be had is told in ``notes``."""
    import torch

    from tocsin.evaluate.pace import pace_of
    from tocsin.learn.perception.chosen import KNOWING, has_weights

    torch.set_num_threads(recipe.threads)
    per_class, kind, found = len(rows.taught) / len(collection.classes), collection.kind, []
    if has_weights(kind, recipe.weights):
        told(f"what {KNOWING[kind]} sees in the examples", 0.0)
        trial = try_extract(collection, rows, recipe, budget, clock=clock, told=told)
        extract = _measured("extract", trial, rows)
        told("timing a step of transfer", 0.0)
        pace = pace_of("transfer", collection, rows, recipe, clock=clock)
        taught = expected_of("transfer", kind, extract, per_class)
        found += [extract, replace(taught, network=pace.network, minutes=pace.seconds / 60)]
    else:
        name = KNOWING[kind]
        notes.append(
            f"The published weights of {name} are not here, so only what begins from nothing is considered; "
            f"`tocsin networks get {name}` fetches them, and extract is usually better."
        )
    told("timing a step of scratch", 0.0)
    try:
        pace = pace_of("scratch", collection, rows, recipe, clock=clock)
    except NotReady as error:
        notes.append(str(error))
        return found
    fresh = expected_of("scratch", kind, plain, per_class)
    return [*found, replace(fresh, network=pace.network, minutes=pace.seconds / 60)]


def _unless(chosen: Candidate, found: tuple[Candidate, ...], examples: int, classes: int) -> tuple[str, ...]:
    """What would change this advice."""
    said = []
    curve = chosen if chosen.growth is not None else next((c for c in found if c.way == "extract"), found[0])
    said.append(more_labels(curve, examples))
    by = {one.way: one for one in found}
    better = [one for one in found if one.growth is None and one.high > chosen.expected + 0.02 and one is not chosen]
    said += [
        f"If {one.minutes:.0f} minutes are no matter, try --way {one.way} too: at best it would come to {one.high:.1%}."
        for one in better[:1]
    ]
    if chosen.way != "plain" and "plain" in by and by["plain"].expected > chosen.expected - 0.05:
        said.append(
            f"If it must run without a network's file, --way plain gives up {100 * (chosen.expected - by['plain'].expected):.1f} "
            "points."
        )
    if "scratch" in by and chosen.way != "scratch":
        said.append(
            f"With some 5,000 examples a class ({examples / max(1, classes):.0f} now), or pictures, sounds or words unlike anything "
            "a published network has seen, --way scratch may win."
        )
    return tuple(one for one in said if one)


def machine() -> str:
    """Cores and graphics card of this machine, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = f"{cores} core{'s' if cores != 1 else ''}"
    if find_spec("torch") is None:
        return said
    import torch

    return f"{said}, {torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'no graphics card'}"
