"""Beginning where another model ended: its networks' weights, and in words what of them fits here.

What was learned of the order and the rhythm of payments speaks of people, and holds at another bank; what was learned of
a column holds where the column is the same one. Scales and known codes always stay those of the bank's own payments.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as read_tensors

from tocsin.artifact.card import Card, read_card
from tocsin.artifact.network import SURPRISES
from tocsin.errors import BadInput
from tocsin.features import Plan
from tocsin.learn.hybrid import WEIGHTS as NETWORK_WEIGHTS
from tocsin.learn.surprise import WEIGHTS as SURPRISE_WEIGHTS
from tocsin.learn.transactions import Weights

_OWN = ("median", "spread", "seen")
"""What is always taken from the bank's own payments."""


def weights_of(folder: Path, plan: Plan | None = None) -> Weights:
    """The weights of the networks in a model's directory.

    Parameters
    ----------
    plan : of the model to be learned; a stage whose columns are others there is left out, even if as many.

    Raises
    ------
    BadInput : the model has no network's weights, or they cannot be read.
    Damaged : it is no model, or was changed.
    """
    card = read_card(folder)
    found = {name: _tensors(folder, name) for name in (SURPRISE_WEIGHTS, NETWORK_WEIGHTS) if name in card.files}
    if not found:
        raise BadInput(
            f"a model to begin from must have the weights of a network; {card.version} in {folder} has trees only.",
            field="--from",
            hint="Learn it with --way scratch, from data whose spec has a [history].",
        )
    network = found.get(NETWORK_WEIGHTS, {})
    if plan is not None:
        others = {stage for stage, same in enumerate(_same_columns(card, plan)) if not same}
        network = {name: tensor for name, tensor in network.items() if _stage_of(name) not in others}
    return Weights(found.get(SURPRISE_WEIGHTS, {}), network, card.version)


def taken_over(base: Weights, files: Mapping[str, bytes]) -> str:
    """In words, which of the weights begun with have a place in the networks that were learned.

    Parameters
    ----------
    files : of the model that was learned; none of a network where it was sent back.
    """
    said = []
    for what, begun, name in (
        ("of what comes next", base.surprise, SURPRISE_WEIGHTS),
        ("of the layered network", base.network, NETWORK_WEIGHTS),
    ):
        if name not in files:
            said.append(f"{what} nothing, because none was kept")
            continue
        made = read_tensors(files[name])
        learned = {key: tensor for key, tensor in made.items() if not key.endswith(_OWN)}
        fits = [key for key, tensor in learned.items() if key in begun and begun[key].shape == tensor.shape]
        count, whole = (sum(learned[key].numel() for key in keys) for keys in (fits, learned))
        anew = sorted({_part_of(key) for key in learned} - {_part_of(key) for key in fits})
        said.append(
            f"{what} {count:,} of {whole:,} weights" + (f" (begun anew: {', '.join(anew)})" if anew and count else "")
        )
    return f"Taken over to begin with: {'; '.join(said)}."


def _tensors(folder: Path, name: str) -> dict[str, Any]:
    try:
        return dict(read_tensors((folder / name).read_bytes()))
    except (OSError, SafetensorError) as error:
        raise BadInput(f"the weights in {folder / name} cannot be read: {error}.", field="--from") from error


def _same_columns(card: Card, plan: Plan) -> list[bool]:
    """For each stage of the other model, whether it has the same columns there and here."""
    ends = [stage.columns for stage in card.stages]
    theirs = [card.inputs[begin:end] for begin, end in zip((0, *ends[:-1]), ends, strict=True)]
    names = (*plan.names, *(SURPRISES if plan.history else ()))
    own = (*plan.ends[:-1], len(names))
    mine = [names[begin:end] for begin, end in zip((0, *own[:-1]), own, strict=True)]
    return [stage < len(mine) and columns == mine[stage] for stage, columns in enumerate(theirs)]


def _stage_of(name: str) -> int | None:
    """Which stage a weight belongs to; None for the past, which reads no columns."""
    parts = name.split(".")
    return int(parts[parts.index("stages") + 1]) if "stages" in parts else None


def _part_of(name: str) -> str:
    """The part of a network a weight belongs to, as one would call it."""
    stage = _stage_of(name)
    return f"stage {stage + 1}" if stage is not None else "the past"
