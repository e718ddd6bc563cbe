"""metrics.csv: the curves of a run, a column per metric, a row per step at which something was logged."""

from __future__ import annotations

import csv
import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from vitcli.machine.atomic import replacing
from vitcli.names import printable
from vitcli.train.output.bar import say

FIRST = ("step", "epoch")


@final
class MetricsCsv(Logger):
    """``metrics.csv``, written as it goes and continued when the run is resumed.

    Lightning's CSVLogger deletes what it finds; this one keeps the rows that were there when the checkpoint was
    written, so that the file is the curve of the weights that the run ends with.

    Args:
        path: The file.
    """

    uploads = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = list(FIRST)
        self._rows: list[dict[str, str]] = []
        # why the file lacks rows, which are written as soon as they can be; empty while it has them all
        self.lacks_rows = ""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """Nothing: a run has one folder."""
        return ""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @rank_zero_only
    def continue_from(self, rows: int | None, step: int) -> None:
        """Keep the rows of an earlier part of the run.

        Args:
            rows: How many there were when the checkpoint was written; None: it does not say.
            step: Its optimizer step; without a number of rows, those that were logged before it are kept.
        """
        if not self.path.is_file():
            return
        # a loss of power may leave part of a row, and zeros for what did not reach the disk
        content = self.path.read_bytes().partition(b"\0")[0]
        text = content[: content.rfind(b"\n") + 1].decode("utf-8", "replace")
        columns, *found = list(csv.reader(io.StringIO(text, newline=""))) or [list(FIRST)]
        self._columns = columns
        whole = [dict(zip(columns, row, strict=True)) for row in found if len(row) == len(columns)]
        whole = [row for row in whole if row.get("step", "").isdecimal()]
        self._rows = [row for row in whole if int(row["step"]) < step] if rows is None else whole[:rows]
        self._rewrite()

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write a row, unless it is the one before once more."""
        row = {key: f"{value:.7g}" for key, value in metrics.items() if key != "epoch"}
        row["step"] = str(step or 0)
        row["epoch"] = f"{metrics['epoch']:.0f}" if "epoch" in metrics else ""
        if self._rows and row == {key: value for key, value in self._rows[-1].items() if value or key in row}:
            return
        new = [key for key in row if key not in self._columns]
        self._columns += new
        self._rows.append(row)
        try:
            if new or self.lacks_rows or not self.path.is_file():
                self._rewrite()
            else:
                with self.path.open("a", encoding="utf-8", newline="") as file:
                    self._writer(file).writerow(row)
            self.lacks_rows = ""
        except OSError as error:
            # a full disk ends no training; there may be half a row now
            if not self.lacks_rows:
                told = f"{self.path}: cannot be written: {error.strerror}; training goes on, and tries again"
                say(printable(told), sys.stderr)
            self.lacks_rows = error.strerror or str(error)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Try once more what could not be written."""
        if self.lacks_rows:
            with suppress(OSError):
                self._rewrite()
                self.lacks_rows = ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config lies beside the file."""

    def _rewrite(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(self._rows)
            file.flush()

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")
