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


def lines_of(content: bytes) -> list[str]:
    """The lines of a short text in UTF-8, without what surrounds them.

    Only a line feed ends one: splitlines takes U+2028 and others for an end too, which names may hold.

    Args:
        content: The text, perhaps with the mark that some editors put in front.

    Raises:
        UnicodeDecodeError: It is no UTF-8.
    """
    return [line.strip() for line in content.decode("utf-8-sig").split("\n")]
