"""Areas are scikit-learn's, and the influences of images are their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.evaluate.tables import scored
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.intervals import from_influences
from vitcli.evaluate.ranks import areas


def drawn(images: int, digits: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties where they have few digits."""
    rng = np.random.default_rng(seed)
    is_positive = rng.random(images) < 0.3
    is_positive[:2] = True, False
    return np.round(rng.normal(size=images) + is_positive, digits), is_positive


@pytest.mark.parametrize("digits", [0, 1, 12])
@pytest.mark.parametrize("images", [2, 7, 300])
def test_both_areas_are_scikit_learns_ties_included(images: int, digits: int):
    scores, is_positive = drawn(images, digits)
    auroc, average, *_ = areas(scores, is_positive)
    assert auroc == pytest.approx(roc_auc_score(is_positive, scores), abs=1e-12)
    assert average == pytest.approx(average_precision_score(is_positive, scores), abs=1e-12)


@pytest.mark.parametrize("digits", [0, 12])
def test_an_influence_is_the_derivative_by_the_weight_of_an_image(digits: int):
    scores, is_positive = drawn(40, digits)
    auroc, average, influence, influence_average = areas(scores, is_positive)
    step = 1e-6
    for image in range(40):
        # the weight of the image's own class stays what it is, as in a stratified resample
        weights = np.ones(40)
        weights[image] += step
        own = is_positive == is_positive[image]
        weights[own] *= own.sum() / weights[own].sum()
        gain = (roc_auc_score(is_positive, scores, sample_weight=weights) - auroc) / step
        gain_average = (average_precision_score(is_positive, scores, sample_weight=weights) - average) / step
        mean = influence_average[own].mean()
        assert influence[image] == pytest.approx(gain, abs=1e-5)
        assert influence_average[image] - mean == pytest.approx(gain_average, abs=1e-5)


def test_the_interval_of_auroc_is_delongs():
    scores, is_positive = drawn(300, 12)
    positives, negatives = scores[is_positive], scores[~is_positive]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)
    auroc, _, influence, _ = areas(scores, is_positive)
    estimate = from_influences(auroc, influence, is_positive.astype(np.int64))
    logit = np.log(auroc / (1 - auroc))
    half = 1.959963984540054 * np.sqrt(variance) / (auroc * (1 - auroc))
    assert estimate.low == pytest.approx(1 / (1 + np.exp(half - logit)), abs=1e-9)
    assert estimate.high == pytest.approx(1 / (1 + np.exp(-half - logit)), abs=1e-9)


def test_the_means_over_classes_are_scikit_learns():
    table = scored(400, 5)
    evaluation = evaluate(table, tables=["t"], resamples=10)
    assert evaluation.auroc is not None
    assert evaluation.average_precision is not None
    theirs = roc_auc_score(table.labels, table.probabilities, multi_class="ovr", average="macro")
    assert evaluation.auroc.value == pytest.approx(theirs, abs=1e-9)
    is_label = np.eye(5)[table.labels]
    theirs = average_precision_score(is_label, table.probabilities, average="macro")
    assert evaluation.average_precision.value == pytest.approx(theirs, abs=1e-9)
    each = roc_auc_score(is_label, table.probabilities, average=None)
    assert [scores.auroc for scores in evaluation.per_class] == pytest.approx(list(each), abs=1e-9)


def test_of_two_classes_the_area_is_that_of_the_second():
    table = scored(200, 2)
    evaluation = evaluate(table, tables=["t"], resamples=10)
    assert evaluation.auroc is not None
    assert evaluation.average_precision is not None
    assert table.probabilities is not None
    positive = table.probabilities[:, 1]
    assert evaluation.auroc.value == pytest.approx(roc_auc_score(table.labels, positive), abs=1e-9)
    assert evaluation.average_precision.value == pytest.approx(
        average_precision_score(table.labels, positive), abs=1e-9
    )


def test_a_class_without_images_is_left_out_of_the_mean():
    table = scored(60, 4, labels=np.arange(60) % 3)
    evaluation = evaluate(table, tables=["t"], resamples=10)
    assert [scores.auroc is None for scores in evaluation.per_class] == [False, False, False, True]
    assert evaluation.auroc is not None
    assert evaluation.auroc.value == pytest.approx(np.mean([scores.auroc for scores in evaluation.per_class[:3]]))
