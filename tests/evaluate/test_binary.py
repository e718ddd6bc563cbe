"""Of two classes: curves are scikit-learn's, and no threshold does better than the one that is advised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_curve, precision_score, recall_score, roc_curve

from tests.evaluate.tables import scored
from vitcli.errors import DataError
from vitcli.evaluate.binary import Costs, binary, cuts_of
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.evaluation import Threshold


def drawn(images: int = 250, digits: int = 12) -> tuple[np.ndarray, np.ndarray]:
    table = scored(images, 2, skill=1.0)
    assert table.probabilities is not None
    return np.round(table.probabilities[:, 1], digits), table.labels == 1


def advice(scores: np.ndarray, is_positive: np.ndarray, costs: Costs | None = None) -> dict[str, Threshold]:
    return {told.goal: told for told in binary(scores, is_positive, "dog", costs=costs).advice}


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_both_curves_are_scikit_learns(digits: int):
    scores, is_positive = drawn(digits=digits)
    told = binary(scores, is_positive, "dog")
    false_rate, recall, thresholds = roc_curve(is_positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(np.array(told.roc)[:, :2], np.column_stack([false_rate, recall]), atol=1e-12)
    np.testing.assert_allclose(np.array(told.roc)[1:, 2], thresholds[1:], atol=1e-12)
    # theirs goes by rising threshold, and ends with a point that no threshold reaches
    precision, recall, thresholds = precision_recall_curve(is_positive, scores)
    theirs = np.column_stack([recall[:-1], precision[:-1], thresholds])[::-1]
    np.testing.assert_allclose(np.array(told.precision_recall), theirs, atol=1e-12)


def test_a_long_curve_keeps_a_few_hundred_points_and_its_ends():
    scores, is_positive = drawn(20_000)
    told = binary(scores, is_positive, "dog")
    for points in (told.roc, told.precision_recall):
        assert 100 < len(points) <= 302
    assert told.roc[0][:2] == (0, 0)
    assert told.roc[-1][:2] == (1, 1)
    false_rate, recall, _ = roc_curve(is_positive, scores)
    kept = np.array(told.roc)
    assert np.abs(np.interp(false_rate, kept[:, 0], kept[:, 1]) - recall).max() < 0.01


def test_advice_says_what_its_threshold_does_on_the_table():
    scores, is_positive = drawn()
    told = advice(scores, is_positive, Costs(1, 5))
    assert len(told) == 9
    for each in told.values():
        predicted = scores >= each.threshold
        assert each.f1 == pytest.approx(f1_score(is_positive, predicted), abs=1e-12)
        assert each.recall == pytest.approx(recall_score(is_positive, predicted), abs=1e-12)
        assert each.precision == pytest.approx(precision_score(is_positive, predicted), abs=1e-12)
        assert each.accuracy == pytest.approx((predicted == is_positive).mean(), abs=1e-12)
        true_negatives, false_positives, false_negatives, true_positives = confusion_matrix(
            is_positive, predicted
        ).ravel()
        assert (each.true_negatives, each.false_positives) == (true_negatives, false_positives)
        assert (each.false_negatives, each.true_positives) == (false_negatives, true_positives)
        assert each.cost == pytest.approx((false_positives + 5 * false_negatives) / 250)


@pytest.mark.parametrize("digits", [1, 12])
def test_no_other_threshold_does_better(digits: int):
    scores, is_positive = drawn(80, digits)
    told = advice(scores, is_positive, Costs(1, 5))
    every = [(scores >= threshold) for threshold in {*scores.tolist(), 1.1}]
    f1 = [f1_score(is_positive, predicted) for predicted in every]
    precision = np.array([precision_score(is_positive, predicted, zero_division=1) for predicted in every])
    recall = np.array([recall_score(is_positive, predicted) for predicted in every])
    costs = [(predicted & ~is_positive).mean() + 5 * (~predicted & is_positive).mean() for predicted in every]
    assert told["best F1"].f1 == pytest.approx(max(f1))
    assert told["lowest cost (fp=1, fn=5)"].cost == pytest.approx(min(costs))
    for wished in (0.9, 0.95, 0.99):
        if f"precision >= {wished}" in told:
            assert told[f"precision >= {wished}"].recall == pytest.approx(recall[precision >= wished].max())
        else:
            assert recall[precision >= wished].max() == 0
        assert told[f"recall >= {wished}"].precision == pytest.approx(precision[recall >= wished].max())


def test_a_threshold_has_as_few_digits_as_do_the_same():
    scores = np.array([0.123456, 0.29, 0.4, 0.731249, 0.8])
    told = advice(scores, np.array([False, False, False, True, True]))
    # between 0.4, which is negative, and 0.731249
    assert told["best F1"].threshold == 0.73
    assert told["best F1"].f1 == 1
    assert advice(scores, np.array([False, True, True, True, True]))["best F1"].threshold == 0.29


def test_half_is_the_likelier_class_also_where_both_are_as_likely():
    told = advice(np.array([0.5, 0.4, 0.6]), np.array([True, False, True]))["the likelier class"]
    assert (told.threshold, told.true_positives, told.false_positives) == (0.5, 2, 0)


def test_a_precision_that_no_threshold_reaches_is_not_promised():
    told = advice(np.array([0.9, 0.8, 0.7, 0.1]), np.array([False, True, True, False]))
    assert "precision >= 0.9" not in told
    assert "recall >= 0.99" in told


def test_one_class_alone_has_no_advice_but_what_the_net_says():
    assert list(advice(np.array([0.9, 0.2]), np.array([True, True]))) == ["the likelier class"]


def test_cuts_go_from_none_positive_to_all():
    cuts = cuts_of(np.array([0.5, 1.0, 0.5]), np.array([True, False, False]))
    assert cuts.threshold.tolist() == [pytest.approx(1), 1, 0.5]
    assert cuts.threshold[0] > 1
    assert cuts.true.tolist() == [0, 0, 1]
    assert cuts.false.tolist() == [0, 1, 2]


def test_costs_are_for_two_classes():
    with pytest.raises(DataError, match="has 3 classes"):
        evaluate(scored(50, 3), tables=["t.csv"], costs=Costs(1, 5))


def test_wished_precisions_and_recalls_take_the_place_of_the_usual():
    evaluation = evaluate(scored(200, 2), tables=["t"], precisions=(0.8,), recalls=(0.7,), resamples=10)
    assert evaluation.binary is not None
    assert [told.goal for told in evaluation.binary.advice[2:]] == ["precision >= 0.8", "recall >= 0.7"]


def test_a_threshold_is_told_in_the_fewest_digits_that_are_the_same_number() -> None:
    at = Threshold("best F1", 0.562, 1, 1, 1, 1, 1, 0, 1, 0, None)
    assert at.told == "0.562"
    assert replace(at, threshold=0.1 + 0.2).told == "0.30000000000000004"
    assert replace(at, threshold=1.5).told == "above 1"
