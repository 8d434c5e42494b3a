"""Transfer: a network that knows other things is taught these classes: its head first, then more of it from the top.

Begun from published weights or from one of our own models. The head is learned on what the frozen network says, exactly and
at once; then the upper half may move, then all of it, the deeper the more slowly. The running averages of batch normalisation
stay as they came: those of a few dozen examples say less. A phase that makes nothing better on the examples that stop it is undone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import Chosen, knowing, texts_of
from tocsin.learn.perception.effort import batch_of, epochs_within, multiply_adds
from tocsin.learn.perception.heads import choose_on
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.prepared import side_of
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.represented import represent
from tocsin.learn.perception.teaching import Lesson, Plan, lesson_of, part_told, taught, told_settings
from tocsin.learn.task import LoopSettings, Told, Trained, silent
from tocsin.nets.reading import layers

MINUTES = 8.0
"""About so long by default."""

PLANS = {
    "images": Plan(3, 15, 32, 5e-4, 0.05, smoothing=0.05, deepest=0.1),
    "sound": Plan(5, 20, 32, 1e-3, 0.05, smoothing=0.05, deepest=0.5),
    "text": Plan(3, 4, 32, 2e-4, 0.05, deepest=0.3),
}
SMALL, LARGE = 128, 192
HALF, WHOLE = 0.5, 1.0
"""The share of a network, from the top, that a phase lets move."""


def learn_transfer(collection: Collection, rows: Portions, recipe: Recipe, told: Told = silent) -> Outcome:
    """Head, upper half, all; ship what was best by the examples that stop it.

    Raises
    ------
    BadInput, NotReady : the network or its weights are not there. Diverged : the training came to no finite number.
    """
    classes, plan = len(collection.classes), PLANS[collection.kind]
    if recipe.source is None:
        recipe = replace(recipe, size=recipe.size or size_of(collection, rows))
    chosen = knowing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    begun = _teach_head(collection, rows, chosen, recipe, told)
    lesson = lesson_of(collection, rows, chosen, recipe, plan, told, averages_stay=True)
    cost = multiply_adds(chosen.network, chosen.front(torch.from_numpy(lesson.taught.given[:1].copy())))
    within = 0.8 * (recipe.minutes or MINUTES)  # the first phase takes a quarter of the epochs, and less for each
    batch = batch_of(len(lesson.taught), plan.batch)
    epochs = recipe.epochs or epochs_within(
        within, len(lesson.taught), cost, recipe.threads, least=plan.least, most=plan.most
    )
    loop = replace(_settings(plan, recipe.seed), batch=batch)
    phases = [] if begun else [_phase(lesson, plan, _for(loop, 1), 0.0, "head", part_told(told, 0.0, 0.1))]
    phases.append(_phase(lesson, plan, _for(loop, max(1, epochs // 4)), HALF, "half", part_told(told, 0.1, 0.4)))
    phases.append(_phase(lesson, plan, _for(loop, epochs), WHOLE, "whole", part_told(told, 0.4, 1.0)))
    note = (
        f"{chosen.entry.title} ({chosen.entry.name}) began with {chosen.origin}; "
        f"on the examples that stop it a loss of {phases[0].start:.3f} with a new head became {phases[-1].judged:.3f}."
    )
    return taught(collection, rows, lesson, tuple(phases), told_settings(_for(loop, epochs)), (note,), told)


def _teach_head(collection: Collection, rows: Portions, chosen: Chosen, recipe: Recipe, told: Told) -> bool:
    """Put an exact logistic regression in the place of the head; False where the head is no matrix."""
    head = chosen.network.get_submodule(str(chosen.network.head_name))
    if not isinstance(head, nn.Linear):
        return False
    every = np.concatenate([rows.train, rows.val])
    features = represent(collection, every, chosen, None, recipe, told)
    label, train = collection.label[every], len(rows.train)
    later = features[train:], label[train:]
    found = choose_on(features[:train], label[:train], later, len(collection.classes), "logistic", told=told)
    assert found.weights is not None
    assert found.bias is not None
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(found.weights.T.copy()))
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(found.bias))
    return True


def _settings(plan: Plan, seed: int) -> LoopSettings:
    return LoopSettings(rate=plan.rate, decay=plan.decay, seed=seed)


def _for(settings: LoopSettings, epochs: int) -> LoopSettings:
    """The same for so many epochs."""
    return replace(settings, epochs=epochs, planned=epochs, patience=max(3, epochs // 2))


def _phase(lesson: Lesson, plan: Plan, settings: LoopSettings, share: float, part: str, told: Told) -> Trained:
    """Let this share of the network move, from the top."""
    network = lesson.chosen.network
    depth = depths(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(depth[name] <= share)
    pace = {name: plan.deepest ** depth[name] for name in depth}
    trained = lesson.train(settings, told, part=part, pace=pace)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return trained


def depths(network: nn.Module) -> dict[str, float]:
    """How deep each parameter lies, by its name: 0 the head, 1 the first layer; by the layers worth reading, in order."""
    head, order = f"{network.head_name}.", [f"{name}." for name in layers(network)]
    out, place = {}, 0
    for name, _ in network.named_parameters():
        if name.startswith(head):
            out[name] = 0.0
            continue
        place = max(place, next((i for i, layer in enumerate(order) if name.startswith(layer)), place))
        out[name] = 1.0 - place / (len(order) + 1)
    return out


def size_of(collection: Collection, rows: Portions) -> int | None:
    """Pixels a side at which pictures are learned from: their own, between ``SMALL`` and ``LARGE``; None for other kinds.

    A network made for larger pictures does nearly as well on them, and every step costs as much as there are pixels.
    """
    if collection.kind != "images":
        return None
    return int(min(LARGE, max(SMALL, -(-side_of(collection, rows.train) // 32) * 32)))
