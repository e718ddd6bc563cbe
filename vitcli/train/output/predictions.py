"""PredictionWriter: the table of predict and test, with the rows of all processes."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Callback
from torch import Tensor

from vitcli.errors import ConfigError
from vitcli.table.parts import Merged, PartWriter, merge
from vitcli.table.row import Row

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import Batch, Listing

NO_NUMBER = "the net's output is not a number; its weights are damaged, or the training has diverged"


@final
class PredictionWriter(Callback):
    """The table of predict, and of test: one row per file found, in natural order, each exactly once.

    Rows are written as batches come, so that memory does not grow with the folder; every process writes a part,
    and the parts are joined when all are done. A table that was there before is kept under another name.

    Args:
        path: Where the table goes; by default into the run's folder.
        escape_formulas: Whether a cell that a spreadsheet would take for a formula begins with an apostrophe, which
            read_rows takes away again.
    """

    def __init__(self, path: str | None = None, escape_formulas: bool = False) -> None:
        self.path = path
        self.escape_formulas = escape_formulas
        self.merged: Merged | None = None
        self._part: PartWriter | None = None

    @property
    def table(self) -> Path:
        """Where the table goes."""
        if self.path is None:
            raise RuntimeError("the table has no path yet")
        return Path(self.path)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's part."""
        self._open(trainer, pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's part."""
        self._open(trainer, pl_module)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Write a batch of predict."""
        self._write(trainer.datamodule.listing("predict"), pl_module.classes, outputs, batch)  # type: ignore[attr-defined]

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Write a batch of test."""
        self._write(trainer.datamodule.listing("test"), pl_module.classes, outputs, batch)  # type: ignore[attr-defined]

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the parts."""
        self._finish(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the parts."""
        self._finish(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keep what was written so far, under the part's name."""
        if self._part is not None:
            self._part.close()

    def _open(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # only the first process knows the run's folder, where several were started at once
        self.path = trainer.strategy.broadcast(self.path)
        self._part = PartWriter(
            self._part_path(trainer.global_rank), pl_module.classes, escape_formulas=self.escape_formulas
        )

    def _part_path(self, rank: int) -> Path:
        return self.table.with_name(f"{self.table.name}.part-{rank}")

    def _write(self, listing: Listing, classes: tuple[str, ...], outputs: Tensor, batch: Batch) -> None:
        part = self._part
        assert part is not None
        rows = dict(self._errors(listing, classes, batch)) | dict(self._images(listing, classes, outputs, batch))
        for index in sorted(rows):
            part.write(index, rows[index])
        part.flush()

    def _images(self, listing: Listing, classes: tuple[str, ...], outputs: Tensor, batch: Batch) -> Any:
        positions, sizes = batch["index"].tolist(), batch["size"].tolist()
        for index, (height, width), probabilities in zip(positions, sizes, outputs.tolist(), strict=True):
            known = Row(listing.paths[index], _label(listing, classes, index), width=width, height=height)
            if not all(map(math.isfinite, probabilities)):
                yield index, replace(known, status="error", error=NO_NUMBER)
                continue
            confidence = max(probabilities)
            yield (
                index,
                replace(
                    known,
                    predicted=classes[probabilities.index(confidence)],
                    confidence=confidence,
                    probabilities=tuple(probabilities),
                ),
            )

    def _errors(self, listing: Listing, classes: tuple[str, ...], batch: Batch) -> Any:
        for index, reason in batch["errors"]:
            label = _label(listing, classes, index)
            yield index, Row(path=listing.paths[index], label=label, status="error", error=reason)

    def _finish(self, trainer: pl.Trainer) -> None:
        assert self._part is not None
        self._part.close()
        trainer.strategy.barrier("parts written")
        if trainer.is_global_zero:
            self.merged = merge([self._part_path(rank) for rank in range(trainer.world_size)], self.table)
        trainer.strategy.barrier("parts joined")


def _label(listing: Listing, classes: tuple[str, ...], index: int) -> str:
    label = listing.labels[index]
    return classes[label] if label >= 0 else ""


def check_table(path: str) -> None:
    """Check that a table can be written at a path, before anything is predicted for it.

    Raises:
        ConfigError: It is a folder, asks for another format, or lies where nothing can be written.
    """
    table = Path(path)
    if table.is_dir():
        raise ConfigError(
            f"predictions.path {path}: is a folder; name a file in it, such as {table / 'predictions.csv'}"
        )
    if table.suffix not in ("", ".csv"):
        raise ConfigError(f"predictions.path {path}: tables are written as CSV; let the name end in .csv")
    parent = next(folder for folder in table.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"predictions.path {path}: nothing can be written in {parent}; name another place")
