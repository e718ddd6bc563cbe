"""BLAS: one thread for each caller (OPENBLAS_NUM_THREADS), where callers are threads that decode pictures already."""

from __future__ import annotations

import os


def one_thread() -> None:
    """Let NumPy's BLAS compute in the thread that calls it; called before NumPy is imported.

    Its products are small here, also those of the convex solver (SciPy's, whose vectors it hands to BLAS), and each
    decoding thread makes its own: a team of threads for each would only wait for cores. A number that is set already is
    kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
