"""The one command, ``tocsin``, and its verbs."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

import click

from tocsin.errors import TocsinError

# verb -> what it does, in the words of `tocsin --help`; each lives in tocsin.cli.VERB as `command`.
VERBS: dict[str, str] = {
    "demo": "The whole story: a made world, a model, a live stream, the desk.",
    "world": "Make a world of payments with known fraud.",
    "check": "Read a data set and say in words what is in it and what is wrong.",
    "advise": "Say which way to learn from a data set, how long it takes and why, from short measurements on it.",
    "learn": "Learn a model by example: from pictures, sounds, texts, or payments.",
    "evaluate": "Measure a model on data it has not seen; writes a report.",
    "backtest": "Replay the past: retrain, decide and count as if it had been live.",
    "cluster": "Group pictures, sounds or texts nobody has sorted, on a contact sheet.",
    "explain": "Say why one payment got its score.",
    "networks": "List the networks for pictures, sounds and texts; fetch their weights.",
    "predict": "Say what pictures, sounds or texts are.",
    "serve": "Answer every transaction: approve, review or decline; with the desk.",
    "model": "Show a model; activate one, roll back, list.",
    "key": "Make, list and revoke API keys.",
    "user": "People of the desk: add, list, change the role, a new sign-in link.",
    "backup": "Copy the ledger and the memory while running, or restore them.",
    "audit": "Verify the audit chain, print its newest hash.",
}


# What only some need, imported where it is needed -> what is missing, in words, and the extra that brings it.
_PARTS = {
    "torch": ("a network needs PyTorch", "networks"),
    "jaxtyping": ("a network needs jaxtyping", "networks"),
    "safetensors": ("a network's weights need safetensors", "networks"),
    "onnx": ("writing a model needs onnx", "learn"),
    "sklearn": ("this way of learning needs scikit-learn", "learn"),
    "matplotlib": ("a report's pictures need Matplotlib", "learn"),
    "psycopg": ("a ledger in PostgreSQL needs psycopg", "postgres"),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command = import_module(f"tocsin.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin")
def group() -> None:
    """Tocsin learns by example, watches what comes in, and rings for a person who can act."""


TURNS = "1000"
"""How often a thread of LightGBM or PyTorch looks for work before it sleeps (300,000 unless told): on a busy machine looking takes the
core from who has the work, and growing trees then takes minutes for seconds; on an idle one it costs nothing that can be measured."""


def main() -> None:
    """Run the command; a refusal is one clear message and exit code 2, never a traceback."""
    os.environ.setdefault("GOMP_SPINCOUNT", TURNS)  # read when the first of them is loaded
    try:
        group.main(standalone_mode=False)
    except TocsinError as error:
        _show(str(error))
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        refused = _outside(error)
        if refused is None:
            raise
        _show(refused)
        sys.exit(2)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)


def _show(refusal: str) -> None:
    click.secho("tocsin: ", fg="red", bold=True, nl=False, err=True)
    click.echo(refusal, err=True)


def _outside(error: Exception) -> str | None:
    """What the machine refused, a file or the database, in one message; None if the error is a fault of ours."""
    if isinstance(error, ModuleNotFoundError) and (part := _PARTS.get((error.name or "").split(".")[0])):
        what, extra = part
        return (
            f"{what}, which is not installed here. Install it: pip install 'tocsin[{extra}]'; serving needs none of it."
        )
    database = sys.modules.get("sqlalchemy.exc")  # only who opened a ledger can meet its errors
    if database is not None and isinstance(error, database.SQLAlchemyError):
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return (
            f"ledger: the database must answer; it says: {said}. Look at --data or --ledger, its rights and its disk."
        )
    if isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename is not None:
        return f"{error.filename}: a folder must be able to stand here; a file does. Name another place."
    if isinstance(error, OSError) and error.filename is not None:
        said = (error.strerror or str(error)).lower()
        return f"{error.filename}: must be there and open to us; the machine says: {said}. Look at the path and its rights."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what = "it is full" if error.errno == errno.ENOSPC else "a limit on us is reached"
        return f"the disk must have room; {what}. Make room and give the command again: nothing half-done is kept."
    return None
