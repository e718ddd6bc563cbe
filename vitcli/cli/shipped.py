"""Shipped configs: found by their short names, such as cats_dogs or model/linformer, in a wheel and in a clone."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import vitcli
from vitcli.cli.words import split_off
from vitcli.names import at_home

HERE = Path(vitcli.__file__).parent
# a wheel holds them inside the package, a clone beside it
FOLDERS = (HERE / "configs", HERE.parent / "configs")
OPTIONS = ("-c", "--config")


def shipped() -> dict[str, Path]:
    """The configs that came with vitcli by their short names: runs first, then overlays."""
    folder = next((folder for folder in FOLDERS if (folder / "folder.yaml").is_file()), None)
    if folder is None:
        return {}
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return {name: found[name] for name in sorted(found, key=lambda name: (name.count("/"), name))}


def configs_first(words: Sequence[str]) -> list[str]:
    """The words of a command line with its configs at the front, so that what else is typed wins over them.

    Among themselves configs stay in their order. The short name of a shipped config becomes its path, unless there is
    a file of that name; what is neither stays as it was typed, for the message.

    Args:
        words: The words after the verb.
    """
    found, others = split_off(words, OPTIONS)
    configs: list[str] = []
    for option, value, joined in found:
        if value is None:
            configs.append(option)
        else:
            configs += [f"{option}={_path(value)}"] if joined else [option, _path(value)]
    return configs + others


def nearest(typed: str, option: str = "") -> str:
    """A question that names the shipped config which may have been meant; empty if none is near.

    Args:
        typed: A short name, or a path.
        option: What stands before the name.
    """
    near = difflib.get_close_matches(typed.removeprefix("configs/").removesuffix(".yaml"), shipped(), n=1)
    return f"did you mean {option}{near[0]}? " if near else ""


def _path(typed: str) -> str:
    typed = at_home(typed)
    return typed if Path(typed).is_file() else str(shipped().get(typed, typed))
