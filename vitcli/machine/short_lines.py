"""Lines of a text file, none longer than a limit: a list of paths may be one line of all the memory there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

# a row of a table with the probabilities of 100,000 classes has some 2 MB
MOST_LETTERS = 4_000_000


def short_lines(file: TextIO) -> Iterator[str]:
    """The lines of a file, with their ends.

    Args:
        file: Opened for reading.

    Raises:
        ValueError: A line is longer than ``MOST_LETTERS``.
    """
    number = 0
    while line := file.readline(MOST_LETTERS + 1):
        number += 1
        if len(line) > MOST_LETTERS:
            raise ValueError(f"line {number} has more than {MOST_LETTERS:,} characters")
        yield line
