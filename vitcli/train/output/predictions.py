"""PredictionWriter: the table of predict, test and validate, with the rows of all processes, which no kill can lose."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from lightning.pytorch.callbacks import Callback

from vitcli.answers.asked import Tta
from vitcli.errors import ConfigError
from vitcli.images.sorting.place import By
from vitcli.names import at_home, printable
from vitcli.predictions.images import Images
from vitcli.predictions.options import Probabilities, TableOptions
from vitcli.predictions.sorting import Sorting
from vitcli.predictions.told import has_too_many_errors
from vitcli.predictions.unfinished import Unfinished
from vitcli.table.columns import FEATURES
from vitcli.table.join import Joined
from vitcli.table.work import Work, find
from vitcli.train.output.bar import say
from vitcli.train.output.depends import depends_on, roots_of
from vitcli.train.output.entries import entries, numbers
from vitcli.train.output.recount import LOGITS, recount
from vitcli.train.sharding.local import is_split

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.data.batches.datamodule import Split
    from vitcli.train.classifier import Classifier

Plain = dict[str, Any]

SPLIT_OF: dict[str, Split] = {"validate": "val", "test": "test", "predict": "predict"}


@final
class PredictionWriter(Callback):
    """The table of predict, test and validate: one row per file found, in natural order, each exactly once.

    Rows are on the disk as batches come, in a folder beside the table. The same command, started again after it was
    stopped or killed, goes on behind the last batch. A table that was there before is kept under another name.

    Args:
        path: Where the table goes: a file that ends in .csv, .jsonl or .parquet; by default into the run's folder.
        escape_formulas: Whether a cell of CSV that a spreadsheet would take for a formula begins with an apostrophe,
            which read_rows takes away again.
        probabilities: all (one for each class), top (of the best classes only, with the label's probability and rank),
            or auto: all of up to 100 classes.
        top_k: How many of the best classes; null: 5.
        features: Whether the pooled features are written too: a column of Parquet, else a .npy beside the table.
        max_errors: The largest share of rows without a prediction, in [0, 1]; with more, the exit code is 3.
        threshold: Of two classes, the probability from which on the second one is predicted, by predict.
        temperature: By which predict divides the logits: a number, or auto for the one that was fitted on val.
        tta: flip answers with the mean of the probabilities of each image and of its mirror image.
        sort_into: A folder into whose folders, one for each class, predict puts the images; null: none.
        sort_by: link (symbolic, with the whole path) or copy; an image inside of an archive is always written out.
        unsure_below: Images of less confidence go into the folder ``unsure``.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        path: str | None = None,
        escape_formulas: bool = False,
        probabilities: Probabilities = "auto",
        top_k: int | None = None,
        features: bool = False,
        max_errors: float = 0.5,
        threshold: float | None = None,
        temperature: float | Literal["auto"] = 1.0,
        tta: Tta = "none",
        sort_into: str | None = None,
        sort_by: By = "link",
        unsure_below: float | None = None,
    ) -> None:
        if not 0 <= max_errors <= 1:
            raise ConfigError(f"predictions.max_errors {max_errors}: outside [0, 1]; give a share such as 0.5")
        self.path = path
        self.max_errors = max_errors
        self.options = TableOptions(
            escape_formulas=escape_formulas,
            probabilities=probabilities,
            top_k=top_k,
            features=features,
            threshold=threshold,
            temperature=temperature,
            tta=tta,
        )
        self.sorting = Sorting(None if sort_into is None else Path(at_home(sort_into)), sort_by, unsure_below)
        self.sorted: list[str] = []
        # the folder of the run, in which the same command goes on
        self.run = ""
        self.joined: Joined | None = None
        self._depends: dict[str, Plain] = {}
        self._on: Plain = {}
        self._unfinished: Unfinished | None = None

    @property
    def table(self) -> Path:
        """Where the table goes."""
        if self.path is None:
            raise RuntimeError("the table has no path yet")
        return Path(self.path)

    @property
    def has_too_many_errors(self) -> bool:
        """Whether more rows than ``max_errors`` allows have no prediction, once the table is written."""
        return self.joined is not None and has_too_many_errors(self.joined, self.max_errors)

    def begun(self, table: Path, trainer: pl.Trainer, model: Classifier, data: ImageData, verb: str) -> Work | None:
        """What earlier starts of the same command have left of a table; None if there is nothing.

        Args:
            table: Where it would be.
            trainer: The trainer.
            model: The net, with its weights.
            data: The images, found.
            verb: validate, test or predict.
        """
        if not is_whole(trainer, verb):
            return None
        found = find(table, self.depends(table, trainer, model, data, verb))
        return None if found.is_new else found.same

    def check_sorting(self, trainer: pl.Trainer, model: Classifier, data: ImageData) -> None:
        """Check that the images of predict can be sorted, where that is wished.

        Raises:
            ConfigError: They cannot.
        """
        if self.sorting.into is not None:
            on = self.depends(self.table, trainer, model, data, "predict")
            self.sorting.check(roots_of(data), data.listing("predict"), on)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Look for rows that are kept, before the images that are left to do are dealt out."""
        self._unfinished, self.joined, self.sorted = None, None, []
        if stage not in SPLIT_OF:
            return
        model: Classifier = pl_module  # type: ignore[assignment]
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        split, classes = SPLIT_OF[stage], model.classes
        # only the first process knows the run and its folder, where several were started at once
        self.path, self.options = trainer.strategy.broadcast((self.path, self.options))
        widths = {FEATURES: model.net.pooled_width} if self.options.features else {}
        # scores count the images of earlier starts too
        widths |= {LOGITS: len(classes)} if stage != "predict" else {}
        unfinished = Unfinished(
            self.table,
            self.options.columns(classes),
            widths,
            Images(data.listing(split), classes),
            is_whole=is_whole(trainer, stage),
        )
        kept = b"", 0
        if is_split(model.net.head.weight):
            # all processes gather the weights
            self.depends(self.table, trainer, model, data, stage)
        if trainer.is_global_zero:
            on = self.depends(self.table, trainer, model, data, stage)
            self._depends.pop(stage, None)
            self._on = on
            for line in unfinished.look(on):
                say(printable(line), sys.stdout)
            kept = unfinished.kept.done(), unfinished.kept.largest
        done, largest = trainer.strategy.broadcast(kept)
        data.done[split] = np.frombuffer(done, dtype=np.bool_)
        # a compiled net fills every batch up to the largest so far
        model.largest_batch = max(model.largest_batch, largest)
        model.asked = self.options.asked(stage)
        self._unfinished = unfinished

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's journal."""
        self._begin(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's journal."""
        self._begin(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's journal, unless it is fit that validates."""
        self._begin(trainer)

    def on_test_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Count kept rows in the scores of the test, before its first batch."""
        self._recount(trainer, pl_module, batch_idx, "test")

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Count kept rows in the scores of validate, before its first batch."""
        self._recount(trainer, pl_module, batch_idx, "val")

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Write a batch of predict."""
        self._write(trainer, "predict", outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Write a batch of test."""
        self._write(trainer, "test", outputs, batch)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Write a batch of validate."""
        self._write(trainer, "val", outputs, batch)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the journals."""
        self._finish(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the journals."""
        self._finish(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the journals, unless it is fit that validates."""
        self._finish(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keep what was written so far."""
        unfinished, self._unfinished = self._unfinished, None
        if unfinished is None:
            return
        # the trainer may be used again, for a fit that validates on all images
        trainer.datamodule.done.clear()  # type: ignore[attr-defined]
        if unfinished.abandon() and trainer.is_global_zero:
            where = unfinished.work.folder
            say(printable(f"rows so far are kept in {where}; the same command goes on with them"), sys.stderr)

    def depends(self, table: Path, trainer: pl.Trainer, model: Classifier, data: ImageData, verb: str) -> Plain:
        """What a table depends on, in plain values; the weights are looked at once, before the verb begins.

        Args:
            table: Its path.
            trainer: The trainer.
            model: The net, with its weights.
            data: The images, found.
            verb: validate, test or predict.
        """
        if verb not in self._depends:
            self._depends[verb] = depends_on(trainer, model, data, SPLIT_OF[verb])
        told: Plain = json.loads(json.dumps(self._depends[verb] | self.options.plan(table, model.classes, verb)))
        return told

    def _begin(self, trainer: pl.Trainer) -> None:
        unfinished = self._unfinished
        if unfinished is None:
            return
        begun = unfinished.begin(self.run) if trainer.is_global_zero else (Path(), 0, "")
        unfinished.open(trainer.global_rank, *trainer.strategy.broadcast(begun))

    def _recount(self, trainer: pl.Trainer, model: Classifier, batch: int, split: Split) -> None:
        if self._unfinished is not None and batch == 0 and trainer.is_global_zero:
            data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
            recount(model, split, self._unfinished.kept, data.listing(split).labels, data.batch_size)

    def _write(self, trainer: pl.Trainer, split: Split, answers: Any, batch: Any) -> None:
        if self._unfinished is None:
            return
        listing = trainer.datamodule.listing(split)  # type: ignore[attr-defined]
        threshold = self.options.threshold if split == "predict" else None
        found = entries(batch, answers, listing, self._unfinished.columns, threshold)
        wanted = {name: answers[name] for name in self._unfinished.widths}
        self._unfinished.write(found, numbers(batch, found, wanted))

    def _finish(self, trainer: pl.Trainer) -> None:
        unfinished = self._unfinished
        if unfinished is None:
            return
        unfinished.close()
        trainer.strategy.barrier("rows written")
        if trainer.is_global_zero:
            self.joined = unfinished.join(escape_formulas=self.options.escape_formulas)
            if trainer.state.fn == "predict":
                listing = trainer.datamodule.listing("predict")  # type: ignore[attr-defined]
                self.sorted = self.sorting.sort(unfinished.table, listing, unfinished.columns.classes, self._on)
        trainer.strategy.barrier("rows joined")
        self._unfinished = None
        trainer.datamodule.done.clear()  # type: ignore[attr-defined]


def is_whole(trainer: pl.Trainer, verb: str) -> bool:
    """Whether all images are to be predicted, and not some batches only to try something."""
    limit: Any = getattr(trainer, f"limit_{SPLIT_OF[verb]}_batches")
    # 1 is one batch
    return isinstance(limit, float) and limit == 1.0
