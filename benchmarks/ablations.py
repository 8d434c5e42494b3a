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

from ablation import kept
from ablation.cells import CELLS, QUICK, run
from ablation.table import show, summary
from jobs import chosen, failed


def main(wanted: list[str]) -> None:
    """Run what is missing, show what is there."""
    some = chosen(CELLS, wanted)
    if QUICK:  # a quick run is there to show that everything works, so nothing of an earlier one is taken
        shutil.rmtree(kept.FOLDER, ignore_errors=True)
    names = failed(some, run)
    show()
    print(json.dumps(summary() | {"quick": QUICK}))
    if names:
        raise SystemExit(f"These cells failed: {', '.join(names)}")


if __name__ == "__main__":
    main(sys.argv[1:])
