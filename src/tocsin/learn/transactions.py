"""From a table of payments to a model: what to learn from, what to choose by, what to be judged by, in order of time.

    the past ............ | newest ......... | label delay | held out ........ |
    trees are grown here    trees stopped      labels not    measured here,
    and networks taught     and calibrated,    yet known     never looked at
                            thresholds set

All of it is done as it would have been at the moment the held-out window begins: a label that became known later is
unknown. With ``refit`` the trees are then grown once more, each stage as many as were chosen, on everything known by
that moment but the last days, whose labels are hardly known anyway. The slopes of the calibration stay those of the
first trees, because the second have seen the window; on the last days, which neither has seen, the second are shifted
to expect as many frauds as the first, which needs no label, and a budget of alerts a day is counted there. So the
held-out figures are those of the very trees that ship.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.anomaly import ANOMALY, NAME
from tocsin.artifact.card import Card, LearnedFrom, StageCard
from tocsin.artifact.model import SPEC, TREES, Artifact, Scored, made_of, odds_of
from tocsin.artifact.network import SURPRISES
from tocsin.errors import BadInput
from tocsin.features import Plan
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import UNKNOWN, Examples
from tocsin.learn.exits import calibrate, read_off, shifted
from tocsin.learn.gathering import give_back, kernel_rows, with_room
from tocsin.learn.grown import Grown, Seedling, TreesAlone
from tocsin.learn.quality import Quality, quality
from tocsin.learn.task import LoopSettings, Told, silent
from tocsin.learn.unsupervised import Anomaly, IsolationForest
from tocsin.measure.budget import DAY, Goal, PerDay, Window, thresholds
from tocsin.measure.calibration import Calibration, logistic
from tocsin.measure.early import carry_over, early_limits
from tocsin.measure.gate import Verdict
from tocsin.measure.policy import Policy
from tocsin.spec import Spec

if TYPE_CHECKING:
    from tocsin.learn.extract import Extraction
    from tocsin.learn.surprise import Surprise

WAYS = ("trees", "network", "anomaly")


Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the owner chose.

    Parameters
    ----------
    way : ``trees``; ``network``, the layered network on the trees, where it does no harm; or ``anomaly``, a model without
        labels.
    anomaly : whether the trees also get the anomaly score, as a column of the last stage.
    anomaly_by : what gives that score, ``forest`` or ``autoencoder``, which needs PyTorch.
    held_out, newest : share of the payments, the newest ones, to be judged by; of the rest, to stop and calibrate by.
    refit : grow the trees once more on everything before the held-out window.
    genuine_after : what nobody knew anything of for so long counts as genuine; None leaves it unknown for ever.
    early_leak : share of the frauds that early approvals may lose; None for no early approval.
    loop : how the network's training runs; None for the measured default. processes : how many train it.
    base : the weights of another model's networks, to begin with. extract : another model's networks as they are, with
        ``way`` ``extract``: a layer of them is what is learned on.
    folder : where the training of a network keeps its checkpoints: killed, it goes on from there.
    most_genuine : of the payments that are no frauds at most so many are learned from and measured by (``gather``).
    """

    goal: Goal = field(default_factory=lambda: PerDay(100.0))
    boosting: BoostingSettings = field(default_factory=BoostingSettings)
    way: str = "trees"
    anomaly: bool = False
    held_out: float = 0.2
    newest: float = 0.2
    refit: bool = True
    name: str = ""
    early_leak: float | None = None
    genuine_after: timedelta | None = None
    loop: LoopSettings | None = None
    processes: int = 1
    base: Weights | None = None
    extract: Extraction | None = None
    folder: Path | None = None
    anomaly_by: str = "forest"
    most_genuine: int | None = None

    def room(self, plan: Plan) -> int:
        """How many columns learning puts behind the plan's own."""
        unlabelled = self.way == "anomaly" or self.anomaly
        return int(unlabelled) + (len(SURPRISES) if self.way in ("network", "extract") and plan.history else 0)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of networks that were learned elsewhere, name -> tensor; what does not fit is left out.

    Parameters
    ----------
    surprise, network : of the model of what comes next, and of the layered network; either may be empty.
    version : of the model they are from.
    """

    surprise: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True, slots=True)
class Windows:
    """Which payments do what, bool[n], and three moments (microseconds).

    Parameters
    ----------
    newest : labels known, trees stopped and calibrated by. held_out : measured.
    begins : trees grown before it are stopped and calibrated by what came after.
    quiet : trees grown again see nothing from here on.
    made : the moment the model is made.
    """

    newest: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    begins: int
    quiet: int
    made: int


@dataclass(frozen=True, slots=True)
class Learned:
    """A model that is not written yet: its card, the content of its files, and how it did on what was held out.

    ``verdict`` says whether a network was kept or sent back, ``notes`` what was odd while learning; both in words.
    """

    card: Card
    files: dict[str, bytes]
    windows: Windows
    quality: Quality | None = None
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()


def windows_of(examples: Examples, recipe: Recipe) -> Windows:
    """Lay the windows: the newest payments are held out; before them, the newest whose labels had matured by then.

    Raises
    ------
    BadInput : too few payments for three windows.
    """
    n = len(examples)
    if n < 10:
        raise BadInput(f"learning needs payments; got {n}.", field="data")
    if not (0 <= recipe.held_out < 0.9 and 0 < recipe.newest < 0.9):
        raise BadInput("shares of the held-out and the newest window must lie between 0 and 0.9.", field="--held-out")
    at = examples.at
    if recipe.held_out:
        made = int(at[int(n * (1 - recipe.held_out))])
    else:
        known = examples.known_at[(examples.label != UNKNOWN) & (examples.known_at < _LATEST)]
        made = max(int(at[-1]), int(known.max()) if len(known) else 0) + 1
    then = examples.as_known_at(made)
    mature = made - max(_label_delay(then), examples.genuine_after or 0)
    before = np.flatnonzero((at < made) & (at <= mature))
    if not len(before):
        raise BadInput(
            "no payment is old enough for its label to be known when the held-out window begins.",
            hint="Use a longer stretch of data, or a smaller --held-out.",
        )
    begins = int(at[before[int(len(before) * (1 - recipe.newest))]])
    known_then = np.zeros(n, dtype=bool)
    known_then[: len(then)] = then.label != UNKNOWN
    newest = known_then & (at >= begins) & (at <= at[before[-1]])
    before_made = int((at < made).sum())
    quiet = int(at[int(before_made * 0.95)])
    quiet = max(begins, min(quiet, max(int(at[before_made - 1]) - 7 * DAY, int(at[int(before_made * 0.9)]))))
    return Windows(newest, at >= made, begins, quiet, made)


_LATEST = np.iinfo(np.int64).max // 2


def _label_delay(then: Examples) -> int:
    """How long nine frauds of ten took to become known, as far as could be told; at most a quarter of the span."""
    frauds = then.label == 1
    if not frauds.any():
        return 0
    delay = int(np.quantile(then.known_at[frauds] - then.at[frauds], 0.9))
    return min(max(delay, 0), int(then.at[-1] - then.at[0]) // 4)


def learn(
    examples: Examples, spec: Spec, plan: Plan, recipe: Recipe, *, source: str = "", told: Told = silent
) -> Learned:
    """Learn a model.

    Parameters
    ----------
    examples : of ``gather``, with ``recipe.room`` for what is added, which is then written into them; or of ``features``,
        which are copied.

    Raises
    ------
    BadInput : too few frauds or payments in a window; says which.
    """
    give_back()  # what reading took
    forest: Anomaly | None = None
    if recipe.genuine_after is not None:
        examples = replace(examples, genuine_after=int(recipe.genuine_after / timedelta(microseconds=1)))
    windows = windows_of(examples, recipe)
    names, rows = plan.names, with_room(examples, plan, recipe.room(plan))
    if recipe.way == "anomaly" or recipe.anomaly:
        told("learning what is usual", 0.0)
        forest = _unsupervised(recipe, plan.categorical, told)
        forest.fit(_narrow(rows, len(names)).take(_before(rows, windows.begins)))
        for part in _pieces(len(rows)):
            rows.matrix[part, len(names)] = forest.score(rows.matrix[part, : len(names)])
        names = (*names, NAME)
    if recipe.way == "anomaly":
        learned = _anomaly_model(rows, spec, plan, recipe, windows, forest, names, source)
        return _measured(learned, spec, plan, rows)
    surprise = None
    if recipe.way in ("network", "extract") and plan.history:
        surprise = _surprise(rows, len(names), recipe, windows, told)
        names = (*names, *(SURPRISES if surprise is not None else ()))
    give_back()
    examples = _narrow(rows, len(names))
    ends = (*plan.ends[:-1], len(names))
    newest = examples.as_known_at(windows.made).take(windows.newest[: int((examples.at < windows.made).sum())])
    _check_frauds(newest, "the newest window, which models are stopped and calibrated by,")
    grown = examples.as_known_at(windows.begins)
    model = _taught(grown, newest, ends, names, plan, recipe, told)
    margins = model.margins(newest)
    calibrations = calibrate(margins, newest)
    policy = thresholds(recipe.goal, _window(newest, calibrations[-1](margins[:, -1])))
    logits, carried = read_off(margins, calibrations), None
    if recipe.refit:
        grown = examples.as_known_at(windows.made)
        grown = grown.take(slice(0, int((grown.at < windows.quiet).sum())))
        quiet = examples.take((examples.at >= windows.quiet) & (examples.at < windows.made))
        first, model = model, model.again(grown, newest, quiet, told)
        before, after, of_first = first.margins(quiet), model.margins(quiet), calibrations
        calibrations = shifted(before, after, of_first, quiet.weight)
        policy = _recounted(policy, recipe.goal, quiet, calibrations[-1](after[:, -1]))
        carried = read_off(before, of_first), read_off(after, calibrations), quiet.weight
    if recipe.early_leak is not None:
        policy = _early(policy, recipe.early_leak, newest, logits, ends, carried)
    told("done", 1.0)
    stages = tuple(
        StageCard(name=name, columns=end, trees=int(count), calibration=calibration)
        for name, end, count, calibration in zip(
            plan.stage_names, ends, np.cumsum(model.trees.rounds_), calibrations, strict=True
        )
    )
    card = _card(spec, plan, recipe, names, stages, newest, policy, examples, grown, source, forest)
    files = {SPEC: spec.text.encode(), TREES: model.trees.text_.encode()}
    if forest is not None:
        files[ANOMALY] = forest.graph_
    if surprise is not None:
        files |= surprise.files()
        card = msgspec.structs.replace(card, surprise=surprise.card)
    card, files = model.add_to(card, files)
    learned = _measured(Learned(card, files, windows), spec, plan, rows)
    return replace(
        learned, verdict=model.verdict, notes=(*_sample_told(rows), *_taken_over(recipe, files), *model.notes)
    )


def _surprise(rows: Examples, own: int, recipe: Recipe, windows: Windows, told: Told) -> Surprise | None:
    """What is surprising, learned without labels from what came before the newest window; or another model's as it is.

    The surprise of each payment is written into the three columns behind the first ``own``.
    """
    tokens = rows.tokens
    assert tokens is not None
    if recipe.extract is not None:
        surprise = recipe.extract.surprise
    else:
        from tocsin.learn.surprise import LEAST, SETTINGS, learn_surprise

        past = _as_they_came(rows.take(_before(rows, windows.begins)), recipe.boosting.seed)
        if int((past[:, -2] != 0).sum()) < LEAST:
            return None
        folder = recipe.folder / "surprise" if recipe.folder is not None else None
        loop = replace(SETTINGS, seed=recipe.boosting.seed, processes=recipe.processes)
        begin = recipe.base.surprise if recipe.base is not None else None
        surprise = learn_surprise(past, begin=begin or None, settings=loop, folder=folder, told=told)
    if surprise is not None:
        rows.matrix[:, own : own + len(SURPRISES)] = surprise.columns(tokens, told)
    return surprise


def _as_they_came(past: Examples, seed: int) -> NDArray[np.uint32]:
    """Tokens of payments as frequent as they were: of a sample with all frauds, as many frauds as of the others."""
    assert past.tokens is not None
    if past.sampled == 1 or past.weight is None:
        return past.tokens
    drawn = np.random.default_rng([seed, 6]).random(len(past))
    keep: NDArray[np.bool_] = drawn * past.weight.max(initial=0.0) <= past.weight
    return past.tokens[keep]


def _narrow(rows: Examples, columns: int) -> Examples:
    """The same payments by their first columns."""
    return rows if columns == rows.matrix.shape[1] else replace(rows, matrix=rows.matrix[:, :columns])


def _before(rows: Examples, moment: int) -> slice:
    """The rows before a moment: in order of time, so nothing is copied."""
    return slice(0, int(np.searchsorted(rows.at, moment)))


def _pieces(rows: int, at_once: int = 16_384) -> list[slice]:
    return [slice(first, min(first + at_once, rows)) for first in range(0, rows, at_once)]


def _taught(
    grown: Examples,
    newest: Examples,
    ends: tuple[int, ...],
    names: tuple[str, ...],
    plan: Plan,
    recipe: Recipe,
    told: Told,
) -> Grown:
    """Trees, with a network on them where the owner wants one and it does no harm."""
    seedling = Seedling(ends, plan.categorical, recipe.boosting)
    if recipe.way == "trees":
        return TreesAlone(seedling, seedling.grow(grown, newest, told))
    if recipe.extract is not None:
        from tocsin.learn.machine import learn_on

        return learn_on(recipe.extract, grown, newest, seedling, told)
    from tocsin.learn.hybrid import Teaching, learn_hybrid
    from tocsin.learn.layered import SETTINGS

    folder = recipe.folder / "network" if recipe.folder is not None else None
    loop = replace(recipe.loop or SETTINGS, seed=recipe.boosting.seed, processes=recipe.processes)
    begin = recipe.base.network if recipe.base is not None else None
    teaching = Teaching(loop=loop, begin=begin or None, names=names, folder=folder)
    return learn_hybrid(grown, newest, seedling, teaching, told)


def _sample_told(rows: Examples) -> tuple[str, ...]:
    """Of how many payments a sample is, in words."""
    if rows.sampled == 1:
        return ()
    frauds = int((rows.label == 1).sum())
    others = len(rows) - frauds
    return (
        f"Every payment told the memory what it did; learned from and measured by were all {frauds:,} frauds and {others:,} of "
        f"{round(others / rows.sampled):,} other payments, each counted {1 / rows.sampled:.2f} times.",
    )


def _taken_over(recipe: Recipe, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What of another model's weights had a place here, in words."""
    if recipe.base is None:
        return ()
    from tocsin.learn.transfer import taken_over

    return (taken_over(recipe.base, files),)


def _unsupervised(recipe: Recipe, codes: tuple[int, ...], told: Told) -> Anomaly:
    """What gives the anomaly score."""
    if recipe.anomaly_by == "forest":
        return IsolationForest(codes, seed=recipe.boosting.seed)
    from tocsin.learn.autoencoder import Restoring

    return Restoring(codes, seed=recipe.boosting.seed, told=told)


def _measured(learned: Learned, spec: Spec, plan: Plan, examples: Examples) -> Learned:
    """Score the held-out window with the model as it will be read back, and put the figures on its card."""
    card, files = learned.card, learned.files
    until = datetime.fromtimestamp(learned.windows.made / 1e6, UTC).isoformat(timespec="microseconds")
    card = msgspec.structs.replace(card, learned=msgspec.structs.replace(card.learned, until=until))
    model = made_of(card, files, spec, plan)
    give_back()
    held_out = examples.as_known_at_last().take(slice(_before(examples, learned.windows.made).stop, None))
    found = quality(model, held_out, _scored(model, held_out, plan)) if len(held_out) else None
    facts = found.facts() if found is not None else {}
    return replace(learned, card=msgspec.structs.replace(card, measured=facts), quality=found)


def _scored(model: Artifact, rows: Examples, plan: Plan) -> Scored:
    """The model's scores of its own kernel's rows, which are made and scored piece by piece."""
    said = [model.score(kernel_rows(rows.take(part), plan)) for part in _pieces(len(rows))]
    joined = [np.concatenate([getattr(one, name) for one in said]) for name in ("delta", "logit", "value")]
    return Scored(said[0].base, *joined)


def _anomaly_model(
    examples: Examples,
    spec: Spec,
    plan: Plan,
    recipe: Recipe,
    windows: Windows,
    forest: Anomaly | None,
    names: tuple[str, ...],
    source: str,
) -> Learned:
    """One stage, one score, no label looked at but to say how often the highest scores were frauds."""
    assert forest is not None
    known = examples.as_known_at(windows.made)
    newest = known.take(windows.newest[: len(known)])
    if len(newest) < 10 or len(np.unique(newest.label)) < 2:
        newest = known.take(known.at >= windows.begins)
    margin = odds_of(newest.matrix[:, -1:])
    labelled = min(int((newest.label == 1).sum()), int((newest.label == 0).sum())) >= 2
    calibration = (
        calibrate(margin, newest.known())[0] if labelled and len(newest.known()) == len(newest) else Calibration()
    )
    policy = thresholds(recipe.goal, _window(newest, calibration(margin[:, 0])))
    quiet = known.take(known.at >= windows.quiet)
    policy = _recounted(policy, recipe.goal, quiet, calibration(odds_of(quiet.matrix[:, -1])))
    stage = StageCard(name="anomaly", columns=len(names), trees=0, calibration=calibration)
    card = _card(spec, plan, recipe, names, (stage,), newest, policy, examples, known, source, forest)
    return Learned(card, {SPEC: spec.text.encode(), ANOMALY: forest.graph_}, windows)


def _recounted(policy: Policy, goal: Goal, quiet: Examples, logit: NDArray[np.float64]) -> Policy:
    """A budget of alerts is counted on traffic the shipped trees have not seen; it needs no labels."""
    if not isinstance(goal, PerDay):
        return policy
    review_at = goal.threshold(_window(quiet, logit))
    return msgspec.structs.replace(policy, review_at=review_at, decline_at=max(review_at, policy.decline_at))


def _early(
    policy: Policy,
    leak: float,
    newest: Examples,
    logits: Floats,
    columns: tuple[int, ...],
    carried: tuple[Floats, Floats, Floats | None] | None,
) -> Policy:
    """With early approvals, chosen on the payments that the first model was stopped and calibrated by.

    Parameters
    ----------
    logits : float64[n, stages], what the first model says of these.
    carried : what it and the one that ships say of the last payments, and their weights; None if it ships itself.
    """
    limits = early_limits(
        _chances(logits), newest.label, review_at=policy.review_at, leak=leak, columns=columns, weight=newest.weight
    )
    if carried is not None and limits:
        first, second, weight = carried
        limits = tuple(
            min(one, policy.review_at) for one in carry_over(limits, _chances(first), _chances(second), weight)
        )
    return msgspec.structs.replace(policy, approve_below=limits)


def _chances(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _window(rows: Examples, logit: NDArray[np.float64]) -> Window:
    value = np.array([logistic(z) for z in logit])
    return Window(value, rows.label, rows.at, rows.amount, rows.weight)


def _check_frauds(rows: Examples, what: str) -> None:
    frauds, genuine = int((rows.label == 1).sum()), int((rows.label == 0).sum())
    if min(frauds, genuine) < 10:
        raise BadInput(
            f"{what} must have at least 10 known frauds and 10 genuine payments; got {frauds} and {genuine}.",
            hint="Use more data, a smaller --held-out, or --way anomaly, which needs no labels.",
        )


def _rate(rows: Examples) -> float:
    keep = rows.is_known()
    if not keep.any():
        return 0.0
    return float(np.average(rows.label[keep] == 1, weights=None if rows.weight is None else rows.weight[keep]))


def _card(
    spec: Spec,
    plan: Plan,
    recipe: Recipe,
    names: tuple[str, ...],
    stages: tuple[StageCard, ...],
    newest: Examples,
    policy: Policy,
    examples: Examples,
    grown: Examples,
    source: str,
    forest: Anomaly | None,
) -> Card:
    rate = _rate(newest) if recipe.way != "anomaly" or newest.is_known().any() else 0.0
    p = min(max(rate, 1e-6), 1 - 1e-6)
    return Card(
        name=recipe.name or spec.name,
        way="anomaly" if recipe.way == "anomaly" else "trees",
        inputs=names,
        plan=plan.fingerprint,
        stages=stages,
        base=float(np.log(p) - np.log1p(-p)),
        policy=policy,
        learned=LearnedFrom(
            data=source,
            rows=len(examples),
            frauds=int((examples.label == 1).sum()),
            fraud_rate=_rate(examples),
            first=_say(int(examples.at[0])),
            last=_say(int(examples.at[-1])),
            trees_rows=int(grown.is_known().sum()),
            calibration_rows=len(newest),
            calibration_frauds=int((newest.label == 1).sum()),
            refitted=recipe.refit,
        ),
        settings={
            **asdict(recipe.boosting),
            "anomaly": recipe.anomaly,
            "anomaly_by": recipe.anomaly_by if forest is not None else None,
            "goal": str(recipe.goal),
            "early_leak": recipe.early_leak,
            "layer": recipe.extract.layer if recipe.extract is not None else None,
            "from": next((source.version for source in (recipe.base, recipe.extract) if source is not None), None),
            "most_genuine": recipe.most_genuine,
            "genuine_share": examples.sampled,
            "genuine_after_days": recipe.genuine_after / timedelta(days=1) if recipe.genuine_after else None,
        },
        libraries=_libraries(),
        anomaly=forest.card_ if forest is not None else None,
    )


def _libraries() -> dict[str, str]:
    """What the figures were made with; what is not installed took no part."""
    found = {}
    for name in ("lightgbm", "numba", "numpy", "onnxruntime", "scikit-learn"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _say(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")
