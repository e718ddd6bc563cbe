"""Material: all that a report is made from, read from the files of a run, or from a table alone."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import yaml

from vitcli.about import About
from vitcli.errors import DataError, UserError
from vitcli.evaluate.origin import VERBS, Origin, trained_on
from vitcli.evaluate.scored import Scored
from vitcli.machine.bounded_json import read_json
from vitcli.machine.bounded_yaml import read_yaml
from vitcli.names import resolved
from vitcli.report.curves import Curves, read_curves
from vitcli.report.pictures import Open, beside, is_there, lying_in, pictures_of, section
from vitcli.run import Run

PARTS = ("train", "val", "test")
# pictures of a table of which one at least has to lie where they are said to
TRIED = 50


@final
@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image that fit left out.

    Args:
        split: Train or val.
        path: Below the root.
        reason: Why.
    """

    split: str
    path: str
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made from; whatever is missing is left out of the page.

    Args:
        origin: Table, split and run.
        scored: The table.
        curves: Of the training.
        config: Of the run; empty where there is none.
        config_text: The file.
        about: What the training told of itself.
        left_out: Images that fit left out.
        divided: Images of each split of the run.
        trained_on: Paths of the images of train, where the table is of the run's own images.
        checked: What ``vitcli check`` found in the images: kind and words of each finding.
        samples: PNG: training images as the net sees them.
        opens: The pictures of the table; None where they are gone.
    """

    origin: Origin
    scored: Scored
    curves: Curves | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    config_text: str = ""
    about: About | None = None
    left_out: tuple[LeftOut, ...] = ()
    divided: Mapping[str, int] = field(default_factory=dict)
    trained_on: frozenset[str] = frozenset()
    checked: tuple[tuple[str, str], ...] = ()
    samples: Path | None = None
    opens: Open | None = None


def name_of(origin: Origin) -> str:
    """What a page calls a table: the run's name, or the table's with its folder."""
    return origin.run.name if origin.run is not None else "/".join(origin.table.absolute().parts[-2:])


def gather(origin: Origin, scored: Scored, *, images: str | None = None) -> Material:
    """What the files of a run tell.

    Args:
        origin: Table, split and run.
        scored: The table.
        images: Folder or archive of the pictures, where they no longer lie where they were.

    Raises:
        DataError: ``images`` is no folder or archive, or holds none of the pictures.
    """
    opens = _named(images, scored, origin.table) if images is not None else None
    run = origin.run
    if run is None:
        return Material(origin, scored, opens=opens or beside(origin.table))
    config, text = read_config(run.config("fit"))
    about = About.read(run.about)
    # another command may have had other images
    own = read_config(run.config(VERBS.get(origin.split, "predict")))[0] or config
    if opens is None:
        same = own.get("data") == config.get("data")
        opens = pictures_of(own, about.images if about is not None and same else "")
    counts = Counter(split for _, split, _ in _rows(run.division, ("path", "split", "digest")))
    return Material(
        origin=origin,
        scored=scored,
        curves=read_curves(run.metrics, config),
        config=config,
        config_text=text,
        about=about,
        left_out=_left_out(run.left_out),
        divided={split: counts[split] for split in PARTS if split in counts},
        trained_on=trained_on(origin),
        checked=_checked(run, str(section(section(config, "data"), "init_args").get("root") or "")),
        samples=run.samples if run.samples.is_file() else None,
        opens=opens,
    )


def _named(images: str, scored: Scored, table: Path) -> Open:
    try:
        opens = lying_in(images)
    except UserError as error:
        raise DataError(f"--images {str(error).removeprefix('data.root ')}") from error
    tried = scored.paths[:TRIED]
    if tried and not any(is_there(opens, path) for path in tried):
        raise DataError(
            f"--images {images}: holds none of the pictures of {table}, such as {tried[0]}; name the folder from which "
            "their paths count"
        )
    return opens


def read_config(file: Path) -> tuple[Mapping[str, Any], str]:
    """A config and its text; both empty where there is none, or it is damaged."""
    try:
        config = read_yaml(file)
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}, ""
    return (config, text) if isinstance(config, Mapping) else ({}, text)


def _left_out(file: Path) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(*row) for row in _rows(file, ("split", "path", "reason")))


def _rows(file: Path, heading: tuple[str, ...]) -> list[list[str]]:
    try:
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            rows = csv.reader(lines)
            if tuple(next(rows, ())) != heading:
                return []
            return [row for row in rows if len(row) == len(heading)]
    except (OSError, csv.Error):
        return []


def _checked(run: Run, root: str) -> tuple[tuple[str, str], ...]:
    """What ``vitcli check`` has written beside the run about the same images."""
    file = run.folder.parent / f"check-{Path(root).stem}" / "check.json"
    try:
        told = read_json(file)
        if not root or resolved(str(told["root"])) != resolved(root):
            return ()
        return tuple((str(one["kind"]), str(one["what"])) for one in [*told["findings"], *told["notes"]])
    except (OSError, ValueError, LookupError, TypeError):
        return ()
