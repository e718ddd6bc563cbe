"""ImageData: the classes and splits of a set of images, which of its images are used, and the cache."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitcli.data.batches.datamodule import Batches, Split
from vitcli.errors import ConfigError, DataError
from vitcli.images.cache.copies import Ready, Shrunk
from vitcli.images.cache.store import Cache, stored
from vitcli.images.index.listing import Listing
from vitcli.images.index.look_through import check_errors, unusable
from vitcli.images.index.quarantine import read_quarantine
from vitcli.images.index.tone import blank_listed
from vitcli.machine.threads import cores
from vitcli.names import at_home, first_of, printable
from vitcli.run import CACHE, RunOptions

OnError = Literal["skip", "fail"]

SPLITS_OF_STAGE: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("predict",),
}


class ImageData(Batches, ABC):
    """Images in up to four splits; decides which of them are used, and where decoded copies are kept.

    A concrete class says where the images are.

    Args:
        cache: Where training and validation keep decoded copies: none, ram (until the run ends) or disk (for the next
            one too).
        cache_size: Shorter side of a copy for training, in pixels; null: image_size / sqrt(smallest crop_scale), at
            which no crop is of lower resolution than without the cache.
        cache_dir: Where the index of the images and copies on disk are kept; null: beside the runs.
        on_error: What fit does about images that cannot be read: skip or fail.
        max_errors: The largest share of such images that fit skips, in [0, 1].
        quarantine: A list of images, written by vitcli check --quarantine, that are left out.
        **options: What all batches take.

    Raises:
        ConfigError: A number out of range, or a class that is named twice.
    """

    def __init__(
        self,
        *,
        cache: Cache = "none",
        cache_size: int | None = None,
        cache_dir: str | None = None,
        on_error: OnError = "skip",
        max_errors: float = 0.05,
        quarantine: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if cache_size is not None and cache_size < 1:
            raise ConfigError(f"data.cache_size {cache_size}: below 1; give the shorter side of a copy in pixels")
        if not 0 <= max_errors <= 1:
            raise ConfigError(f"data.max_errors {max_errors}: outside [0, 1]; give a share such as 0.05")
        self.cache: Cache = cache
        self.cache_size = cache_size
        self.kept_in = Path(RunOptions().dir, CACHE) if cache_dir is None else Path(at_home(cache_dir))
        self.on_error = on_error
        self.max_errors = max_errors
        # the division of the run that goes on, or is scored, where it has one; to be set before setup
        self.kept_division: Path | None = None
        self.quarantined = frozenset() if quarantine is None else read_quarantine(at_home(quarantine))
        # what fit leaves out, by split: path and reason
        self.left_out: dict[Split, dict[str, str]] = {}
        self._listings: dict[Split, Listing] = {}
        self._ready: set[str] = set()
        self._notices: list[str] = []
        # settings that the images found make no use of, and why, known after setup
        self.unused: dict[str, str] = {}

    @abstractmethod
    def find_classes(self) -> tuple[str, ...]:
        """Names of the classes on disk in natural order, from folder names alone.

        Raises:
            DataError: There is no such folder, or it holds no classes.
        """

    @abstractmethod
    def list_split(self, split: Split) -> Listing:
        """The samples of a split; labels are matched by name against ``self.classes``.

        Raises:
            DataError: The folder does not hold what the split needs.
        """

    def look_through(self, split: Split) -> None:
        """Inspect every file of a split that was not inspected yet, so that unreadable ones are known."""

    def keep_division(self, file: Path) -> None:
        """Write which images are for train, val and test, where they are files: another command keeps to it.

        Args:
            file: The table, which becomes ``kept_division`` of that command's data.
        """

    @property
    def are_others(self) -> bool:
        """Whether none of the images is there with which the run was begun that goes on or is scored."""
        return False

    def look_for_leaks(self) -> None:
        """Note for the user what lies in train and in val or test too, where the samples are files."""

    def look_for_trained(self, split: Split) -> None:
        """Note for the user what a split holds that the run was trained on, where the samples are files."""

    def listing(self, split: Split) -> Listing:
        """The samples of a split, scanned at the first call and kept.

        Raises:
            DataError: The folder does not hold what the split needs.
        """
        if split not in self._listings:
            self._listings[split] = self.list_split(split)
        return self._listings[split]

    @property
    def notices(self) -> list[str]:
        """What the user should be told once about the data found so far, one line each."""
        return list(self._notices)

    def _notice(self, text: str) -> None:
        if text not in self._notices:
            self._notices.append(text)

    def prepare_data(self) -> None:
        """In one process of each machine: does what setup does, for the stage to come.

        Raises:
            DataError: As setup raises it.
        """
        if self.trainer is not None and self.trainer.state.fn is not None:
            self.setup(self.trainer.state.fn.value)

    def setup(self, stage: str) -> None:
        """Scans what a stage needs (fit, validate, test or predict), so that errors come before training.

        For fit, every image is inspected: which ones are left out is decided now, and holds for the whole run.

        Raises:
            DataError: The folder does not hold what the stage needs, or too many images cannot be read.
            ConfigError: Not enough disk space or memory for the cache.
        """
        if stage in self._ready:
            return
        for split in SPLITS_OF_STAGE[stage] if stage != "fit" else ():
            # what fit has left out is owed a row by the commands behind it
            if self.left_out.pop(split, None):
                del self._listings[split]
        for split in SPLITS_OF_STAGE[stage]:
            self.listing(split)
        for split in SPLITS_OF_STAGE[stage] if stage == "fit" else ():
            self._settle(split)
        if stage == "fit":
            self._check_left()
            self.look_for_leaks()
            for text in blank_listed([self._listings[split] for split in SPLITS_OF_STAGE[stage]]):
                self._notice(f"{text}; vitcli check lists them")
        for split in SPLITS_OF_STAGE[stage]:
            if stage == "fit":
                self._store(split)
            if stage != "predict" and split != "train":
                self.look_for_trained(split)
        self._ready.add(stage)

    def _check_left(self) -> None:
        """Check that what is unusable leaves something to tell apart, and tell which classes it took whole.

        Raises:
            DataError: Fewer than two classes have an image for training.
        """
        if not self.left_out.get("train"):
            return
        left = np.bincount(self.listing("train").labels, minlength=len(self.classes))
        gone = [printable(name) for name, count in zip(self.classes, left.tolist(), strict=True) if not count]
        named = first_of(gone)
        path, reason = next(iter(self.left_out["train"].items()))
        why = f"all of its images are left out ({printable(path)}: {reason}, ...)"
        if len(self.classes) - len(gone) < 2:
            raise DataError(f"data.root {self.place}: no image for train in {named}; {why}; see vitcli check")
        if gone:
            self._notice(
                f"no image left for train in {named}: the net cannot learn {'it' if len(gone) == 1 else 'them'}"
            )

    def _settle(self, split: Split) -> None:
        """Inspect every image of a split, and leave out what is unusable."""
        listing = self.listing(split)
        if listing.index is None or listing.rows is None:
            return
        self.look_through(split)
        found = unusable(listing.index, listing.rows, self.quarantined)
        if found:
            left_out = {listing.paths[position]: reason for position, reason in found.items()}
            check_errors(split, left_out, len(listing), on_error=self.on_error, max_errors=self.max_errors)
            self.left_out[split] = left_out
            self._listings[split] = listing.without(np.array(sorted(found), dtype=np.int64))

    def _store(self, split: Split) -> None:
        """Decode the images of a split once, if that is asked for."""
        listing = self.listing(split)
        if self.cache == "none" or not len(listing):
            return
        side = self.cache_size or math.ceil(max(self.preprocess.size) / math.sqrt(self.augment.crop_scale[0]))
        self._listings[split] = stored(
            listing,
            Shrunk(side, self.preprocess.white) if split == "train" else Ready(self.preprocess),
            self.cache,
            folder=self.kept_in,
            owner=f"{split} of {self.place}",
            max_pixels=self.max_pixels,
            threads=cores(),
        )

    @property
    def place(self) -> str:
        """Where the images come from, in a word."""
        return type(self).__name__
