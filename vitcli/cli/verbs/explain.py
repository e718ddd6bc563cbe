"""``vitcli explain``: where in pictures the answers of a net come from, as overlays, numbers and a table."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitcli.cli.exit import DONE, FINDINGS, ended
from vitcli.cli.plain_parser import PlainParser, truth
from vitcli.errors import ConfigError
from vitcli.names import at_home, counted, first_of, printable

if TYPE_CHECKING:
    from vitcli.explain.images import Told
    from vitcli.images.index.handed import Handed
    from vitcli.predictor import Predictor

# pictures, unless --most says otherwise: each has its own sheet, or with --check, curves by each method
MOST, CHECKED = 24, 50
PREDICTED = "predicted"
NAME = "explain"


def run(verb: str, words: Sequence[str]) -> int:
    """Write the maps.

    Args:
        verb: explain.
        words: The words after it.

    Returns:
        Exit code: 0, 2 for a mistake of the user's, told in one line, 3 where more than half of the images have no map.
    """
    return ended(verb, lambda: _explain(words))


def _explain(words: Sequence[str]) -> int:
    told = _parser().parse_args(list(words))
    run, roots = _run_and_roots(told)
    if told.most is None:
        told.most = CHECKED if told.check else MOST
    if told.most < 1:
        raise ConfigError(f"--most {told.most}: below 1; say how many pictures are explained at most")
    # here, because torch takes its time, and a mistake in the words is told at once
    from vitcli.explain.attention import layers_and_heads
    from vitcli.explain.folder import MapFolder, free, made
    from vitcli.explain.images import Subject, explained_images
    from vitcli.images.sorting.inside import is_inside
    from vitcli.predictor import Predictor

    methods = _methods(told.methods)
    if told.check and (told.layers or told.label != PREDICTED):
        raise ConfigError(f"--check: has no use for {'--layers' if told.layers else '--class'}; leave it out")
    listed, notices = _listed(roots, told.follow_links)
    chosen = _spread(listed, told.most)
    predictor = Predictor(run, device=told.device)
    label = _label(told.label, predictor.classes)
    layers = layers_and_heads(predictor.net) if told.layers else None
    out = Path(at_home(told.out)) if told.out else free(_beside(run))
    if is_inside(out, roots):
        raise ConfigError(f"--out {out}: is among the images, which would find the maps next time; name another folder")
    if told.check:
        print("\n".join(map(printable, [*notices, *_checked(predictor, listed, told.most, told.methods, out)])))
        return DONE
    subject = Subject(predictor.net, predictor.preprocess, predictor.classes, predictor.max_pixels)
    folder = MapFolder(made(out), subject, methods, layers)
    found = folder.write(explained_images(subject, chosen, methods, label, layers=told.layers), len(chosen))
    print("\n".join(map(printable, [*notices, *_lines(found, len(listed), out, methods)])))
    return FINDINGS if 2 * sum(not one.label for one in found) > len(found) else DONE


def _checked(predictor: Predictor, listed: Sequence[Handed], most: int, methods: str | None, out: Path) -> list[str]:
    """Whether the maps are true, of all methods unless some are named, as lines."""
    from vitcli.explain.check.images import sample
    from vitcli.explain.check.lines import lines
    from vitcli.explain.check.run import check
    from vitcli.explain.check.write import write
    from vitcli.explain.folder import made

    images = sample(listed, most, 0, predictor.preprocess, predictor.max_pixels)
    folder = made(out)
    checked = check(predictor.net, predictor.preprocess, predictor.classes, images, _methods(methods or "all"))
    return [*lines(checked), f"check: {write(checked, folder)} (and deletion.png, insertion.png)"]


def _lines(found: Sequence[Told], listed: int, out: Path, methods: Sequence[str]) -> list[str]:
    failed = [one.row for one in found if not one.label]
    of = "" if len(found) == listed else f" of {listed:,}, evenly spread (--most {listed} takes all)"
    lines = [f"maps: {out} (maps.csv, maps.npz, {', '.join(methods)})", f"{counted(len(found), 'image')}{of}"]
    if failed:
        lines[-1] += (
            f", {len(failed)} of them without a map (status=error), such as {failed[0].path}: {failed[0].error}"
        )
    return lines


def _run_and_roots(told: argparse.Namespace) -> tuple[str, tuple[str, ...]]:
    from vitcli.images.source.roots import roots_of

    paths = list(told.paths)
    run = told.ckpt_path or (paths.pop(0) if paths else None)
    if run is None:
        raise ConfigError("--ckpt_path is missing: name a run's folder, a checkpoint or a file of weights")
    roots = roots_of([*paths, *(told.root or ())])
    if not roots:
        raise ConfigError("--data.root is missing: name a folder of images, an archive, a pattern, or images")
    return at_home(run), roots


def _methods(typed: str | None) -> tuple[str, ...]:
    from vitcli.explain.methods import METHODS, SHOWN

    if typed is None:
        return SHOWN
    if typed == "all":
        return tuple(METHODS)
    names = tuple(dict.fromkeys(name.strip() for name in typed.split(",") if name.strip()))
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ConfigError(f"--methods {unknown[0] if unknown else typed}: is none; say all, or {', '.join(METHODS)}")
    return names


def _listed(roots: Sequence[str], follow_links: bool) -> tuple[list[Handed], list[str]]:
    """Every image that is meant, named as predict names it, and what is to be told of them."""
    from vitcli.images.index.handed import Handed
    from vitcli.images.index.unlabelled import Unlabelled

    files = Unlabelled(roots, follow_links)
    source, index = files.found()
    return [Handed(path, path, source) for path in index.paths.take(index.order)], files.notices


def _spread(listed: Sequence[Handed], most: int) -> list[Handed]:
    """As many as are wanted, evenly spread, so that folders of classes have a share each."""
    if len(listed) <= most:
        return list(listed)
    return [listed[number * len(listed) // most] for number in range(most)]


def _label(typed: str, classes: Sequence[str]) -> str:
    """The name of the class that is explained; empty for the predicted one."""
    if typed in classes:
        return typed
    if typed == PREDICTED:
        return ""
    if typed.isascii() and typed.isdigit() and int(typed) < len(classes):
        return classes[int(typed)]
    near = difflib.get_close_matches(typed, classes, n=1, cutoff=0.7)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"--class {typed}: the net has no such class; {meant}There are {first_of(classes)}, their numbers from 0 on, "
        f"and {PREDICTED}"
    )


def _beside(run: str) -> Path:
    """Where maps go: into the run's folder, or here where they are of no run."""
    from vitcli.run import run_of

    path = Path(run)
    if not path.exists():
        return Path(NAME)
    own = run_of(path / "checkpoints" / "best.ckpt" if path.is_dir() else path)
    return Path(NAME) if own is None else own.folder / NAME


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli explain", add_help=False, allow_abbrev=False)
    parser.add_argument("paths", nargs="*", metavar="RUN IMAGES")
    parser.add_argument("--ckpt_path")
    parser.add_argument("--data.root", dest="root", nargs="+", action="extend")
    parser.add_argument("--data.follow_links", dest="follow_links", type=truth, default=False)
    parser.add_argument("--out")
    parser.add_argument("--methods")
    parser.add_argument("--class", dest="label", default=PREDICTED)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--most", type=int)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--device")
    return parser
