"""Words of a command line, one (``--name=value``) or two for an option; and settings by the keys that are typed."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml


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


def about_folders(words: Sequence[str]) -> dict[str, Any]:
    """What decides on what a folder of images looks like: whether links are followed, and which folders are splits."""
    found: dict[str, Any] = {"follow_links": (values(words, "--data.follow_links") or ["false"])[-1].lower() == "true"}
    with suppress(yaml.YAMLError):
        said = yaml.safe_load((values(words, "--data.splits") or ["null"])[-1])
        # other values the parser refuses
        if isinstance(said, dict) and all(isinstance(word, str) for pair in said.items() for word in pair):
            found["splits"] = said
    return found


def said_by(content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a config by its key as it is typed, which knows no init_args; sections come before theirs.

    Args:
        content: What a config holds.
        above: Key of the section, with which the others begin.
    """
    for name, value in content.items():
        key = above if name == "init_args" else f"{above}.{name}" if above else str(name)
        if key:
            yield key, value
        if isinstance(value, dict):
            yield from said_by(value, key)


def as_typed(value: Any) -> str:
    """A value as a user types it: null, true and false as in YAML."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def setting_at(config: Any, key: str) -> Any:
    """A value of a nest of settings by its whole key; None where there is none."""
    for name in key.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config
