"""Tables are train, val and test by their names, as hubs and programs write them."""

from __future__ import annotations

import pytest

from vitcli.images.division.split_tables import table_splits


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], ["train", "train"]),
        (["train-00000-of-00001.parquet", "validation-00000-of-00001.parquet"], ["train", "val"]),
        (["default/train/0000.parquet", "default/test/0000.parquet"], ["train", "test"]),
        (["default/partial-train/0000.parquet", "default/partial-test/0000.parquet"], ["train", "test"]),
        (["train/data-00000-of-00001.arrow", "dev/data-00000-of-00001.arrow"], ["train", "val"]),
        (["train.parquet", "holdout.parquet", "unlabeled.parquet"], ["train", "test", ""]),
        (["birds_train.parquet", "birds_test.parquet"], ["train", "test"]),
        (["pets-train-00000-of-00001.parquet", "pets-validation-00000-of-00001.parquet"], ["train", "val"]),
        (["train.part.0.parquet", "train.part.1.parquet", "eval.part.0.parquet"], ["train", "train", "val"]),
        # no split: one table, or names that say nothing
        (["photos.parquet"], []),
        (["train_station.parquet"], []),
        (["part-00000.parquet", "part-00001.parquet"], []),
        ([], []),
    ],
)  # fmt: skip
def test_the_split_of_a_table_is_what_its_name_or_its_folder_says(names: list[str], splits: list[str]) -> None:
    assert table_splits(names).splits == dict(zip(names, splits, strict=False))


def test_tables_that_name_no_split_beside_others_have_none() -> None:
    assert table_splits(["train.parquet", "test.parquet", "extra.parquet"]).splits == {
        "train.parquet": "train",
        "test.parquet": "test",
    }


@pytest.mark.parametrize(
    "names",
    [
        ["fine/train-0.parquet", "coarse/train-0.parquet", "fine/test-0.parquet"],
        ["fine/train/0.parquet", "coarse/train/0.parquet"],
    ],
)
def test_several_sets_of_tables_are_told_apart(names: list[str]) -> None:
    assert table_splits(names).sets == ("coarse", "fine")
