"""Several tables as one: folds are pooled, seeds are averaged, anything between is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.tables import scored, table
from vitcli.errors import DataError
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.together import rows_of, together, with_classes

NAMES = ["a.csv", "b.csv", "c.csv"]


def folds(images: int = 300) -> list[Scored]:
    whole = scored(images, 3)
    return [rows_of(whole, np.arange(number, images, 3)) for number in range(3)]


def test_folds_give_the_numbers_of_all_rows():
    told = evaluate(folds(), tables=NAMES)
    whole = evaluate(scored(300, 3), tables=["t"])
    assert told.kind == "folds"
    assert told.accuracy == whole.accuracy
    assert told.confusion == whole.confusion
    assert told.log_loss is not None
    assert whole.log_loss is not None
    assert told.log_loss.value == pytest.approx(whole.log_loss.value)
    assert [part.value for part in told.parts] == [
        pytest.approx((fold.labels == fold.predicted).mean()) for fold in folds()
    ]
    assert told.spread["accuracy"] == pytest.approx(np.std([part.value for part in told.parts], ddof=1))


def test_areas_of_folds_are_the_mean_of_each():
    told = evaluate(folds(), tables=NAMES, resamples=10)
    each = [evaluate(fold, tables=["t"], resamples=10).auroc for fold in folds()]
    assert told.auroc is not None
    assert told.auroc.value == pytest.approx(np.mean([area.value for area in each if area is not None]))
    whole = evaluate(scored(300, 3), tables=["t"], resamples=10).auroc
    assert whole is not None
    assert told.auroc.high - told.auroc.low == pytest.approx(whole.high - whole.low, rel=0.2)


def test_seeds_are_averaged_and_their_interval_is_that_of_one():
    labels = np.random.default_rng(0).integers(0, 3, 300)
    seeds = [scored(300, 3, seed=seed, labels=labels) for seed in range(3)]
    told = evaluate(seeds, tables=NAMES)
    each = [evaluate(one, tables=["t"]) for one in seeds]
    assert told.kind == "seeds"
    assert told.scored == 900
    mean = np.mean([one.accuracy.value for one in each])
    assert told.accuracy.value == pytest.approx(mean)
    for ours, theirs in (
        (told.accuracy, [one.accuracy for one in each]),
        (told.macro["f1"], [one.macro["f1"] for one in each]),
        (told.auroc, [one.auroc for one in each]),
        (told.log_loss, [one.log_loss for one in each]),
    ):
        assert ours is not None
        widths = [one.high - one.low for one in theirs if one is not None]
        assert ours.high - ours.low == pytest.approx(np.mean(widths), rel=0.25)
        assert ours.value == pytest.approx(np.mean([one.value for one in theirs if one is not None]), abs=0.005)


def test_one_table_is_itself():
    one = scored(10, 2)
    assert together([one], ["a"]).scored is one
    assert evaluate(one, tables=["a"], resamples=5).kind == "one"
    assert evaluate(one, tables=["a"], resamples=5).parts == ()


def test_tables_that_share_some_images_are_refused_with_how_many():
    whole = scored(100, 2)
    first, second = rows_of(whole, np.arange(60)), rows_of(whole, np.arange(40, 100))
    with pytest.raises(DataError, match=r"a.csv and b.csv share 20 of their 60 and 60 images"):
        evaluate([first, second], tables=NAMES[:2])


def test_folds_and_seeds_together_are_refused():
    first, second, _ = folds()
    with pytest.raises(DataError, match=r"a.csv and c.csv share 100 of"):
        evaluate([first, second, first], tables=NAMES)


def test_classes_in_another_order_are_matched_by_name():
    one = scored(50, 3)
    assert one.probabilities is not None
    turned = with_classes(one, ("c2", "c0", "c1"))
    assert turned.probabilities is not None
    assert (turned.probabilities[:, 0] == one.probabilities[:, 2]).all()
    assert [turned.classes[label] for label in turned.labels] == [one.classes[label] for label in one.labels]
    moved = replace(turned, paths=tuple(f"x{path}" for path in turned.paths))
    assert evaluate([one, moved], tables=NAMES[:2], resamples=10).accuracy.value == pytest.approx(
        (one.labels == one.predicted).mean()
    )


def test_tables_of_other_classes_are_refused():
    first, second, _ = folds()
    other = replace(second, classes=("c0", "c1", "cow"))
    with pytest.raises(DataError, match="other classes, such as c2, cow"):
        evaluate([first, other], tables=NAMES[:2])


def test_tables_without_probabilities_may_know_only_the_classes_that_occur():
    one = table(np.zeros(5, dtype=np.int64), np.ones((5, 1)))
    first = replace(one, classes=("cat",), probabilities=None)
    second = replace(one, classes=("dog",), probabilities=None, paths=tuple("abcde"))
    told = evaluate([first, second], tables=NAMES[:2], resamples=10)
    assert told.classes == ("cat", "dog")
    assert told.confusion == ((5, 0), (0, 5))
