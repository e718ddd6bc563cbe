"""Origin of a table: which file a run's folder means, what the run was trained on, and the temperature it keeps."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vitcli.errors import DataError
from vitcli.evaluate.as_json import from_json
from vitcli.machine.bounded_json import read_json
from vitcli.names import quoted
from vitcli.run import Run
from vitcli.table.formats import FORMATS

SPLITS = ("test", "val")
VERBS = {"test": "test", "val": "validate"}


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """A table, and the run that it belongs to.

    Args:
        table: The file.
        split: ``test`` or ``val``; empty for a table of predict, or of another tool.
        run: The run; None for a table that lies elsewhere.
    """

    table: Path
    split: str = ""
    run: Run | None = None


def find_origin(typed: str, split: str | None = None) -> Origin:
    """The table that a run's folder, or a path, means.

    Args:
        typed: The folder of a run, or a table.
        split: ``test`` or ``val``; None takes the table of the test if there is one, else that of val.

    Raises:
        DataError: There is no such folder or file, it is no run, or the run has no such table.
    """
    path = Path(typed)
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{typed}: no such run or table; name the folder of a run, or a table of predictions")
        run = Run(path.parent) if is_run(path.parent) else None
        named = [known for known in SPLITS if path.name.startswith(f"predictions.{known}.")] if run else []
        if named and split and split != named[0]:
            raise DataError(
                f"--split {split}: {typed} is the table of {named[0]}; leave it out, or name the run's folder"
            )
        return Origin(path, named[0] if named else "", run)
    run = Run(path)
    for wanted in (split,) if split else SPLITS:
        for ending in FORMATS:
            if (table := run.predictions(wanted).with_suffix(ending)).is_file():
                return Origin(table, wanted, run)
    if not is_run(path):
        raise DataError(f"{typed}: is no run, for it holds no config.yaml; name the folder of a run, or a table")
    missing = f"predictions.{split}.csv" if split else "predictions.test.csv and no predictions.val.csv"
    raise DataError(f"{typed}: has no {missing}; write one by vitcli {VERBS[split or 'test']} {quoted(typed)}")


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / "config.yaml").is_file() or (folder / "checkpoints").is_dir()


def trained_on(origin: Origin) -> frozenset[str]:
    """Paths of the images that the run was trained on; none if the table is of other images than the run's own."""
    run = origin.run
    if run is None or _data_of(run.config(VERBS.get(origin.split, "predict"))) not in (
        None,
        _data_of(run.config("fit")),
    ):
        return frozenset()
    try:
        with run.division.open(encoding="utf-8", errors="backslashreplace", newline="") as lines:
            return frozenset(row["path"] for row in csv.DictReader(lines) if row.get("split") == "train")
    except (OSError, KeyError, csv.Error):
        return frozenset()


def kept_temperature(run: Run) -> float | None:
    """The temperature that a run keeps with the numbers of its val images; None if it keeps none."""
    try:
        told = read_json(run.scores("val"))
        known = from_json(told.get("evaluation", told)).calibrated
    except (OSError, ValueError, LookupError, TypeError, AttributeError, DataError):
        return None
    return None if known is None else known.temperature


def _data_of(config: Path) -> Any:
    """The images that a config names; None where there is no config, or none that can be read."""
    # a twentieth of a second, which only a table of a run needs
    import yaml

    from vitcli.machine.bounded_yaml import read_yaml

    try:
        told = read_yaml(config)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return told.get("data") if isinstance(told, Mapping) else None
