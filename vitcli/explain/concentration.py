"""How concentrated a map is, in two numbers: the share of the picture with half of it, and how much speaks against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Concentration(NamedTuple):
    """What a map comes to.

    Args:
        half: Smallest share of the patches that together have half of all that speaks for the class, in (0, 0.5] for
            a map that is even or better; None where nothing speaks for it.
        against: Share of the map's absolute sum that is below zero, in [0, 1]; None for a map of zeros.
    """

    half: float | None
    against: float | None


def concentration(found: NDArray[np.float32]) -> Concentration:
    """Both numbers of a map.

    Args:
        found: float32 (rows, columns); more is more important.
    """
    values = found.astype(np.float64).ravel()
    positive = np.sort(values[values > 0])[::-1]
    whole = float(np.abs(values).sum())
    if not whole or not np.isfinite(whole):
        return Concentration(None, None)
    against = float(np.abs(values[values < 0]).sum()) / whole
    if not len(positive):
        return Concentration(None, against)
    reached = np.cumsum(positive)
    # as many as reach half of the sum, but for rounding
    count = int(np.searchsorted(reached, reached[-1] / 2 * (1 - 1e-9))) + 1
    return Concentration(count / len(values), against)
