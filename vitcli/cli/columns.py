"""Columns: what ``--columns label=y,predicted=p`` says of the names in another tool's table."""

from __future__ import annotations

from collections.abc import Sequence

from vitcli.errors import ConfigError


def columns_of(typed: Sequence[str]) -> dict[str, str]:
    """Names of columns by role; the option may stand several times.

    Args:
        typed: Each word of it.

    Raises:
        ConfigError: Something that is no pair, or a role that is named twice.
    """
    found: dict[str, str] = {}
    for word in (pair for words in typed for pair in words.split(",")):
        role, _, name = (part.strip() for part in word.partition("="))
        if not role or not name:
            raise ConfigError(
                f"--columns {','.join(typed)}: {word!r} names no column; say for example --columns label=y,predicted=p"
            )
        if found.setdefault(role, name) != name:
            raise ConfigError(f"--columns {','.join(typed)}: {role} is both {found[role]} and {name}; name one of them")
    return found
