"""Paths without an option before them: ``vitcli fit photos``, ``vitcli predict runs/photos holiday``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from vitcli.data.layouts.guess import guess
from vitcli.errors import ConfigError
from vitcli.names import at_home


def with_options(verb: str, words: Sequence[str]) -> list[str]:
    """The words of a command line, in which each path at its front has got its option.

    fit takes the images, whose layout is looked at as ``vitcli check`` does, unless ``--data`` or a config says it;
    validate, test and predict take a checkpoint or a run, the images, or both in this order.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.

    Raises:
        ConfigError: More paths than the verb takes.
        DataError: fit is given no folder, archive or table.
    """
    paths = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    rest = list(words[len(paths) :])
    options: list[str] = []
    left = list(paths)
    if verb != "fit" and left and _is_checkpoint(left[0]):
        options += ["--ckpt_path", left.pop(0)]
    if left:
        root = left.pop(0)
        given = {word.partition("=")[0] for word in rest}
        if verb == "fit" and not given & {"--data", "--config", "-c"}:
            options += ["--data", guess(root)]
        options += ["--data.root", root]
    if left:
        takes = "one path, of images" if verb == "fit" else "a checkpoint or a run, and then a path of images"
        raise ConfigError(f"{' '.join(paths)}: {verb} takes {takes}; everything else has a name, see vitcli {verb} -h")
    return [*options, *rest]


def _is_checkpoint(word: str) -> bool:
    path = Path(at_home(word))
    is_run = path.is_dir() and (path.name == "checkpoints" or (path / "checkpoints").is_dir())
    return word in ("last", "best") or path.suffix == ".ckpt" or is_run
