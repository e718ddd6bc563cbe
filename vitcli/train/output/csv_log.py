"""metrics.csv: the curves of a run, a column per metric, a row per step at which something was logged."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

FIRST = ("step", "epoch")


@final
class MetricsCsv(Logger):
    """``metrics.csv``, written as it goes and continued when the run is resumed.

    Lightning's CSVLogger deletes what it finds; this one keeps the rows up to the step at which the run goes
    on, so that the file is the curve of the weights that the run ends with.

    Args:
        path: The file.
    """

    uploads = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._columns: list[str] = list(FIRST)
        self._rows: list[dict[str, str]] = []

    @property
    def name(self) -> str:
        """The run's name."""
        return self._path.parent.name

    @property
    def version(self) -> str:
        """Nothing: a run has one folder."""
        return ""

    @rank_zero_only
    def continue_from(self, step: int) -> None:
        """Keep the rows of an earlier part of the run, up to and with an optimizer step."""
        if not self._path.is_file():
            return
        with self._path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            self._columns = list(reader.fieldnames or FIRST)
            self._rows = [row for row in reader if int(row["step"]) <= step]
        self._rewrite()

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write a row."""
        row = {key: f"{value:.7g}" for key, value in metrics.items() if key != "epoch"}
        row["step"] = str(step or 0)
        row["epoch"] = f"{metrics['epoch']:.0f}" if "epoch" in metrics else ""
        new = [key for key in row if key not in self._columns]
        self._columns += new
        self._rows.append(row)
        if new or not self._path.is_file():
            self._rewrite()
        else:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                self._writer(file).writerow(row)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config lies beside the file."""

    def _rewrite(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(self._rows)
        unfinished.replace(self._path)

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")
