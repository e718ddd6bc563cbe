"""Whole groups are dealt so that each part has its share of every class, whatever the order of the images."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from vitcli.images.division.dealt import dealt

Ints = NDArray[np.int64]
SEEDS = range(40)


def problem(seed: int, largest: int = 30) -> tuple[Ints, Ints, NDArray[np.uint64], int]:
    """Classes, groups and hashes of some images, and a number of folds; groups within a class, or across all."""
    rng = np.random.default_rng(seed)
    folds, count = int(rng.integers(2, 8)), int(rng.integers(10, 80))
    sizes = rng.integers(1, rng.integers(2, largest), count)
    groups = np.repeat(np.arange(count), sizes)
    classes = rng.integers(0, rng.integers(2, 8), count)[groups] if seed % 2 else rng.integers(0, 5, len(groups))
    return classes, groups, hashes(rng, len(groups)), folds


def hashes(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def held(labels: Ints, parts: Ints, folds: int) -> Ints:
    """Images of each class in each part."""
    found = np.zeros((folds, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(found, (parts, labels), 1)
    return found


def unevenness(labels: Ints, parts: Ints, folds: int) -> float:
    """Standard deviation over folds of the share of each class, as scikit-learn has it."""
    counts = held(labels, parts, folds)
    return float(np.std(counts / np.maximum(1, counts.sum(axis=0)), axis=0).mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_no_group_is_in_two_folds_and_folds_differ_by_a_group_at_most(seed: int) -> None:
    labels, groups, ranks, folds = problem(seed)
    parts = dealt(labels, groups, ranks, [1 / folds] * folds)
    assert all(len(set(parts[groups == group].tolist())) == 1 for group in set(groups.tolist()))
    sizes = np.bincount(parts, minlength=folds)
    assert sizes.sum() == len(labels)
    assert np.ptp(sizes) <= np.bincount(groups).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_the_images_and_of_the_groups_gives_the_same_folds(seed: int) -> None:
    labels, groups, ranks, folds = problem(seed)
    shares = [1 / folds] * folds
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(labels)), rng.permutation(int(groups.max()) + 1)
    parts = dealt(labels, groups, ranks, shares)
    assert dealt(labels[order], names[groups[order]], ranks[order], shares).tolist() == parts[order].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_images_without_groups_are_dealt_so_that_no_class_differs_by_more_than_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, folds = int(rng.integers(1, 300)), int(rng.integers(2, 11))
    labels = rng.integers(0, int(rng.integers(1, 9)), count)
    counts = held(labels, dealt(labels, np.arange(count), hashes(rng, count), [1 / folds] * folds), folds)
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_val_and_test_are_within_a_group_of_their_shares(seed: int) -> None:
    labels, groups, ranks, _ = problem(seed)
    shares = np.array([0.7, 0.2, 0.1])
    sizes = np.bincount(dealt(labels, groups, ranks, shares.tolist()), minlength=3)
    assert np.abs(sizes - shares * len(labels))[1:].max() <= np.bincount(groups).max()


def test_classes_are_as_even_as_scikit_learns_and_folds_more_so() -> None:
    uneven: list[tuple[float, float]] = []
    sizes: list[tuple[int, int]] = []
    for seed in range(60):
        labels, groups, ranks, folds = problem(seed)
        theirs = np.zeros(len(labels), dtype=np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
            for fold, (_, chosen) in enumerate(splitter.split(labels, labels, groups)):
                theirs[chosen] = fold
        both = dealt(labels, groups, ranks, [1 / folds] * folds), theirs
        uneven.append((unevenness(labels, both[0], folds), unevenness(labels, both[1], folds)))
        sizes.append((int(np.ptp(np.bincount(both[0]))), int(np.ptp(np.bincount(both[1], minlength=folds)))))
    own, peer = np.mean(uneven, axis=0)
    assert own < 1.05 * peer
    own, peer = np.mean(sizes, axis=0)
    assert own < peer


def test_a_small_share_gets_its_part_of_large_groups_too() -> None:
    groups = np.repeat(np.arange(100), 10)
    ranks = hashes(np.random.default_rng(0), 1000)
    parts = dealt(np.zeros(1000, dtype=np.int64), groups, ranks, [0.8, 0.1, 0.1])
    assert np.bincount(parts).tolist() == [800, 100, 100]


def test_no_images_are_in_no_part() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert dealt(nothing, nothing, nothing.astype(np.uint64), [0.5, 0.5]).tolist() == []
