"""Learning by example: eight sets, each way, three seeds, beside plain machine learning, by the protocols of the sets.

    python benchmarks/perception.py                  all that is missing, the most telling first, then the table
    python benchmarks/perception.py 'eurosat-*'      some of it (QUICK=1: small made sets, one seed, under a minute)
    python benchmarks/perception.py --show           the table of what is there
    python benchmarks/perception.py --rival          the same network taught by plain PyTorch, side by side

A job is a set, a way and a seed; what it came to is one file in runs/perception/, and a training that was killed goes on where it
was, so the same command goes on (delete the folder to measure anew). Nothing is chosen by a test part. As the last line one
JSON object, a key a set.
"""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from fnmatch import fnmatch

from perceiving import cells, rival
from perceiving.table import show, summary


def main(wanted: list[str]) -> None:
    """Run what is missing, show what is there."""
    if "--rival" in wanted:
        print(json.dumps(rival.compare()))
        return
    chosen = [cell for cell in cells.cells() if not wanted or any(fnmatch(cell.name, w) for w in wanted)]
    if "--show" in wanted:
        chosen = []
    elif not chosen:
        raise SystemExit(f"No such job. There are: {', '.join(cell.name for cell in cells.cells())}")
    if cells.QUICK:  # a quick run is there to show that everything works, so nothing of an earlier one is taken
        shutil.rmtree(cells.FOLDER, ignore_errors=True)
    failed = [cell.name for cell in chosen if not done(cell)]
    show()
    print(json.dumps(summary()))
    if failed:
        raise SystemExit(f"These jobs failed: {', '.join(failed)}")


def done(cell: cells.Cell) -> bool:
    """Do a job; one that fails says why, and the others go on."""
    try:
        cells.run(cell)
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
