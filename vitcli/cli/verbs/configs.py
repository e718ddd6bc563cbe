"""``vitcli configs``: the configs that vitcli brings along, listed with their first line, or one of them printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitcli.cli.exit import DONE, ended
from vitcli.cli.shipped import nearest, shipped
from vitcli.errors import ConfigError


def run(verb: str, words: Sequence[str]) -> int:
    """List the shipped configs, or print one.

    Args:
        verb: configs.
        words: The words after it: nothing, or a short name.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _show(words))


def _show(words: Sequence[str]) -> int:
    known = shipped()
    if len(words) > 1:
        raise ConfigError(f"configs {' '.join(words)}: one name at a time; vitcli configs lists them")
    if not words:
        width = max(map(len, known), default=0)
        print("\n".join(f"{name:<{width}}  {_first_line(path)}" for name, path in known.items()))
        return DONE
    if words[0] not in known:
        raise ConfigError(f"configs {words[0]}: there is no such config; {nearest(words[0])}vitcli configs lists them")
    print(known[words[0]].read_text(encoding="utf-8"), end="")
    return DONE


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
