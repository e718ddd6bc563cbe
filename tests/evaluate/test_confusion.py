"""Numbers of a confusion matrix are scikit-learn's, and resamples keep the images of each class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from vitcli.evaluate.confusion import confusion_matrix, counts_of, over_classes, per_class, resampled

# images, classes, classes that occur, share that is right
SHAPES = [(5, 2, 2, 0.6), (300, 3, 3, 0.8), (400, 10, 7, 0.5), (50, 30, 30, 0.3), (40, 4, 4, 1.0), (40, 4, 4, 0.0)]


def drawn(images: int, classes: int, occurring: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(images)
    labels = rng.integers(0, occurring, images)
    wrong = (labels + rng.integers(1, classes, images)) % classes
    return labels, np.where(rng.random(images) < right, labels, wrong)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(("images", "classes", "occurring", "right"), SHAPES)
def test_every_number_is_scikit_learns(images: int, classes: int, occurring: int, right: float):
    labels, predicted = drawn(images, classes, occurring, right)
    confusion = confusion_matrix(labels, predicted, classes)
    assert (confusion == metrics.confusion_matrix(labels, predicted, labels=range(classes))).all()
    ours = over_classes(counts_of(confusion))
    theirs = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "kappa": metrics.cohen_kappa_score(labels, predicted),
        "matthews": metrics.matthews_corrcoef(labels, predicted),
    }
    for average in ("macro", "weighted"):
        values = metrics.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        theirs |= {
            f"{average}/{name}": value for name, value in zip(("precision", "recall", "f1"), values, strict=False)
        }
    assert {name: pytest.approx(float(value), abs=1e-9) for name, value in ours.items()} == theirs
    each = metrics.precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), each, strict=False):
        np.testing.assert_allclose(per_class(counts_of(confusion))[name], values, atol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_class_alone_has_no_kappa_as_in_scikit_learn():
    labels = np.zeros(9, dtype=np.int64)
    ours = over_classes(counts_of(confusion_matrix(labels, labels, 2)))
    assert np.isnan(ours["kappa"])
    assert np.isnan(metrics.cohen_kappa_score(labels, labels))
    assert ours["matthews"] == metrics.matthews_corrcoef(labels, labels) == 0


def test_a_resample_holds_as_many_images_of_each_class():
    labels, predicted = drawn(400, 10, 7, 0.5)
    confusion = confusion_matrix(labels, predicted, 10)
    drawn_counts = resampled(confusion, 50, seed=0)
    assert (drawn_counts.support == confusion.sum(axis=1)).all()
    assert (drawn_counts.predicted.sum(axis=1) == 400).all()
    assert (drawn_counts.hits <= drawn_counts.support).all()


def test_the_numbers_of_all_resamples_at_once_are_those_of_each():
    labels, predicted = drawn(300, 3, 3, 0.8)
    many = resampled(confusion_matrix(labels, predicted, 3), 20, seed=1)
    whole = over_classes(many)
    for number in range(20):
        one = over_classes(type(many)(many.hits[number], many.predicted[number], many.support))
        assert {name: float(values[number]) for name, values in whole.items()} == {
            name: pytest.approx(float(value), abs=1e-12) for name, value in one.items()
        }


def test_resamples_spread_as_images_drawn_one_by_one():
    labels, predicted = drawn(300, 3, 3, 0.8)
    ours = over_classes(resampled(confusion_matrix(labels, predicted, 3), 2000, seed=2))["macro/f1"]
    rng = np.random.default_rng(3)
    theirs = []
    for _ in range(1000):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(labels == label), (labels == label).sum()) for label in range(3)]
        )
        theirs.append(float(over_classes(counts_of(confusion_matrix(labels[rows], predicted[rows], 3)))["macro/f1"]))
    assert ours.std() == pytest.approx(np.std(theirs), rel=0.1)
    assert ours.mean() == pytest.approx(np.mean(theirs), abs=0.003)
