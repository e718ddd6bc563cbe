"""Log loss and Brier score are scikit-learn's, the temperature is the best one, bins hold equal numbers of images."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from tests.evaluate.tables import probabilities, scored, table
from vitcli.evaluate.calibration import at_temperature, bin_of, brier, calibration, fit_temperature, losses
from vitcli.evaluate.evaluate import evaluate


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_both_scores_are_scikit_learns(classes: int):
    one = scored(300, classes)
    assert one.probabilities is not None
    assert one.label_probability is not None
    told = calibration(one.probabilities, one.labels, one.predicted, 1.0)
    assert told.log_loss == pytest.approx(log_loss(one.labels, one.probabilities), abs=1e-9)
    assert losses(one.label_probability).mean() == pytest.approx(told.log_loss, abs=1e-12)
    theirs = classes * mean_squared_error(np.eye(classes)[one.labels], one.probabilities)
    assert told.brier == pytest.approx(theirs, abs=1e-9)
    evaluation = evaluate(one, tables=["t"], resamples=50)
    assert evaluation.log_loss is not None
    assert evaluation.brier is not None
    assert evaluation.log_loss.value == pytest.approx(told.log_loss, abs=1e-9)
    assert evaluation.brier.value == pytest.approx(told.brier, abs=1e-9)


def test_a_probability_of_nothing_costs_as_much_as_in_scikit_learn():
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    labels = np.array([1, 1, 0])
    own = np.take_along_axis(matrix, labels[:, None], axis=1)[:, 0]
    assert losses(own).mean() == pytest.approx(log_loss(labels, matrix), abs=1e-9)


def test_the_temperature_of_a_net_that_is_too_sure_is_found():
    labels = np.random.default_rng(0).integers(0, 4, 20_000)
    calibrated = probabilities(labels, 4)
    too_sure = at_temperature(calibrated, 0.4)
    assert fit_temperature(too_sure, labels) == pytest.approx(2.5, rel=0.03)
    assert fit_temperature(calibrated, labels) == pytest.approx(1, rel=0.03)


def test_no_other_temperature_has_less_log_loss():
    one = scored(500, 3, skill=0.8)
    assert one.probabilities is not None
    best = fit_temperature(one.probabilities, one.labels)

    def loss(temperature: float) -> float:
        return log_loss(one.labels, at_temperature(one.probabilities, temperature))

    assert loss(best) < min(loss(best * 0.99), loss(best * 1.01))


def test_a_net_without_a_mistake_gets_a_temperature_near_the_coldest():
    labels = np.arange(40) % 2
    assert fit_temperature(np.where(np.eye(2)[labels] == 1, 0.9, 0.1), labels) < 0.1


def test_a_temperature_divides_the_logits():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    odds, cooled = np.exp(logits), np.exp(logits / 2.5)
    ours = at_temperature(odds / odds.sum(axis=1, keepdims=True), 2.5)
    np.testing.assert_allclose(ours, cooled / cooled.sum(axis=1, keepdims=True), atol=1e-12)


def test_bins_hold_equal_numbers_of_images_by_rising_confidence():
    confidence = np.random.default_rng(0).permutation(np.linspace(0.3, 1, 303))
    bins = bin_of(confidence)
    assert sorted(np.bincount(bins)) == [20] * 12 + [21] * 3
    assert [confidence[bins == number].max() for number in range(14)] < [
        confidence[bins == number].min() for number in range(1, 15)
    ]
    assert len(set(bin_of(confidence[:100]).tolist())) == 5
    assert set(bin_of(confidence[:5]).tolist()) == {0}


def test_the_order_of_a_table_says_nothing_where_confidences_tie():
    rng = np.random.default_rng(0)
    confidence = np.round(rng.uniform(0.5, 1, 400), 1)
    is_right = (rng.random(400) < confidence).astype(np.int64)
    matrix = np.column_stack([confidence, 1 - confidence])
    labels = 1 - is_right
    shuffled = rng.permutation(400)
    first = calibration(matrix, labels, np.zeros(400, dtype=np.int64), 1.0)
    second = calibration(matrix[shuffled], labels[shuffled], np.zeros(400, dtype=np.int64), 1.0)
    assert first.expected_error == pytest.approx(second.expected_error, abs=1e-12)
    assert [one.images for one in first.bins] == [one.images for one in second.bins]


def test_the_calibration_error_is_that_of_its_bins():
    one = scored(600, 3, skill=0.7)
    assert one.probabilities is not None
    told = calibration(one.probabilities, one.labels, one.predicted, 1.0)
    by_hand = sum(each.images * abs(each.accuracy - each.confidence) for each in told.bins) / 600
    assert told.expected_error == pytest.approx(by_hand, abs=1e-12)
    assert sum(each.images for each in told.bins) == 600
    assert all(each.low <= each.accuracy <= each.high for each in told.bins)
    order = np.argsort(one.confidence)
    parts = np.array_split(np.arange(600), 15)
    is_right = one.labels == one.predicted
    apart = [abs(is_right[order][part].mean() - one.confidence[order][part].mean()) for part in parts]
    assert told.expected_error == pytest.approx(np.mean(apart), abs=1e-9)


def test_a_calibrated_net_is_better_at_the_fitted_temperature_only_where_it_was_too_sure():
    labels = np.random.default_rng(0).integers(0, 3, 3000)
    sure = table(labels, at_temperature(probabilities(labels, 3), 0.5))
    evaluation = evaluate(sure, tables=["t"], fit_temperature=True, resamples=10)
    assert evaluation.calibration is not None
    assert evaluation.calibrated is not None
    assert evaluation.calibrated.temperature == pytest.approx(2, rel=0.05)
    assert evaluation.calibrated.expected_error < evaluation.calibration.expected_error / 3
    assert evaluation.calibrated.log_loss < evaluation.calibration.log_loss
    # a temperature that is given is not fitted
    given = evaluate(sure, tables=["t"], temperature=3.0, resamples=10).calibrated
    assert given is not None
    assert given.temperature == 3


def test_squared_distances_are_between_0_and_2():
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert brier(matrix, np.array([0, 0, 0])).tolist() == [0, 2, 0.5]
