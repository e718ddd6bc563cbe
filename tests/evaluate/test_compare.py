"""Two tables of the same images: McNemar's test is scipy's, differences are paired, other images are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.evaluate.tables import scored, table
from vitcli.errors import DataError
from vitcli.evaluate.compare import compare
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.together import rows_of, with_classes

NAMES = ("a.csv", "b.csv")


def pair(images: int = 300) -> tuple[Scored, Scored]:
    labels = np.random.default_rng(0).integers(0, 3, images)
    return scored(images, 3, seed=1, skill=1.6, labels=labels), scored(images, 3, seed=2, skill=1.2, labels=labels)


def test_counts_and_test_are_those_of_the_images_that_only_one_has_right():
    first, second = pair()
    told = compare(first, second, tables=NAMES)
    right, other = first.labels == first.predicted, second.labels == second.predicted
    assert told.only_first == (right & ~other).sum()
    assert told.only_second == (other & ~right).sum()
    assert told.both_right + told.only_first + told.only_second + told.both_wrong == told.images == 300
    theirs = binomtest(told.only_first, told.only_first + told.only_second).pvalue
    assert told.p_value == pytest.approx(theirs, abs=1e-9)
    assert told.differences["accuracy"].value == pytest.approx(right.mean() - other.mean())
    assert told.accuracy[0].value - told.accuracy[1].value == pytest.approx(told.differences["accuracy"].value)


def test_the_interval_of_the_difference_is_paired():
    first, second = pair()
    told = compare(first, second, tables=NAMES).differences["accuracy"]
    gained = (first.labels == first.predicted).astype(float) - (second.labels == second.predicted)
    half = 1.96 * gained.std() / np.sqrt(300)
    assert told.high - told.low == pytest.approx(2 * half, rel=0.08)
    # nets that make the same mistakes differ by less than two proportions would
    same = compare(first, first, tables=NAMES)
    assert (same.p_value, same.changed) == (1, ())
    assert same.differences["accuracy"] == same.differences["log_loss"]
    assert (same.differences["accuracy"].low, same.differences["accuracy"].high) == (0, 0)


def test_the_difference_of_log_loss_is_that_of_both():
    first, second = pair()
    assert first.label_probability is not None
    assert second.label_probability is not None
    told = compare(first, second, tables=NAMES).differences["log_loss"]
    apart = -np.log(first.label_probability).mean() + np.log(second.label_probability).mean()
    assert told.value == pytest.approx(apart, abs=1e-9)


def test_balanced_accuracies_differ_by_the_mean_over_classes():
    first, second = pair()
    told = compare(first, second, tables=NAMES).differences["balanced_accuracy"]
    recalls = [[(one.predicted[one.labels == label] == label).mean() for label in range(3)] for one in (first, second)]
    assert told.value == pytest.approx(np.mean(recalls[0]) - np.mean(recalls[1]), abs=1e-9)


def test_images_are_paired_by_path_and_classes_by_name():
    first, second = pair()
    turned = with_classes(rows_of(second, np.random.default_rng(0).permutation(300)), ("c2", "c1", "c0"))
    assert compare(first, turned, tables=NAMES) == compare(first, second, tables=NAMES)


def test_images_that_changed_sides_are_listed_with_what_each_says():
    matrix = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    first = table(np.array([0, 1, 1]), matrix, ("x", "y", "z"))
    second = table(np.array([0, 1, 1]), 1 - matrix, ("x", "y", "z"))
    changed = compare(first, second, tables=NAMES).changed
    assert [(one.path, one.label, one.first, one.second) for one in changed] == [
        ("x", "c0", "c0", "c1"),
        ("z", "c1", "c1", "c0"),
        ("y", "c1", "c0", "c1"),
    ]


def test_tables_of_other_images_are_refused_with_how_many_are_in_both():
    first, second = pair()
    with pytest.raises(DataError, match=r"250 are in both, of 300 and 250"):
        compare(first, rows_of(second, np.arange(250)), tables=NAMES)
    with pytest.raises(DataError, match=r"0 are in both"):
        compare(first, replace(second, paths=tuple(f"x{path}" for path in second.paths)), tables=NAMES)


def test_tables_with_other_labels_or_classes_are_refused():
    first, second = pair()
    labels = second.labels.copy()
    labels[:2] = (labels[:2] + 1) % 3
    with pytest.raises(DataError, match=r"different labels for 2 images, such as 0\.jpg"):
        compare(first, replace(second, labels=labels), tables=NAMES)
    with pytest.raises(DataError, match="other classes, such as c2, cow"):
        compare(first, replace(second, classes=("c0", "c1", "cow")), tables=NAMES)


def test_an_image_without_a_prediction_in_one_of_them_is_left_out_and_counted():
    first, second = pair()
    predicted = second.predicted.copy()
    predicted[:7] = -1
    told = compare(first, replace(second, predicted=predicted), tables=NAMES)
    assert (told.images, told.left_out) == (293, 7)


def test_a_table_without_labels_takes_those_of_the_other():
    first, second = pair()
    unlabelled = replace(second, labels=np.full(300, -1), label_probability=None)
    told = compare(first, unlabelled, tables=NAMES)
    assert told.images == 300
    assert "log_loss" not in told.differences
    with pytest.raises(DataError, match="no image has a label"):
        compare(replace(first, labels=np.full(300, -1)), unlabelled, tables=NAMES)
