"""Paths without an option before them: ``vitcli fit photos``, ``vitcli predict runs/photos holiday``."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from vitcli.cli.shipped import OPTIONS, shipped
from vitcli.cli.words import about_folders, in_front, split_off, values
from vitcli.data import FolderData, UnlabelledData
from vitcli.data.layouts.guess import guess
from vitcli.errors import ConfigError
from vitcli.images.source.pattern import is_pattern
from vitcli.images.source.roots import as_one
from vitcli.names import at_home, first_of, is_url

ROOT = "--data.root"
# options that name what is scored or predicted with
NETS = ("--ckpt_path", "--weights")
# files of weights by their endings
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")


def with_options(verb: str, words: Sequence[str]) -> list[str]:
    """The words of a command line, in which each path at its front has got its option.

    fit takes the images, whose layout is looked at as ``vitcli check`` does, unless ``--data`` or a run's config says
    it; validate, test and predict take a checkpoint or a run, the images, or both in this order. predict takes several
    images, folders and archives, also behind ``--data.root``, as a shell makes them of a pattern.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.

    Raises:
        ConfigError: More paths than the verb takes, or something else in the place of a run.
        DataError: fit is given no folder, archive or table.
    """
    paths = in_front(words)
    rest = list(words[len(paths) :])
    options: list[str] = []
    left = list(paths)
    if verb != "fit" and left and _is_checkpoint(left[0]):
        options += ["--ckpt_path", left.pop(0)]
    elif verb != "fit" and left and (held := sorted(Path(at_home(left[0])).glob("*/checkpoints/*.ckpt"))):
        raise ConfigError(f"{left[0]}: holds runs, and is none; name one, such as {held[0].parent.parent}")
    elif verb != "fit" and not any(values(rest, option) for option in (*NETS, *OPTIONS)):
        _check_net(verb, left, rest)
    if verb == "predict":
        return [*options, *_with_images(left, rest)]
    if len(left) > 1:
        takes = "one path, of images" if verb == "fit" else "a checkpoint or a run, and then a path of images"
        raise ConfigError(
            f"{first_of(paths, between=' ')}: {verb} takes {takes}; everything else has a name, see vitcli {verb} -h"
        )
    for root in left:
        if verb == "fit" and not _names_a_run(rest) and not values(rest, "--data"):
            said = about_folders(rest)
            layout = guess(root, **said)
            if layout == UnlabelledData.__name__:
                # which says what there is in the place of class folders
                FolderData(at_home(root), **said).find_classes()
            options += ["--data", layout]
        options += [ROOT, root]
    return [*options, *rest]


def _check_net(verb: str, front: Sequence[str], rest: Sequence[str]) -> None:
    """Check the words where no run, checkpoint or weights are named in any other way.

    Raises:
        ConfigError: The first path is not there or a file of weights, or a run stands behind options.
    """
    behind = (
        word
        for before, word in itertools.pairwise(rest)
        if not word.startswith("-") and (not before.startswith("-") or "=" in before) and _is_checkpoint(word)
    )
    if not front and (run := next(behind, None)) is not None:
        raise ConfigError(f"{run}: stands behind options; put it first, as in vitcli {verb} {run}")
    # of more paths than a verb takes, it is said how many it takes
    is_too_many = verb != "predict" and len(front) > 2
    if not front or is_too_many or is_url(front[0]) or is_pattern(front[0]):
        return
    if not os.path.lexists(at_home(front[0])):
        raise ConfigError(f"{front[0]}: no such run or checkpoint; check the path (now in {Path.cwd()})")
    if (ending := Path(front[0]).suffix.lower()) == ".pt2":
        raise ConfigError(f"{front[0]}: is for torch.export.load; name the run that it was exported from, or an .onnx")
    if ending in WEIGHTS:
        raise ConfigError(f"{front[0]}: is no checkpoint of a run; other weights are named by --weights {front[0]}")


def begins_with(verb: str, words: Sequence[str]) -> Path | None:
    """The config of ``vitcli fit photos``, where nothing but overlays says which net is trained, and how.

    It is folder, or finetune beside weights of others. A net that a run of vitcli has trained goes on by its own rules.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.
    """
    checkpoint, weights = ((values(words, option) or ["null"])[-1] for option in ("--ckpt_path", "--weights"))
    if verb != "fit" or not in_front(words) or checkpoint != "null" or _names_a_run(words) or _is_checkpoint(weights):
        return None
    return shipped().get("folder" if weights == "null" else "finetune")


def _names_a_run(words: Sequence[str]) -> bool:
    """Whether a config is named that is no overlay, such as model/linformer, of another one."""
    overlays = {name: path for name, path in shipped().items() if "/" in name}
    named = [value or "" for _, value, _ in split_off(words, OPTIONS)[0]]
    return any(name not in overlays and Path(at_home(name)).resolve() not in overlays.values() for name in named)


def _with_images(front: list[str], rest: list[str]) -> list[str]:
    """The words of predict, in which all paths of images are one word behind ``--data.root``."""
    before, after = [], rest
    if not front and ROOT in rest:
        place = rest.index(ROOT)
        front = in_front(rest[place + 1 :])
        before, after = rest[:place], rest[place + 1 + len(front) :]
        if len(front) == 1 and not os.path.lexists(at_home(front[0])):
            # a pattern, or a list in YAML
            return rest
    if not front:
        return rest
    kind = [UnlabelledData.__name__, *values(rest, "--data")][-1]
    is_one = len(front) == 1 and kind.rpartition(".")[2] != UnlabelledData.__name__
    return [*before, ROOT, front[0] if is_one else as_one(front), *after]


def _is_checkpoint(word: str) -> bool:
    path = Path(at_home(word))
    is_run = path.is_dir() and (path.name == "checkpoints" or (path / "checkpoints").is_dir())
    return word in ("last", "best") or path.suffix == ".ckpt" or is_run
