"""Shares of a division into train, val and test: by fraction, or k-fold cross-validation with one fold as val."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, final

from vitcli.errors import ConfigError

PARTS = ("train", "val", "test")
TEST_FRACTION = 0.1


@final
@dataclass(frozen=True)
class Shares:
    """Which share of the images is for train, val and test.

    With folds, the images that are not for test fall into so many parts of one size, and one of them is val: over all
    runs of a cross-validation, each image is in val exactly once.

    Args:
        val: Share for val, in [0, 1); without effect where there are folds.
        test: Share for test, in [0, 1).
        folds: Number of folds; 0 divides by fraction.
        fold: Which of them is val, from 1 on.
    """

    val: float
    test: float
    folds: int = 0
    fold: int = 0

    @classmethod
    def of(cls, val_fraction: float, test_fraction: float | None, folds: int | None, fold: int | None) -> Self:
        """The shares that settings mean.

        Args:
            val_fraction: Share for val.
            test_fraction: Share for test; None: a tenth, or nothing where there are folds.
            folds: Number of folds, if there are some.
            fold: Which of them is val.

        Raises:
            ConfigError: A number is out of range, nothing is left to train on, or one of folds and fold is missing.
        """
        if (folds is None) != (fold is None):
            raise ConfigError(
                f"data.fold {fold}: one of how many? Set data.folds too, such as 5"
                if folds is None
                else f"data.folds {folds}: which of them is val? Set data.fold too, from 1 to {folds}"
            )
        for key, fraction in (("val_fraction", val_fraction), ("test_fraction", test_fraction or 0.0)):
            if not 0 <= fraction < 1:
                raise ConfigError(f"data.{key} {fraction}: outside [0, 1); give a share such as 0.1")
        if folds is not None and fold is not None:
            if folds < 2:
                raise ConfigError(f"data.folds {folds}: below 2; one is val, and the others are for training")
            if not 1 <= fold <= folds:
                raise ConfigError(f"data.fold {fold}: outside 1 to {folds} (data.folds {folds}); choose one of them")
            return cls(val_fraction, test_fraction or 0.0, folds, fold)
        shares = cls(val_fraction, TEST_FRACTION if test_fraction is None else test_fraction)
        if shares.val + shares.test >= 1:
            raise ConfigError(
                f"data.val_fraction {shares.val}: with data.test_fraction {shares.test} nothing is left to train on; "
                "keep their sum below 1"
            )
        return shares

    @property
    def setting(self) -> str:
        """What decides on val, as it would be typed."""
        return f"data.fold {self.fold} of {self.folds}" if self.folds else f"data.val_fraction {self.val}"

    @property
    def parts(self) -> list[tuple[str, float]]:
        """Split and share of each part into which images are dealt, folds first; no part is empty."""
        if self.folds:
            share = (1 - self.test) / self.folds
            parts = [("val" if number == self.fold else "train", share) for number in range(1, self.folds + 1)]
        else:
            parts = [("train", 1 - self.val - self.test), ("val", self.val)]
        return [(split, share) for split, share in (*parts, ("test", self.test)) if share > 0]

    @property
    def count(self) -> int:
        """How many parts there are; of folds there may be more than a list could hold."""
        return self.folds + (self.test > 0) if self.folds else len(self.parts)

    def without_test(self) -> Shares:
        """The same where there is a test split already."""
        return replace(self, test=0.0)

    def split_of(self, lot: float) -> str:
        """The split of an image that came after the others were divided.

        Args:
            lot: Its number, uniform in [0, 1); with folds, each number means val in exactly one of them.
        """
        if not self.folds:
            return "val" if lot < self.val else "test" if lot < self.val + self.test else "train"
        if lot < self.test:
            return "test"
        place = int((lot - self.test) / (1 - self.test) * self.folds)
        return "val" if min(place, self.folds - 1) + 1 == self.fold else "train"
