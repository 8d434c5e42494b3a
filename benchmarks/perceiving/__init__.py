"""The benchmark of learning by example, in parts.

``sets`` are the eight sets and the made ones, each by the protocol of its README; ``cells`` the jobs, a set, way and seed each;
``table`` what is shown of them; ``rival`` the same network taught by plain PyTorch. None of it chooses by a test set.
"""

import os

# One thread, and before anything is loaded that would start more: the machine has others' work on it.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
