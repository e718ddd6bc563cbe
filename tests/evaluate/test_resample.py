"""Resamples of images: as many of each stratum, spread as draws with replacement, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from vitcli.evaluate import resample
from vitcli.evaluate.resample import resampled_means


@pytest.mark.parametrize(("size", "taken"), [(1, 1), (5, 5), (300, 300), (3000, 3000), (300, 100)])
def test_draws_are_multinomial(size: int, taken: int):
    counts = resample._drawn(size, taken, 2000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == taken).all()
    expected = taken / size
    # of 2,000 draws, whose mean over all images is exact
    assert counts.mean() == expected
    assert counts.var(axis=0).mean() == pytest.approx(expected * (1 - 1 / size), rel=0.06)
    assert np.abs(counts.mean(axis=0) - expected).max() < 6 * np.sqrt(expected / 2000)


def test_a_row_in_which_too_many_were_drawn_is_drawn_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resample, "BELOW", 0.0)
    counts = resample._drawn(400, 400, 500, np.random.default_rng(1))
    assert (counts.sum(axis=1) == 400).all()
    assert counts.var(axis=0).mean() == pytest.approx(1, rel=0.03)


def test_means_spread_inside_of_strata_only():
    strata = np.repeat([0, 1], 500)
    values = np.column_stack([strata * 10.0, np.random.default_rng(0).normal(size=1000)])
    means = resampled_means(values, strata, 2000, seed=0)
    # the strata hold as many images in each resample, so that what is constant inside of them is exact
    assert means[:, 0] == pytest.approx(5, abs=1e-5)
    inside = np.concatenate([values[strata == stratum, 1].var() * np.ones(500) for stratum in (0, 1)]).mean()
    assert means[:, 1].std() == pytest.approx(np.sqrt(inside / 1000), rel=0.06)
    assert means[:, 1].mean() == pytest.approx(values[:, 1].mean(), abs=0.003)


def test_the_same_seed_draws_the_same_and_another_does_not():
    values, strata = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 3
    first, again, other = (resampled_means(values, strata, 20, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_copies_of_images_make_no_interval_narrower():
    values = np.random.default_rng(0).normal(size=(300, 1))
    once = resampled_means(values, np.zeros(300, dtype=np.int64), 2000, seed=0)
    thrice = resampled_means(np.repeat(values, 3, axis=0), np.zeros(900, dtype=np.int64), 2000, seed=0, copies=3)
    assert thrice.std() == pytest.approx(once.std(), rel=0.07)


def test_large_tables_have_fewer_resamples_but_not_fewer_than_200(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resample, "DRAWN", 3000)
    values = np.zeros((10, 1))
    assert len(resampled_means(values, np.zeros(10, dtype=np.int64), 2000, seed=0)) == 300
    assert len(resampled_means(np.zeros((3000, 1)), np.zeros(3000, dtype=np.int64), 2000, seed=0)) == 200
