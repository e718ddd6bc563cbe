"""Braces such as ``photos/{000..012}.tar`` and ``{train,val}.tar``: the words for which they stand, as in bash."""

from __future__ import annotations

import itertools
import re

from vitcli.errors import DataError

# no brace in it: of nested ones, the innermost
INNERMOST = re.compile(r"\{([^{}]*)\}")
NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000


def spelled_braces(word: str) -> list[str]:
    """The words for which one with braces stands, in order; one without stands for itself.

    ``{000..012}`` are the numbers from 000 to 012, with as many digits, and ``{a,b}`` are a and b.

    Args:
        word: For example a path.

    Raises:
        DataError: It stands for more than ``MOST`` words.
    """
    found = next((match for match in INNERMOST.finditer(word) if _choices(match[1])), None)
    if found is None:
        return [word]
    choices = _choices(found[1])
    if len(choices) > MOST:
        raise DataError(f"data.root {word}: stands for more than {MOST:,} files; name a folder, or use *")
    before, behind = word[: found.start()], word[found.end() :]
    words = itertools.chain.from_iterable(spelled_braces(f"{before}{choice}{behind}") for choice in choices)
    spelled = list(itertools.islice(words, MOST + 1))
    if len(spelled) > MOST:
        raise DataError(f"data.root {word}: stands for more than {MOST:,} files; name a folder, or use *")
    return list(dict.fromkeys(spelled))


def _choices(inside: str) -> list[str]:
    """What stands between braces, apart; nothing where bash would leave the braces as they are."""
    if (numbers := NUMBERS.fullmatch(inside)) is not None:
        first, last = int(numbers[1]), int(numbers[2])
        # as in bash, a leading zero asks for equally many digits
        padded = any(len(text) > 1 and text.startswith("0") for text in numbers.groups())
        width = max(map(len, numbers.groups())) if padded else 0
        step = 1 if first <= last else -1
        return [f"{number:0{width}d}" for number in itertools.islice(range(first, last + step, step), MOST + 1)]
    return inside.split(",") if "," in inside else []
