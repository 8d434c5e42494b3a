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

from jobs import chosen, failed
from perceiving import cells, rival
from perceiving.table import show, summary


def main(wanted: list[str]) -> None:
    """Run what is missing, show what is there."""
    if "--rival" in wanted:
        print(json.dumps(rival.compare()))
        return
    some = [] if "--show" in wanted else chosen(cells.cells(), wanted)
    if cells.QUICK:  # a quick run is there to show that everything works, so nothing of an earlier one is taken
        shutil.rmtree(cells.FOLDER, ignore_errors=True)
    names = failed(some, cells.run)
    show()
    print(json.dumps(summary()))
    if names:
        raise SystemExit(f"These jobs failed: {', '.join(names)}")


if __name__ == "__main__":
    main(sys.argv[1:])
