"""The head that is found is scikit-learn's; features and strength are chosen by images that were held out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vitcli.train.probe.sight import Sight
from vitcli.train.probe.solve import ABSENT_LOGIT, LIKELY_STRENGTH, STRENGTHS, Images, choose, solve
from vitcli.train.probe.solve import Choice as Chosen

CLS, BOTH = Sight("cls", 1), Sight("cls_mean", 4)


def drawn(classes: int, images: int = 240, width: int = 12, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of points, a centre for each class: (images, views, width), labels."""
    rng = np.random.default_rng(3)
    labels = rng.integers(classes, size=images)
    centres = rng.normal(size=(classes, width))
    points = centres[labels][:, None] + 1.5 * rng.normal(size=(images, views, width))
    return (7 + 3 * points).astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_head_is_that_of_scikit_learns_logistic_regression(classes: int, weighted: bool):
    features, labels = drawn(classes)
    weights = np.linspace(0.5, 2, len(labels)) if weighted else None
    strength = 0.1
    head = solve(Images({CLS: features}, labels, weights=weights), Chosen(CLS, strength), classes)
    scaled = StandardScaler().fit_transform(features[:, 0].astype(np.float64))
    # of two classes, scikit-learn keeps one row of weights instead of two halves
    peer = LogisticRegression(C=strength * 2 if classes == 2 else strength, tol=1e-8, max_iter=5000)
    peer.fit(scaled, labels, sample_weight=weights)
    logits = head.logits(features[:, 0])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    assert np.abs(shares - peer.predict_proba(scaled)).max() < 2e-3
    assert (shares.argmax(axis=1) == peer.predict(scaled)).all()


def test_features_that_tell_classes_apart_are_chosen_over_noise():
    features, labels = drawn(3)
    noise = np.random.default_rng(0).normal(size=features.shape).astype(np.float32)
    choice = choose(Images({CLS: noise, BOTH: features}, labels), 3)
    assert choice.name == BOTH
    assert choice.accuracy > 0.6
    assert choose(Images({CLS: noise}, labels), 3).strength < choice.strength
    # of much noise the least is taken, though weak heads are not tried first
    much = np.random.default_rng(0).normal(size=(len(labels), 1, 300)).astype(np.float32)
    assert choose(Images({CLS: much}, labels), 3).strength < LIKELY_STRENGTH < choice.strength
    # no strength by itself is better than what was found
    each = [choose(Images({CLS: noise, BOTH: features}, labels), 3, (strength,)) for strength in STRENGTHS]
    assert choice.loss <= min(one.loss for one in each)


def test_images_of_one_group_are_never_on_both_sides_of_a_fold():
    rng = np.random.default_rng(0)
    labels = np.arange(120, dtype=np.int64) % 2
    # ten copies of each of twelve drawings that say nothing of the class
    groups = np.arange(120) // 10 * 2 + labels
    features = rng.normal(size=(24, 1, 30)).astype(np.float32)[groups]
    alone = choose(Images({CLS: features}, labels), 2, (10.0,), 5)
    assert np.isnan(alone.loss)
    seen = choose(Images({CLS: features, BOTH: features}, labels), 2, (10.0,))
    held_apart = choose(Images({CLS: features, BOTH: features}, labels, groups), 2, (10.0,))
    assert seen.accuracy > 0.95
    assert held_apart.accuracy < 0.8


def test_both_views_of_an_image_count_as_one():
    features, labels = drawn(3)
    twice = np.concatenate([features, features], axis=1)
    once, both = (solve(Images({CLS: rows}, labels), Chosen(CLS, 0.1), 3) for rows in (features, twice))
    assert np.abs(once.weight - both.weight).max() < 1e-3


def test_a_class_without_images_is_never_predicted_and_one_class_alone_always():
    features, labels = drawn(3)
    present = labels != 1
    head = solve(Images({CLS: features[present]}, labels[present]), Chosen(CLS, 0.1), 3)
    assert (head.logits(features[:, 0]).argmax(axis=1) != 1).all()
    assert head.bias[1] == ABSENT_LOGIT
    single = solve(Images({CLS: features}, np.full_like(labels, 2)), Chosen(CLS, 0.1), 3)
    assert (single.logits(features[:, 0]).argmax(axis=1) == 2).all()


def test_too_few_images_for_folds_take_the_usual_strength():
    features, labels = drawn(2, images=3)
    choice = choose(Images({CLS: features, BOTH: features}, labels), 2)
    assert choice.name == CLS
    assert np.isnan(choice.loss)
