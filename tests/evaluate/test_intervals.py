"""Intervals of 95 % hold the true number 95 times of 100."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from tests.evaluate.tables import probabilities
from vitcli.evaluate.calibration import losses
from vitcli.evaluate.confusion import confusion_matrix, counts_of, over_classes, resampled
from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import TAILS, from_influences, from_resamples, proportion, wilson
from vitcli.evaluate.ranks import areas
from vitcli.evaluate.resample import resampled_means

DRAWS = 2000


@pytest.mark.parametrize(("right", "of"), [(0, 5), (4, 5), (5, 5), (1, 1), (962, 1000), (99_999, 100_000)])
def test_wilsons_interval_is_scipys(right: int, of: int):
    theirs = binomtest(right, of).proportion_ci(method="wilson")
    ours = proportion(right, of)
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))
    assert ours.value == right / of


def test_wilsons_interval_holds_the_truth_95_times_of_100():
    truth = np.random.default_rng(0).uniform(0.6, 0.95, DRAWS)
    right = np.random.default_rng(1).binomial(200, truth)
    low, high = wilson(right, np.full(DRAWS, 200))
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97


def test_the_jackknife_of_auroc_holds_the_truth_95_times_of_100():
    rng = np.random.default_rng(2)
    is_positive = np.arange(200) < 60
    truth = norm.cdf(1.5 / np.sqrt(2))
    held = 0
    for _ in range(DRAWS):
        auroc, _, influence, _ = areas(rng.normal(size=200) + 1.5 * is_positive, is_positive)
        estimate = from_influences(auroc, influence, is_positive.astype(np.int64))
        held += estimate.low <= truth <= estimate.high
    assert 0.93 <= held / DRAWS <= 0.97


@pytest.mark.slow
def test_the_jackknife_of_average_precision_holds_the_truth_95_times_of_100():
    rng = np.random.default_rng(3)
    is_positive = np.arange(400) < 120
    whole = np.arange(400_000) < 120_000
    truth = areas(rng.normal(size=400_000) + 1.5 * whole, whole)[1]
    held = 0
    for _ in range(DRAWS):
        _, average, _, influence = areas(rng.normal(size=400) + 1.5 * is_positive, is_positive)
        estimate = from_influences(average, influence, is_positive.astype(np.int64))
        held += estimate.low <= truth <= estimate.high
    assert 0.93 <= held / DRAWS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", ["balanced_accuracy", "macro/f1", "kappa", "matthews"])
def test_the_bootstrap_of_a_confusion_matrix_holds_the_truth_95_times_of_100(name: str):
    rng = np.random.default_rng(4)
    rows = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.1, 0.1, 0.8]])
    support = np.array([150, 100, 50])
    whole = np.round(rows * support[:, None] * 1000).astype(np.int64)
    truth = float(over_classes(counts_of(whole))[name])
    held = 0
    for draw in range(DRAWS):
        confusion = np.stack([rng.multinomial(images, row) for images, row in zip(support, rows, strict=True)])
        value = float(over_classes(counts_of(confusion))[name])
        draws = over_classes(resampled(confusion, 1000, seed=draw))[name]
        estimate = from_resamples(value, draws, 300)
        held += estimate.low <= truth <= estimate.high
    assert 0.93 <= held / DRAWS <= 0.97


@pytest.mark.slow
def test_the_bootstrap_of_log_loss_holds_the_truth_95_times_of_100():
    labels = np.arange(300) % 3
    many = np.arange(600_000) % 3
    truth = losses(np.take_along_axis(probabilities(many, 3, seed=1), many[:, None], axis=1)[:, 0]).mean()
    held = 0
    for draw in range(DRAWS):
        own = np.take_along_axis(probabilities(labels, 3, seed=draw + 2), labels[:, None], axis=1)
        draws = resampled_means(losses(own), labels, 1000, seed=draw)
        low, high = np.quantile(draws, TAILS)
        held += low <= truth <= high
    assert 0.93 <= held / DRAWS <= 0.97


def test_intervals_of_one_image_a_class_hold_the_truth_95_times_of_100():
    rng = np.random.default_rng(5)
    labels, held = np.arange(60), np.zeros(2)
    for draw in range(300):
        right = rng.random(60) < 0.6
        predicted = np.where(right, labels, (labels + rng.integers(1, 60, 60)) % 60)
        confusion = confusion_matrix(labels, predicted, 60)
        balanced = over_classes(resampled(confusion, 400, seed=draw))["balanced_accuracy"]
        means = resampled_means(right[:, None].astype(np.float64), labels, 400, seed=draw)[:, 0]
        for number, draws in enumerate((balanced, means)):
            estimate = from_resamples(float(right.mean()), draws, 60)
            held[number] += estimate.low <= 0.6 <= estimate.high
    assert ((held / 300 >= 0.92) & (held / 300 <= 0.98)).all()


def test_classes_of_one_image_take_the_outcomes_of_each_other():
    # one right, one taken for a class of two images, two taken for each other
    confusion = confusion_matrix(np.array([0, 1, 2, 3, 4, 4]), np.array([0, 4, 3, 2, 4, 4]), 5)
    counts = resampled(confusion, 4000, seed=0)
    assert counts.hits[:, :4].mean(axis=0) == pytest.approx([0.25] * 4, abs=0.03)
    assert (counts.predicted.sum(axis=1) == 6).all()
    assert (counts.hits <= counts.predicted).all()
    assert (counts.hits[:, 4] == 2).all()
    # of a single such class, nothing is known beside itself
    confusion = confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
    assert (resampled(confusion, 50, seed=0).hits[:, 0] == 1).all()


def test_a_table_without_a_mistake_is_not_certain():
    confusion = confusion_matrix(np.arange(40) % 2, np.arange(40) % 2, 2)
    draws = over_classes(resampled(confusion, 100, seed=0))["macro/f1"]
    estimate = from_resamples(1.0, draws, 40)
    assert estimate.high == 1
    assert estimate.low == pytest.approx(proportion(40, 40).low)
    auroc, _, influence, _ = areas(np.arange(40.0), np.arange(40) >= 20)
    perfect = from_influences(auroc, influence, (np.arange(40) >= 20).astype(np.int64))
    assert (perfect.value, perfect.high) == (1, 1)
    assert 0.8 < perfect.low < 0.9


def test_what_has_no_value_has_no_interval():
    nothing = from_resamples(float("nan"), np.full(10, np.nan), 5)
    assert all(np.isnan(number) for number in (nothing.value, nothing.low, nothing.high))


def test_an_estimate_reads_as_a_headline():
    assert str(Estimate(0.9621, 0.9481, 0.9719)) == "0.962 [0.948, 0.972]"
