"""Limits of sizes and shares, checked; an error names the key as the user types it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

from vitcli.errors import ConfigError

# far above any net's, and small enough to be computed with
MOST = 2**20


def count_or_size(key: str, value: int) -> int:
    """A count or a size.

    Raises:
        ConfigError: Below 1, or above ``MOST``.
    """
    if value < 1:
        raise ConfigError(f"{key} {value}: must be at least 1")
    if value > MOST:
        raise ConfigError(f"{key} {value}: absurdly large; at most {MOST:,}")
    return value


def above_zero(key: str, value: float) -> float:
    """A finite number above zero.

    Raises:
        ConfigError: Zero, negative, infinite or not a number.
    """
    if not 0 < value < math.inf:
        raise ConfigError(f"{key} {value}: must be a finite number above 0")
    return value


def zero_or_more(key: str, value: float) -> float:
    """A finite number that is not negative.

    Raises:
        ConfigError: Negative, infinite or not a number.
    """
    if not 0 <= value < math.inf:
        raise ConfigError(f"{key} {value}: must be a finite number of at least 0")
    return value


def share(key: str, value: float) -> float:
    """A dropout probability.

    Raises:
        ConfigError: Outside [0, 1).
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{key} {value}: must lie in [0, 1); 0 drops nothing")
    return value


def one_of(key: str, value: str, words: Any) -> str:
    """A word of a Literal.

    Raises:
        ConfigError: Another word.
    """
    if value not in get_args(words):
        raise ConfigError(f"{key} {value!r}: must be one of {', '.join(get_args(words))}")
    return value


def sides(key: str, value: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) in pixels, from both or from the one side of a square.

    Raises:
        ConfigError: Not one or two sides, or a side below 1 pixel.
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2:
        raise ConfigError(f"{key} {list(both)}: give one side, or height and width, e.g. [224, 192]")
    if min(both) < 1:
        raise ConfigError(f"{key} {shown(both)}: must be at least 1 pixel")
    return both


def shown(both: Sequence[int]) -> str:
    """Sides as the user writes them: 224, or [224, 192]."""
    height, width = both
    return str(height) if height == width else f"[{height}, {width}]"


def divisors_around(number: int, wanted: int) -> list[int]:
    """The divisors of a number next to the wanted one, below and above; for remedies."""
    divisors = [divisor for divisor in range(1, number + 1) if number % divisor == 0]
    below = [divisor for divisor in divisors if divisor <= wanted]
    above = [divisor for divisor in divisors if divisor > wanted]
    return below[-1:] + above[:1]
