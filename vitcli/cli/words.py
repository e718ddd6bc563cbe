"""Words of a command line: options with their values, be they one word (``--name=value``) or two."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence


def split_off(words: Sequence[str], options: Collection[str]) -> tuple[list[tuple[str, str | None, bool]], list[str]]:
    """Some options, and all other words.

    Args:
        words: The words after the verb.
        options: Which ones.

    Returns:
        Option, value (None if the words end before it) and whether both were one word, for each; and the others.
    """
    found: list[tuple[str, str | None, bool]] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in options:
            others.append(word)
        else:
            found.append((option, value if equals else next(rest, None), bool(equals)))
    return found, others


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Every option without its dashes (and the ``+`` of a list), and its value; empty where another option follows."""
    found = []
    for number, word in enumerate(words):
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            following = words[number + 1] if number + 1 < len(words) else ""
            found.append((option.rstrip("+"), value if equals else "" if following.startswith("--") else following))
    return found


def in_front(words: Sequence[str]) -> list[str]:
    """The words before the first option."""
    return list(itertools.takewhile(lambda word: not word.startswith("-"), words))


def values(words: Sequence[str], option: str) -> list[str]:
    """The values of an option, in the order in which they are given."""
    found, _ = split_off(words, [option])
    return [value for _, value, _ in found if value is not None]
