"""Shipped configs: found by their short names, such as cats_dogs or model/linformer, in a wheel and in a clone."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import vitcli

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


def with_paths(words: Sequence[str]) -> list[str]:
    """The words of a command line with the path of each shipped config in place of its short name.

    A file of the path that was typed comes first. What is neither stays as it was typed, for the message.

    Args:
        words: The words after the verb.
    """
    found: list[str] = []
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if number and words[number - 1] in OPTIONS:
            found.append(_path(word))
        elif equals and option in OPTIONS:
            found.append(f"{option}={_path(value)}")
        else:
            found.append(word)
    return found


def nearest(typed: str, option: str = "") -> str:
    """A question that names the shipped config which may have been meant; empty if none is near.

    Args:
        typed: A short name, or a path.
        option: What stands before the name.
    """
    near = difflib.get_close_matches(typed.removeprefix("configs/").removesuffix(".yaml"), shipped(), n=1)
    return f"did you mean {option}{near[0]}? " if near else ""


def _path(typed: str) -> str:
    return typed if Path(typed).is_file() else str(shipped().get(typed, typed))
