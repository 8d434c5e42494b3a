"""``tocsin learn``: a model by example, out of payments, pictures, sounds or texts. What DATA is decides which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tocsin.errors import BadInput
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.perception.recipe import AUGMENT, INTO
from tocsin.learn.perception.recipe import WAYS as EXAMPLE_WAYS
from tocsin.learn.transactions import WAYS as PAYMENT_WAYS

_F = TypeVar("_F", bound=Callable[..., Any])
OF_PAYMENTS = (
    *("budget", "cost", "fpr", "anomaly", "anomaly_by", "trees", "leaves", "rate", "newest", "refit"),
    *("genuine_after", "early_leak", "processes", "bad_rows", "most_genuine"),
)
"""Options that only payments have."""
OF_EXAMPLES = (
    *("network", "weights", "offline", "augment", "epochs", "minutes", "size"),
    *("words", "kind", "column", "label", "split", "group", "report"),
)
"""Options that only pictures, sounds and texts have."""


def _for(what: str, *options: Any) -> Callable[[_F], _F]:
    """Several options at once, each saying what it is for; in the order in which they stand."""

    def apply(function: _F) -> _F:
        for name, more in reversed(options):
            names = name if isinstance(name, tuple) else (name,)
            function = click.option(*names, **(more | {"help": f"{what}{more['help']}"}))(function)
        return function

    return apply


_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("data", type=_PATH)
@click.option("--out", type=_PATH, default=Path("model"), show_default=True, help="The model.")
@click.option(
    "--way",
    type=click.Choice([*EXAMPLE_WAYS, *(way for way in PAYMENT_WAYS if way not in EXAMPLE_WAYS)]),
    default=None,
    help="Of examples: scratch, a network begun from nothing; transfer, one that knows other things is taught these; extract, "
    "something simple learns on what such a network says; plain, no network. The default is extract where published "
    "weights are here or can be fetched, else scratch. Of payments: trees (the default); network, a layered network on the trees, kept only "
    "if it does no harm, which is also called scratch; transfer, begun with another model's weights; extract, on a layer of "
    "another model's network; anomaly, from no labels.",
)
@click.option("--from", "source", type=_PATH, default=None, help="Begin with another model of ours: its directory.")
@click.option(
    "--layer",
    default="",
    help="For extract: whose word is learned on. Of examples any layer of the network, by its name, or several joined by + (end: the "
    "last); by default those that say most of them. Of payments past, surprise, stage_1, stage_2 and so on, or exits.",
)
@click.option(
    "--into",
    type=click.Choice(INTO),
    default=None,
    help="For extract and plain: what is learned on the layer; svm by default, and no logistic for payments.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same model, to the bit.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=None,
    help="Cores to compute on: of examples up to four by default, of payments one; more helps only on idle cores.",
)
@click.option(
    "--held-out",
    default=0.2,
    show_default=True,
    help="Share to be judged by: of payments the newest, of examples some of every class, where no part is called test.",
)
@click.option("--name", default="", help="The model's name; by default the spec's, or the data's.")
@click.option("--force", is_flag=True, help="Write over a model that is there; the old one is kept beside it.")
@_for(
    "Examples: ",
    ("--network", {"default": "", "help": "a name of `tocsin networks`; by default the one for the kind and the way."}),
    (
        "--weights",
        {"type": click.Path(path_type=Path), "help": "a file of the network's weights, or the folder it lies in."},
    ),
    (
        "--offline",
        {
            "is_flag": True,
            "envvar": "TOCSIN_OFFLINE",
            "help": "where no way is named, do not fetch published weights that are not here.",
        },
    ),
    ("--size", {"type": int, "default": None, "help": "pixels a side; of sounds milliseconds, of texts words."}),
    (
        "--epochs",
        {"type": int, "default": None, "help": "so many rounds over the examples; by default what time allows."},
    ),
    ("--minutes", {"type": float, "default": None, "help": "about how long a network may be taught; 8 by default."}),
    (
        "--augment",
        {
            "type": click.Choice(AUGMENT),
            "default": None,
            "help": "pictures as they might also be: crops; flips, mirrored too (the default); turns, by quarters too, "
            "when seen from above or through a microscope; none.",
        },
    ),
    (
        ("--words/--no-words",),
        {"default": True, "help": "count the words of texts beside a network where that helps; it is the default."},
    ),
    ("--kind", {"default": None, "help": "images, sound or text, where a folder holds several."}),
    ("--column", {"default": None, "help": "a table's column with the texts or the names of the files."}),
    ("--label", {"default": None, "help": "a table's column with the class."}),
    ("--split", {"default": None, "help": "a table's column with the part; fold=9 takes the rows with 9 as the test."}),
    ("--group", {"default": None, "help": "a table's column with the speaker, patient...: never on both sides."}),
    (
        ("--report/--no-report",),
        {
            "default": True,
            "help": "write report.html beside the model, with what plain machine learning reaches and what more examples would bring; it is the default.",
        },
    ),
)
@_for(
    "Payments: ",
    (("--spec", "spec_name"), {"default": None, "help": "a ready spec's name or a TOML file that describes DATA."}),
    ("--budget", {"default": None, "help": "alerts the analysts can work through, such as 100/day (the default)."}),
    ("--cost", {"type": float, "default": None, "help": "instead, what one alert costs to look at, in major units."}),
    ("--fpr", {"type": float, "default": None, "help": "instead, the share of genuine payments that may ring."}),
    ("--anomaly", {"is_flag": True, "help": "give the trees a label-free anomaly score, a column of the last stage."}),
    (
        "--anomaly-by",
        {
            "type": click.Choice(["forest", "autoencoder"]),
            "default": "forest",
            "show_default": True,
            "help": "that score: how few cuts set it apart, or how badly a network restores hidden columns (needs PyTorch).",
        },
    ),
    ("--trees", {"default": BoostingSettings().trees, "show_default": True, "help": "at most, in all stages."}),
    ("--leaves", {"default": BoostingSettings().leaves, "show_default": True, "help": "leaves a tree."}),
    ("--rate", {"default": BoostingSettings().rate, "show_default": True, "help": "how much of each tree is taken."}),
    ("--newest", {"default": 0.2, "show_default": True, "help": "share of the rest, to stop and calibrate by."}),
    (("--refit/--no-refit",), {"default": True, "show_default": True, "help": "grow the chosen trees again on all."}),
    (
        "--genuine-after",
        {"default": None, "help": "what nobody knew anything of for so long, such as 60d, is genuine."},
    ),
    (
        "--early-leak",
        {
            "type": float,
            "default": None,
            "help": "approve before all stages are asked where it loses at most this share of the frauds, such as 0.005.",
        },
    ),
    (
        "--most-genuine",
        {
            "type": click.IntRange(1),
            "default": None,
            "help": "learn from all frauds and at most so many other payments, drawn at random, each counted for as many as there "
            "were to one drawn: for data too large for memory, such as 1000000.",
        },
    ),
    ("--processes", {"default": 1, "show_default": True, "help": "how many train a network together, a core each."}),
    ("--bad-rows", {"type": _PATH, "default": None, "help": "where rows that cannot be used go."}),
)
@click.pass_context
def command(ctx: click.Context, /, data: Path, spec_name: str | None, **told: Any) -> None:
    """Learn a model from examples: pictures, sounds or texts, or labelled payments.

    Without --spec DATA is a folder or a zip with one folder a class (or train, val and test with one a class in each), or a
    table with a column of texts or of files and one of classes. What is called test is only judged by, what is called val
    stops and calibrates; where nothing is, a share of every class is set aside. With --spec DATA is a table of payments, and
    the newest are held out and judged by.

    Interrupted at any moment it leaves no half model; the training of a network, which takes longest, then goes on where it was
    when the same command is given again (its checkpoints and curves are in OUT.training until it is done).

    \b
    Examples:
      tocsin learn photos --out model
      tocsin learn photos.zip --way transfer --network mobilenet_v2 --out model
      tocsin learn reviews.csv --column text --label stars --way scratch
      tocsin learn world/world.parquet --spec world --out model --budget 100/day
      tocsin learn other.parquet --spec world --out other --way transfer --from model
      tocsin serve model
    """
    given = {
        name: value for name, value in told.items() if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if spec_name is not None:
        _refuse(given, OF_EXAMPLES, "pictures, sounds and texts", "payments, which --spec describes", "Leave it out.")
        if told["way"] == "plain":
            raise BadInput("plain is a way for examples; payments are learned by trees, the default.", field="--way")
        from tocsin.cli.learn_transactions import learn_payments

        learn_payments(data, spec_name, told | {"threads": told["threads"] or 1})
        return
    way = f"Payments need --spec: a ready spec's name or a TOML file that describes {data.name}."
    _refuse(given, OF_PAYMENTS, "payments", "examples, because there is no --spec", way)
    if told["way"] not in (None, *EXAMPLE_WAYS):
        raise BadInput(f"{told['way']} is a way for payments, and there is no --spec.", field="--way", hint=way)
    from tocsin.cli.learn_examples import learn_examples

    learn_examples(data, told)


def _refuse(given: dict[str, Any], names: tuple[str, ...], belong: str, what: str, hint: str) -> None:
    """An option of the other kind of data is refused in words.

    Raises
    ------
    BadInput : there is one.
    """
    wrong = next((name for name in given if name in names), None)
    if wrong is not None:
        option = f"--{'no-' if given[wrong] is False else ''}{wrong.replace('_', '-')}"
        raise BadInput(f"{option} is for {belong}; DATA is read as {what}.", field=option, hint=hint)
