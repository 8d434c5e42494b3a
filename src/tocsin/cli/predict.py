"""``tocsin predict``: what pictures, sounds or texts are."""

from __future__ import annotations

import csv
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from tocsin.artifact.classes import AT_ONCE, Classifier, load
from tocsin.data.collection import Collection, collect
from tocsin.data.folders import LARGEST
from tocsin.data.listing import is_table
from tocsin.errors import BadInput, NotReady, TocsinError

_BAR, _LONGEST_NAME = 20, 44
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to predict: what it is called, and how to get at it."""

    name: str
    read: Callable[[], bytes | str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The probability of each class, or why there is none."""

    name: str
    likely: NDArray[np.float64] | None
    problem: str | None = None


@dataclass(slots=True)
class _Given:
    """What was named on the command line: the examples, how many where that is known, and what could not be opened."""

    examples: list[Iterable[Example]]
    count: int | None
    names: tuple[str, ...]


@click.command()
@click.argument("folder", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("what", nargs=-1)
@click.option("--column", help="A table's column of texts, or of file names, where its name does not say it.")
@click.option("--text", "texts", multiple=True, help="A text to predict; may be given several times.")
@click.option("--top", type=click.IntRange(1), help="How many classes to name [3; all with --json].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
@click.option("--csv", "as_csv", is_flag=True, help="One row an example, a column a class, for spreadsheets.")
def command(
    folder: Path,
    what: tuple[str, ...],
    column: str | None,
    texts: tuple[str, ...],
    top: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say what pictures, sounds or texts are.

    WHAT is a file, a folder, a zip archive, a CSV, JSON lines or Parquet file, or - for standard input (the bytes of one
    picture or sound, or lines of text). What cannot be read is said, the rest goes through, and the exit code is then 1.

    \b
    Examples:
      tocsin predict models/cats photo.jpg
      tocsin predict models/cats holiday/ more.zip --top 1
      tocsin predict models/spam messages.csv --column text --csv > answers.csv
      curl https://example.org/a.jpg | tocsin predict models/cats - --json
    """
    if as_json and as_csv:
        raise BadInput("one form at a time may be asked for; got --json and --csv.", field="--json")
    model = load(folder, threads=os.cpu_count() or 1)
    given = _given(model, what, column, texts)
    write: _Writer = _Lines(model, top) if as_json else _Rows(model) if as_csv else _People(model, top, given)
    try:
        with write.shown(given.count) as step:
            for answer in _answers(model, (one for some in given.examples for one in some)):
                write(answer)
                step()
        write.end()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    if write.problems:
        sys.exit(1)


# --- what is asked ---------------------------------------------------------------------------------------------------


def _given(model: Classifier, what: tuple[str, ...], column: str | None, texts: tuple[str, ...]) -> _Given:
    """Everything that was named, opened as far as is needed to count it."""
    if not what and not texts:
        raise BadInput("there must be something to predict; nothing was named.", field="WHAT", hint="Name a file or -.")
    if texts and model.kind != "text":
        raise BadInput(f"a text goes to a model of texts; this one reads {model.kind}.", field="--text")
    examples: list[Iterable[Example]] = []
    count: int | None = len(texts)
    names: list[str] = list(texts)
    for one in what:
        if one == "-":
            examples.append(_standard_input(model.kind))
            count = None if model.kind == "text" or count is None else count + 1
            continue
        try:
            found = list(_opened(model, Path(one), column, alone=len(what) == 1))
        except (TocsinError, OSError) as error:
            if len(what) == 1 or isinstance(error, NotReady):
                raise
            found = [Example(one, _raising(error))]
        examples.append(found)
        count = None if count is None else count + len(found)
        names += [example.name for example in found]
    return _Given([*examples, [Example(text, _returning(text)) for text in texts]], count, tuple(names))


def _opened(model: Classifier, path: Path, column: str | None, *, alone: bool) -> Iterator[Example]:
    """The examples of a file, a folder, an archive or a table."""
    alone_in_file = path.is_file() and not is_table(path.name) and not zipfile.is_zipfile(path)
    if alone_in_file or (path.exists() and not path.is_file() and not path.is_dir()):  # a pipe, as of <(command)
        yield Example(str(path), lambda: _content(path, text=model.kind == "text"))
        return
    found = collect(path, kind=model.kind, column=column)
    for i, name in enumerate(found.names):
        yield Example(name if alone else f"{path}{':' if path.is_file() else '/'}{name}", _row(found, i))


def _content(path: Path, *, text: bool) -> bytes | str:
    """All of a file; of one that never ends no more than may be read."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise BadInput(f"an example must have at most {LARGEST >> 20} MiB; this file has more.")
    return content.decode("utf-8-sig", "replace") if text else content


def _row(found: Collection, i: int) -> Callable[[], bytes | str]:
    return lambda: found.raw(i)


def _returning(text: str) -> Callable[[], str]:
    return lambda: text


def _raising(error: Exception) -> Callable[[], str]:
    def read() -> str:
        raise error

    return read


def _standard_input(kind: str) -> Iterator[Example]:
    """The one picture or sound that comes in, or every line of text that is not blank, as they come."""
    if kind != "text":
        yield Example("standard input", sys.stdin.buffer.read)
        return
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            yield Example(f"line {number}", _returning(line.decode("utf-8", "replace").rstrip("\r\n")))


# --- answers ---------------------------------------------------------------------------------------------------------


def _answers(model: Classifier, examples: Iterator[Example]) -> Iterator[Answer]:
    """One answer an example, in order; files are read and made ready side by side."""

    def ready(example: Example) -> Any:
        try:
            return model.prepare([example.read()])
        except NotReady:
            raise
        except (TocsinError, OSError) as error:
            return _said(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        while some := list(islice(examples, 2 * AT_ONCE[model.kind])):
            given = list(pool.map(ready, some))
            good = [one for one in given if not isinstance(one, str)]
            said = iter(_probabilities(model, good))
            for example, one in zip(some, given, strict=True):
                found = one if isinstance(one, str) else next(said)
                if isinstance(found, str):
                    yield Answer(example.name, None, found)
                else:
                    yield Answer(example.name, found)


def _probabilities(model: Classifier, given: list[Any]) -> list[NDArray[np.float64] | str]:
    """Of each prepared example the probabilities, or what is wrong with it."""
    if not given:
        return []
    joined = [text for one in given for text in one] if isinstance(given[0], list) else np.concatenate(given)
    step, out = AT_ONCE[model.kind], list[NDArray[np.float64] | str]()
    for first in range(0, len(given), step):
        try:
            out += list(model.probabilities(joined[first : first + step]))
        except BadInput as error:
            if len(given) == 1:
                return [_said(error)]
            return [said for one in given for said in _probabilities(model, [one])]
    return out


def _said(error: TocsinError | OSError) -> str:
    """What is wrong with an example; its name stands beside it."""
    if isinstance(error, TocsinError):
        return f"{error.message} {error.hint}" if error.hint else error.message
    return f"must be there and open to us; the machine says: {(error.strerror or str(error)).lower()}."


def harmless(name: str) -> str:
    """A name that harms no terminal and fits into UTF-8: files and classes may be called anything."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name.encode("utf-8", "replace").decode("utf-8"))


# --- ways to write them ----------------------------------------------------------------------------------------------


class _Writer:
    """Writes answers one after another to standard output; counts what could not be answered."""

    def __init__(self, model: Classifier) -> None:
        self.model = model
        self.problems = 0
        self.console = Console(stderr=True, highlight=False)

    def __call__(self, answer: Answer) -> None:
        self.problems += answer.problem is not None
        self.write(answer)

    def write(self, answer: Answer) -> None:
        """One answer."""
        raise NotImplementedError

    def end(self) -> None:
        """What remains to be said."""

    def shown(self, count: int | None) -> Any:
        """A bar with the time left while many are answered; its step after each of them."""
        if count is not None and count < 2 * AT_ONCE[self.model.kind]:
            return nullcontext(lambda: None)
        columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        return _Bar(Progress(*columns, console=self.console, transient=True), count)

    def best(self, likely: NDArray[np.float64], top: int | None) -> list[tuple[str, float]]:
        """The most probable classes, the first the most."""
        order = np.argsort(-likely, kind="stable")[:top]
        return [(self.model.classes[i], float(likely[i])) for i in order]


class _Bar:
    def __init__(self, progress: Progress, count: int | None) -> None:
        self._progress, self._count = progress, count

    def __enter__(self) -> Callable[[], None]:
        self._progress.start()
        task = self._progress.add_task("", total=self._count)
        return lambda: self._progress.advance(task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class _Lines(_Writer):
    """JSON lines."""

    def __init__(self, model: Classifier, top: int | None) -> None:
        super().__init__(model)
        self._top = top

    def write(self, answer: Answer) -> None:
        line: dict[str, Any] = {"name": harmless(answer.name)}
        if answer.likely is None:
            line["error"] = answer.problem
        else:
            best = self.best(answer.likely, self._top)
            line |= {"class": best[0][0], "probability": best[0][1]}
            line["classes"] = [{"class": name, "probability": value} for name, value in best]
        click.echo(msgspec.json.encode(line))


class _Rows(_Writer):
    """CSV: name, class, probability, error, then the probability of each class."""

    def __init__(self, model: Classifier) -> None:
        super().__init__(model)
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(["name", "class", "probability", "error", *model.classes])

    def write(self, answer: Answer) -> None:
        if answer.likely is None:
            self._writer.writerow([harmless(answer.name), "", "", answer.problem, *[""] * len(self.model.classes)])
            return
        ((name, value),) = self.best(answer.likely, 1)
        numbers = [f"{one:.6g}" for one in (value, *answer.likely)]
        self._writer.writerow([harmless(answer.name), name, numbers[0], "", *numbers[1:]])


class _People(_Writer):
    """A few lines for one example, one line each for many, and at the end how many are what."""

    def __init__(self, model: Classifier, top: int | None, given: _Given) -> None:
        super().__init__(model)
        self._top = top or 3
        self._one = given.count == 1
        self._width = min(max((len(name) for name in given.names), default=12), _LONGEST_NAME)
        self._class = min(max(map(len, model.classes)), 24)
        self._counts: Counter[str] = Counter()
        if sys.stdout.isatty():  # the bar and the lines share the screen
            self.console = Console(highlight=False)
        self._out = self.console if sys.stdout.isatty() else Console(highlight=False, width=200)

    def write(self, answer: Answer) -> None:
        if answer.likely is None:
            self._out.print(Text.assemble((self._named(answer.name), "bold"), "  ", (answer.problem or "", "red")))
            return
        best = self.best(answer.likely, self._top)
        self._counts[best[0][0]] += 1
        if self._one:
            self._out.print(Text(harmless(answer.name), "bold"), soft_wrap=True)
            for name, value in best:
                self._out.print(Text.assemble("  ", self._line(name, value)), no_wrap=True, overflow="ellipsis")
            return
        more = ", ".join(f"{harmless(name)} {_percent(value)}" for name, value in best[1:])
        line = Text.assemble((self._named(answer.name), "bold"), "  ", self._line(*best[0]), (more, "dim"))
        self._out.print(line, no_wrap=True, overflow="ellipsis")

    def end(self) -> None:
        """How many are what."""
        if not self._one:
            answered = sum(self._counts.values())
            said = ", ".join(f"{harmless(name)} {count:,}" for name, count in self._counts.most_common(10))
            failed = f"; {self.problems:,} could not be read" if self.problems else ""
            click.echo(f"{answered:,} answered{': ' if said else ''}{said}{failed}.", err=True)

    def _named(self, name: str) -> str:
        """The name in its column; of a long one its end, which tells files apart."""
        shown = harmless(name)
        return (shown if len(shown) <= self._width else "…" + shown[-self._width + 1 :]).ljust(self._width)

    def _line(self, name: str, value: float) -> Text:
        shown = harmless(name)
        cut = shown if len(shown) <= self._class else shown[: self._class - 1] + "…"
        return Text.assemble(cut.ljust(self._class), f" {_percent(value):>7}  ", (_bar(value), "cyan"), "  ")


def _percent(value: float) -> str:
    """A probability as people read it; neither 0 nor 100 unless it is.

    Examples
    --------
    >>> _percent(0.98765), _percent(0.9999999), _percent(0.00001), _percent(0.0)
    ('98.8 %', '>99.9 %', '<0.1 %', '0.0 %')
    """
    if 0.9995 <= value < 1:
        return ">99.9 %"
    return "<0.1 %" if 0 < value < 0.0005 else f"{value * 100:.1f} %"


def _bar(value: float) -> str:
    """A bar of so many eighths of a character.

    Examples
    --------
    >>> _bar(0.5), _bar(0.03).strip()
    ('██████████          ', '▋')
    """
    eighths = round(value * _BAR * 8)
    return ("█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")).ljust(_BAR)
