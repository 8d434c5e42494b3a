"""Scratch: a network begun from nothing, taught by these examples alone.

Use it where examples are many or unlike anything a published network has seen; with few, ``extract`` is better and quicker.
"""

from __future__ import annotations

import torch

from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import from_nothing, texts_of
from tocsin.learn.perception.effort import batch_of, enough_epochs, epochs_within, multiply_adds
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.teaching import Plan, lesson_of, taught, told_settings
from tocsin.learn.task import LoopSettings, Told, silent

MINUTES = 8.0
"""About so long by default."""

PLANS = {
    "images": Plan(8, 60, 32, 3e-3, 0.05, smoothing=0.05, mixed=0.2),
    "sound": Plan(8, 60, 32, 3e-3, 0.05, smoothing=0.05, mixed=0.2),
    "text": Plan(4, 12, 32, 1e-3, 0.05),
}


def learn_scratch(collection: Collection, rows: Portions, recipe: Recipe, told: Told = silent) -> Outcome:
    """Teach a fresh network, stop it by the examples set aside for that, ship it.

    Raises
    ------
    BadInput : there is no such network. Diverged : the training came to no finite number.
    """
    chosen = from_nothing(recipe, collection.kind, len(collection.classes), texts_of(collection, rows.train))
    plan = PLANS[collection.kind]
    lesson = lesson_of(collection, rows, chosen, recipe, plan, told)
    one = chosen.front(torch.from_numpy(lesson.taught.given[:1].copy()))
    cost = multiply_adds(chosen.network, one)
    batch = batch_of(len(lesson.taught), plan.batch)
    least = enough_epochs(plan.least, len(lesson.taught), batch)
    epochs = recipe.epochs or epochs_within(
        recipe.minutes or MINUTES, len(lesson.taught), cost, recipe.threads, least=least, most=max(least, plan.most)
    )
    settings = LoopSettings(
        epochs=epochs,
        planned=epochs,
        batch=batch,
        rate=plan.rate,
        decay=plan.decay,
        patience=max(5, epochs // 3),
        seed=recipe.seed,
    )
    trained = lesson.train(settings, told)
    note = (
        f"{chosen.entry.title} ({chosen.entry.name}) was begun from nothing: epoch {trained.best} of "
        f"{len(trained.epochs)} was best by the examples that stop it."
    )
    return taught(collection, rows, lesson, (trained,), told_settings(settings), (note,), told)
