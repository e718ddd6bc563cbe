"""Rung of successive halving: after how many validations trials are compared, and how many of them go on."""

from __future__ import annotations

# at each rung, the best of so many go on
REDUCTION = 3
# the first rung, as a share of a whole trial; a second would lie behind its end. Earlier, small nets answer by chance:
# with a rung at a ninth or a quarter of the demo's training, its best settings were given up by lot
FIRST = 0.5


def first_rung(validations: int | None) -> int:
    """The validations after which trials are first compared.

    Args:
        validations: Of a whole trial; None: not known.
    """
    return max(1, round(FIRST * (validations or 1)))
