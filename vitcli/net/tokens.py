"""Tokens: the number of tokens of a backend, which knows its prefix and its grid of patches."""

from __future__ import annotations

from typing import final


@final
class Tokens(int):
    """A number of tokens that knows its parts: first the prefix (class, registers), then the patches row by row.

    A backend is built with a number of tokens, and most need no more; one that mixes neighbouring patches asks for
    the grid. A plain number is taken as one row of patches without a prefix.

    Args:
        prefix: Number of tokens before the patches.
        grid: Rows and columns of patches.
    """

    prefix: int
    grid: tuple[int, int]

    def __new__(cls, prefix: int, grid: tuple[int, int]) -> Tokens:
        """The sum of both."""
        self = super().__new__(cls, prefix + grid[0] * grid[1])
        self.prefix, self.grid = prefix, grid
        return self

    def __getnewargs__(self) -> tuple[int, tuple[int, int]]:  # type: ignore[override]
        """What copy and pickle rebuild it from."""
        return self.prefix, self.grid

    @classmethod
    def of(cls, number: int) -> Tokens:
        """The number as given, if it knows its parts."""
        return number if isinstance(number, cls) else cls(0, (1, number))
