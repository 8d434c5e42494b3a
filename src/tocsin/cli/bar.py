"""The bar of a work of several steps: where it stands, how long it took, what is left of this step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column


@contextmanager
def steps(first: str) -> Iterator[tuple[Progress, Callable[[str, float], None]]]:
    """Draw it on standard error while the work goes on.

    Yields
    ------
    The bar, and who is told what is being done and its share, 0 to 1; what stands before a comma names the step.
    """

    def whole(width: int) -> Column:  # in a narrow window the bar and what is done give way, not the times
        return Column(min_width=width, no_wrap=True)

    left = TextColumn("of this step, left:", table_column=whole(19)), TimeRemainingColumn(table_column=whole(7))
    times = TimeElapsedColumn(table_column=whole(7)), *left
    what = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = SpinnerColumn(), what, BarColumn(), *times
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(first, total=1.0)
        step = ""

        def told(what: str, share: float) -> None:
            nonlocal step
            if what.split(",", maxsplit=1)[0] != step:  # what is left is told by this step's own speed
                step = what.split(",", maxsplit=1)[0]
                progress.reset(task)
            progress.update(task, description=what, completed=share)

        yield progress, told
