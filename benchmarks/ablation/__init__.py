"""What the ablations stand on: banks made once, pieces kept beside, one cell of the table at a time. Run ``ablations.py``."""

import os

# One thread, and before anything is loaded that would start more: the machine has others' work on it.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
