"""Logistic regression (by L-BFGS), whose features and strength are chosen by cross-validation."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from vitcli.machine.threads import cores
from vitcli.train.probe.sight import Sight

# of the best features, those between are tried as well
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
BETWEEN = 10**0.5
# from here on stronger ones are tried first; weaker ones only where this one is the best of them
LIKELY_STRENGTH = 1e-3
# by how much the loss may have risen over the lowest until no larger strength is tried
RISEN = 1.05
USUAL_STRENGTH = 0.01
MOST_ITERATIONS = 500
# largest gradient of the mean loss at which it is solved, scikit-learn's
TOLERANCE = 1e-4
# the strength is chosen on so many images at most; of more, another sample says the same
MOST_CHOSEN_ON = 20_000
# the lowest probability that counts in the loss, and the logit of a class that has no image
LEAST = 1e-7
ABSENT_LOGIT = -20.0

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@final
@dataclass(frozen=True)
class Images:
    """Training images as the solver sees them.

    Args:
        features: By name of what the head may see: float32 (images, views, width), of each image as it is, and of its
            mirror image where that counts too.
        labels: int64 (images,).
        groups: int64 (images,): images of one group are never on both sides of a fold; None: each is its own.
        weights: float64 (images,), how much each counts; None: 1.
    """

    features: Mapping[Sight, Features]
    labels: Labels
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None


@final
@dataclass(frozen=True)
class Choice:
    """What was chosen, and how it does on images that it has not seen.

    Args:
        name: Of the features.
        strength: C of the logistic regression.
        loss: Mean negative log-likelihood in cross-validation; nan where there was none.
        accuracy: In cross-validation, in [0, 1]; nan where there was none.
    """

    name: Sight
    strength: float
    loss: float = math.nan
    accuracy: float = math.nan


@final
@dataclass(frozen=True)
class Head:
    """A dense layer: logits = features @ weight.T + bias.

    Args:
        weight: float64 (classes, width).
        bias: float64 (classes,).
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """(images, width) -> (images, classes)."""
        seen, weight, bias = (torch.from_numpy(part) for part in (features.astype(np.float64), self.weight, self.bias))
        logits: NDArray[np.float64] = torch.addmm(bias, seen, weight.T).numpy()
        return logits


def choose(images: Images, classes: int, strengths: Sequence[float] = STRENGTHS, folds: int = 5) -> Choice:
    """Features and strength by the lowest loss on the held-out folds.

    The loss, not the accuracy: it changes with every image, so that it tells strengths apart where the accuracies of a
    few hundred images are equal.

    Args:
        images: Of training.
        classes: How many there are.
        strengths: C to choose from, rising.
        folds: Of the cross-validation; fewer where a class has fewer images.
    """
    first = next(iter(images.features))
    if len(images.features) == 1 and len(strengths) == 1:
        return Choice(first, strengths[0])
    divided = list(_folds(images, folds))
    if not divided:
        return Choice(first, strengths[0] if len(strengths) == 1 else USUAL_STRENGTH)
    with _one_thread_each() as pool:
        along = partial(_along, images=images, classes=classes, divided=divided, pool=pool)
        found = (_both_ways(partial(along, name=name), strengths) for name in images.features)
        best = min(itertools.chain.from_iterable(found), key=_loss)
        if len(strengths) == 1:
            return best
        between = [best.strength / BETWEEN, best.strength * BETWEEN]
        return min(best, *along(between, name=best.name), key=_loss)


def solve(images: Images, choice: Choice, classes: int) -> Head:
    """The head of the chosen features and strength, from all images.

    Args:
        images: Of training.
        choice: Name of the features, and strength.
        classes: How many there are.
    """
    everything = np.arange(len(images.labels))
    return _Path(images.features[choice.name], images, everything, classes).at(choice.strength)


def _loss(choice: Choice) -> float:
    return choice.loss


@contextmanager
def _one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Threads for the folds, each of which computes alone: products of this size gain little from a team."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(cores(), thread_name_prefix="fold") as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _both_ways(along: Callable[[Sequence[float]], Iterator[Choice]], strengths: Sequence[float]) -> Iterator[Choice]:
    """What each strength reaches, from the likely one upwards; downwards too, where none above it is better."""
    start = min(bisect_left(strengths, LIKELY_STRENGTH), len(strengths) - 1)
    upwards = list(along(strengths[start:]))
    yield from upwards
    if min(upwards, key=_loss) is upwards[0]:
        yield from along(strengths[:start][::-1])


def _along(
    strengths: Sequence[float],
    name: Sight,
    images: Images,
    classes: int,
    divided: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    pool: ThreadPoolExecutor,
) -> Iterator[Choice]:
    """What each strength reaches, until the next ones only get worse."""
    features = images.features[name]
    # single precision takes half the time, and tells the strengths apart as well
    paths = [_Path(features, images, train, classes, torch.float32) for train, _ in divided]
    lowest = math.inf
    for strength in strengths:

        def reached(path: _Path, held_out: NDArray[np.int64], strength: float = strength) -> NDArray[np.float64]:
            weights = np.ones(len(held_out)) if images.weights is None else images.weights[held_out]
            return _counted(path.at(strength).logits(features[held_out, 0]), images.labels[held_out], weights)

        of_folds = list(pool.map(reached, paths, [held_out for _, held_out in divided]))
        counted, losses, right = np.sum(of_folds, axis=0).tolist()
        loss = losses / counted
        yield Choice(name, strength, loss, right / counted)
        lowest = min(lowest, loss)
        if loss > RISEN * lowest:
            return


def _counted(logits: NDArray[np.float64], labels: Labels, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over images: weight, weight x loss, weight x whether it is right."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    of_label = shares[np.arange(len(labels)), labels] / shares.sum(axis=1)
    losses = -np.log(np.maximum(of_label, LEAST))
    return np.array([weights.sum(), weights @ losses, weights @ (logits.argmax(axis=1) == labels)])


@final
class _Path:
    """Logistic regressions of the same images, each beginning at the solution of the strength before.

    The mean cross-entropy of the images and ``|weight|^2 / (2 C)`` for all of them together, by L-BFGS with a bias that
    has no penalty: scikit-learn's LogisticRegression for three classes and more; of two, whose weights it keeps once
    instead of twice, with half its C.

    Args:
        features: float32 (images, views, width).
        images: Their labels and weights.
        positions: Of those that count.
        classes: How many there are.
        dtype: Of the products.
    """

    def __init__(
        self,
        features: Features,
        images: Images,
        positions: NDArray[np.int64],
        classes: int,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        views = features.shape[1]
        self._classes = classes
        seen = features[positions].reshape(-1, features.shape[2]).astype(np.float64)
        self._mean, deviation = seen.mean(axis=0), seen.std(axis=0)
        # a feature that never changes says nothing
        self._deviation = np.where(deviation > 1e-6 * (np.abs(self._mean) + 1), deviation, np.inf)
        # by torch, whose threads share the cores with the net's
        self._seen = torch.from_numpy((seen - self._mean) / self._deviation).to(dtype)
        self._present, labels = np.unique(images.labels[positions].repeat(views), return_inverse=True)
        self._labels = torch.from_numpy(labels.astype(np.int64))
        weights = np.ones(len(positions)) if images.weights is None else images.weights[positions]
        # both views of an image count as one
        self._weights = torch.from_numpy(weights.repeat(views) / views)
        self._count = float(self._weights.sum())
        self._at = np.zeros(len(self._present) * (features.shape[2] + 1))

    def at(self, strength: float) -> Head:
        """The head at a strength."""
        from scipy.optimize import minimize  # which takes half a second, of every command

        limits = {"maxiter": MOST_ITERATIONS, "gtol": TOLERANCE, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
        penalty = 1 / (strength * self._count)
        self._at = minimize(self._loss, self._at, args=(penalty,), jac=True, method="L-BFGS-B", options=limits).x
        found = self._at.reshape(len(self._present), -1)
        weight = np.zeros((self._classes, self._seen.shape[1]))
        bias = np.full(self._classes, ABSENT_LOGIT)
        weight[self._present] = found[:, :-1] / self._deviation
        bias[self._present] = found[:, -1] - weight[self._present] @ self._mean
        return Head(weight, bias)

    def _loss(self, at: NDArray[np.float64], penalty: float) -> tuple[float, NDArray[np.float64]]:
        """The loss and its gradient at weights and biases (classes, width + 1), one behind the other."""
        both = torch.from_numpy(at.reshape(len(self._present), -1))
        weight, bias = both[:, :-1], both[:, -1]
        products = self._seen @ weight.T.to(self._seen.dtype)
        logs = (products + bias).log_softmax(dim=1)
        of_label = logs.gather(1, self._labels[:, None]).squeeze(1)
        loss = -(self._weights @ of_label) / self._count + penalty / 2 * weight.square().sum()
        wrong = logs.exp()
        wrong.scatter_add_(1, self._labels[:, None], torch.full_like(wrong[:, :1], -1.0))
        wrong *= self._weights[:, None] / self._count
        of_weight = (wrong.T.to(self._seen.dtype) @ self._seen).double()
        gradient = torch.cat([of_weight + penalty * weight, wrong.sum(dim=0)[:, None]], dim=1)
        return float(loss), gradient.numpy().ravel()


def _folds(images: Images, folds: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions to learn from and positions to predict, of a sample if there are very many images.

    Groups are dealt out class after class, so that each fold has its share of every class.
    """
    order = np.random.default_rng(0).permutation(len(images.labels))[:MOST_CHOSEN_ON]
    labels = images.labels[order]
    groups = order if images.groups is None else images.groups[order]
    # the class of a group is that of its first image
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    _, counts = np.unique(labels[first], return_counts=True)
    folds = min(folds, len(first) // 2)
    if folds < 2 or len(counts) < 2 or counts.max() < 2:
        return
    of_group = np.empty(len(first), dtype=np.int64)
    of_group[np.lexsort((first, labels[first]))] = np.arange(len(first)) % folds
    of_image = of_group[members]
    for fold in range(folds):
        yield np.sort(order[of_image != fold]), np.sort(order[of_image == fold])
