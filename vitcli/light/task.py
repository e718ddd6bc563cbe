"""A task of predict for an exported net, from words of the command line to the table and the sorted images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from vitcli.errors import ConfigError
from vitcli.images.index.quarantine import read_quarantine
from vitcli.light.images import FOLDERS, Found, labelled, unlabelled
from vitcli.light.model import OnnxModel
from vitcli.light.table import LightTable
from vitcli.machine.threads import cores
from vitcli.names import at_home, counted, first_of
from vitcli.predictions.images import depends_on_images
from vitcli.predictions.options import TableOptions, check_table
from vitcli.predictions.sorting import Sorting
from vitcli.predictions.told import has_too_many_errors, table_lines
from vitcli.predictions.unfinished_run import unfinished_run
from vitcli.run import Run, claim
from vitcli.table.work import Work, find

# so many classes are named in a line
SHOWN = 8


@final
@dataclass(frozen=True)
class Task:
    """What is to be predicted, by what, and where the table goes.

    Args:
        model: The file of the exported net.
        roots: Where the images are.
        kind: UnlabelledData or FolderData.
        options: What the table holds; its threshold None: the model's own.
        sorting: Where the images go.
        max_errors: The largest share of rows without a prediction, in [0, 1].
        path: Of the table; None: into the folder of a run.
        run_name: Name of that folder; None: the model's.
        run_dir: Folder that holds the runs.
        batch_size: Images that go through the net at once.
        threads: How many decode; 0: as many as there are cores.
        max_pixels: Larger images are not decoded.
        follow_links: Whether links are followed.
        quarantine: A list of images that are left out.

    Raises:
        ConfigError: A number out of range.
    """

    model: str
    roots: tuple[str, ...]
    kind: str
    options: TableOptions
    sorting: Sorting
    max_errors: float
    path: str | None
    run_name: str | None
    run_dir: str
    batch_size: int
    threads: int
    max_pixels: int
    follow_links: bool
    quarantine: str | None

    def __post_init__(self) -> None:
        if not 0 <= self.max_errors <= 1:
            raise ConfigError(f"predictions.max_errors {self.max_errors}: outside [0, 1]; give a share such as 0.5")
        if self.batch_size < 1:
            raise ConfigError(f"data.batch_size {self.batch_size}: below 1; a batch holds at least one image")
        if self.threads < 0:
            raise ConfigError(f"data.num_workers {self.threads}: below 0; 0 decodes with a thread for each core")
        if self.max_pixels < 1:
            raise ConfigError(f"data.max_pixels {self.max_pixels}: below 1; 100000000 is usual")

    def do(self, tell: Callable[[Sequence[str]], None]) -> bool:
        """Predict.

        Args:
            tell: Is given what the user should know, a line each.

        Returns:
            Whether there are too many images without a prediction.

        Raises:
            UserError: Something that was typed cannot be done.
        """
        model = OnnxModel(self.model)
        classes, contract = model.contract.classes, model.contract
        own = self.options.threshold if self.options.threshold is not None else contract.threshold
        options = replace(self.options, threshold=own)
        try:
            options.asked("predict").check(classes)
        except ConfigError as error:
            raise ConfigError(f"predictions.{error}") from error
        quarantined = frozenset() if self.quarantine is None else read_quarantine(at_home(self.quarantine))
        found = self._found(classes, quarantined)
        listing = found.listing
        table = LightTable(
            model,
            listing,
            options,
            batch_size=self.batch_size,
            threads=self.threads or cores(),
            max_pixels=self.max_pixels,
            images=depends_on_images(listing, self.roots, (self.kind, "predict"), quarantined, self.max_pixels),
        )
        if self.path is not None:
            check_table(self.path, escape_formulas=options.escape_formulas)
        run = None if self.path is not None else self._run(table)
        path = Path(self.path or "") if run is None else run.predictions("predict")
        try:
            check_table(str(path), escape_formulas=options.escape_formulas)
            on = table.depends(path)
            self.sorting.check(self.roots, listing, on)
        except BaseException:
            if run is not None and not any(run.folder.iterdir()):
                run.folder.rmdir()
            raise
        names = ", ".join(classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
        size, quantize = contract.preprocess.size, contract.quantize
        stored = "" if quantize == "none" else f", {quantize}"
        told = [
            f"model: {self.model}, {size[0]} x {size[1]} pixels{stored}; onnxruntime {model.runtime}",
            f"data: {counted(len(listing), 'image')}; {len(classes)} classes: {names}",
            *found.notices,
        ]
        if own is not None:
            told.append(f"predictions.threshold {own:g}: {classes[1]} from this probability on")
        if options.tta == "flip":
            told.append("predictions.tta flip: each answer is the mean of those to an image and to its mirror image")
        tell(told)
        joined = table.write(path, "" if run is None else str(run.folder.absolute()), tell)
        tell(table_lines(path, joined, self.sorting.sort(path, listing, classes, on), self.max_errors))
        return has_too_many_errors(joined, self.max_errors)

    def _found(self, classes: tuple[str, ...], quarantined: frozenset[str]) -> Found:
        if self.kind == FOLDERS:
            if len(self.roots) != 1:
                raise ConfigError(
                    f"data.root {first_of(self.roots, between=' ')}: FolderData takes one path; only UnlabelledData "
                    "takes several"
                )
            return labelled(
                self.roots[0],
                classes,
                follow_links=self.follow_links,
                max_pixels=self.max_pixels,
                quarantined=quarantined,
            )
        return unlabelled(
            self.roots, follow_links=self.follow_links, max_pixels=self.max_pixels, quarantined=quarantined
        )

    def _run(self, table: LightTable) -> Run:
        """The folder in which the same command has left a table unfinished; else a new one."""
        parent, name = Path(self.run_dir), self.run_name or Path(self.model).stem

        def begun(path: Path) -> Work | None:
            work = find(path, table.depends(path))
            return None if work.is_new else work.same

        return unfinished_run(parent, name, "predict", None, begun) or claim(parent, name)
