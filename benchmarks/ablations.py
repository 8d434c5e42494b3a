"""What each part of the layered network is worth: every ablation of the design, a cell of the table each.

    python benchmarks/ablations.py            all cells that are missing, the most important first, then the table
    python benchmarks/ablations.py main-*     some of them (QUICK=1: one small world, the main models only; under a minute)

A cell is a model on a made world; its figures are one file in runs/ablations/, its trees, scores and trainings lie
beside, so a run that was killed goes on where it was (delete the folder to measure anew). Nothing is chosen by what is printed here: settings are the
repository's, worlds and seeds stand in docs/log.md since before the first training. As the last line one JSON object.
"""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from fnmatch import fnmatch

from ablation import kept
from ablation.cells import CELLS, QUICK, Cell, run
from ablation.table import show, summary


def main(wanted: list[str]) -> None:
    """Run what is missing, show what is there."""
    chosen = [cell for cell in CELLS if not wanted or any(fnmatch(cell.name, w) for w in wanted)]
    if not chosen:
        raise SystemExit(f"No such cell. There are: {', '.join(cell.name for cell in CELLS)}")
    if QUICK:  # a quick run is there to show that everything works, so nothing of an earlier one is taken
        shutil.rmtree(kept.FOLDER, ignore_errors=True)
    failed = [cell.name for cell in chosen if not done(cell)]
    show()
    print(json.dumps(summary() | {"quick": QUICK}))
    if failed:
        raise SystemExit(f"These cells failed: {', '.join(failed)}")


def done(cell: Cell) -> bool:
    """Run a cell; one that fails says why, and the others go on."""
    try:
        run(cell)
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
