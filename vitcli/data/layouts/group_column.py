"""Groups that a column of a table names: rows of one group are never divided between splits."""

from __future__ import annotations

from vitcli.errors import ConfigError
from vitcli.images.division.groups import Groups
from vitcli.names import counted

# the column that is looked for where none is named
GROUP = "group"


def check_group_column(column: str, pattern: str | None) -> None:
    """Check that groups come from one place.

    Args:
        column: As data.group_column.
        pattern: As data.group_pattern.

    Raises:
        ConfigError: Both are said.
    """
    if column != GROUP and pattern is not None:
        raise ConfigError(
            f"data.group_column {column}: not together with data.group_pattern {pattern}; leave out one of them"
        )


def groups_of_column(column: str, named: dict[str, str], pattern: str | None, root: str) -> tuple[Groups | None, str]:
    """The groups of a column, and what the user should know of them; a pattern that was said holds instead.

    Args:
        column: Its name.
        named: The group of each path; empty: it is one by itself.
        pattern: As data.group_pattern.
        root: Of the table, for the message.
    """
    if pattern is not None:
        return None, f"data.group_pattern {pattern}: holds, and not the column {column}"
    alone = sum(not group for group in named.values())
    told = f"{counted(alone, 'row')} of {root} without a {column}: each by itself" if alone else ""
    return Groups(f"data.group_column {column}", named), told
