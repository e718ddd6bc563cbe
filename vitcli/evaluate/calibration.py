"""Calibration: log loss, Brier score, expected calibration error, and the temperature of minimal log loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Bin, Calibration, Estimate
from vitcli.evaluate.intervals import TAILS, wilson
from vitcli.evaluate.resample import resampled_means
from vitcli.evaluate.together import Together

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# of the reliability diagram, if each holds FEWEST images at least
BINS = 15
FEWEST = 20
# as scikit-learn's log_loss: a probability of 0 would cost infinitely much
LEAST = float(np.finfo(np.float64).eps)
# the temperatures among which the best is sought
COLDEST, HOTTEST = 0.05, 20.0
# entries of a matrix that the search looks at; of a larger one, it looks at every second row, every third, ...
SEEN = 20_000_000


def at_temperature(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities (images, classes) of the logits divided by a temperature; logits are log probabilities."""
    if temperature == 1:
        return probabilities
    logits = np.log(np.maximum(probabilities, LEAST)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def fit_temperature(probabilities: Floats, labels: Integers) -> float:
    """The temperature of minimal log loss (Guo et al. 2017), between COLDEST and HOTTEST.

    Args:
        probabilities: (images, classes).
        labels: (images,).
    """
    # half a second, which only this needs
    from scipy.optimize import minimize_scalar

    rows = slice(None, None, 1 + probabilities.size // SEEN)
    logits, labels = np.log(np.maximum(probabilities[rows], LEAST)), labels[rows]
    logits -= logits.max(axis=1, keepdims=True)
    of_label = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((np.log(np.exp(logits * scale).sum(axis=1)) - of_label * scale).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7}).x))


def losses(label_probability: Floats) -> Floats:
    """Negative log of each label's probability in nats, (images,)."""
    return -np.log(np.clip(label_probability, LEAST, 1 - LEAST))


def brier(probabilities: Floats, labels: Integers) -> Floats:
    """Squared distance of each row of probabilities from its label, in [0, 2], (images,) (Brier 1950)."""
    of_label = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    squares: Floats = np.einsum("ij,ij->i", probabilities, probabilities)
    return squares - 2 * of_label + 1


def bin_of(confidence: Floats) -> Integers:
    """The bin of each image, (images,): bins hold equal numbers of images, by rising confidence.

    Images of equal confidence share a bin, so that the order of the table says nothing.
    """
    images = len(confidence)
    rising = np.sort(confidence)
    bins = min(BINS, max(1, images // FEWEST))
    starts = rising[(np.arange(1, bins) * images) // bins]
    return np.unique(np.searchsorted(starts, confidence, side="right"), return_inverse=True)[1].astype(np.int64)


def expected_error(gaps: Floats) -> Floats:
    """Expected calibration error of the sums, over the images of each bin, of correctness minus confidence.

    Args:
        gaps: Sums divided by the number of all images, (..., bins).
    """
    error: Floats = np.abs(gaps).sum(axis=-1)
    return error


def gaps_of(confidence: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Correctness minus confidence of each image, in the column of its bin, (images, bins)."""
    bins = bin_of(confidence)
    gaps = np.zeros((len(confidence), int(bins.max()) + 1))
    gaps[np.arange(len(bins)), bins] = is_right - confidence
    return gaps


def calibration(probabilities: Floats, labels: Integers, predicted: Integers, temperature: float) -> Calibration:
    """Calibration at a temperature.

    Args:
        probabilities: (images, classes), as in the table.
        labels: (images,).
        predicted: (images,); a temperature changes no prediction.
        temperature: By which logits are divided.
    """
    divided = at_temperature(probabilities, temperature)
    confidence = np.take_along_axis(divided, predicted[:, None], axis=1)[:, 0]
    of_label = np.take_along_axis(divided, labels[:, None], axis=1)[:, 0]
    is_right = labels == predicted
    bins = bin_of(confidence)
    counts = np.bincount(bins)
    right = np.bincount(bins, is_right)
    low, high = wilson(right, counts)
    columns = zip(counts, np.bincount(bins, confidence) / counts, right / counts, low, high, strict=True)
    return Calibration(
        temperature=temperature,
        log_loss=float(losses(of_label).mean()),
        brier=float(brier(divided, labels).mean()),
        expected_error=float(expected_error(gaps_of(confidence, is_right).mean(axis=0))),
        bins=tuple(Bin(int(images), *(float(number) for number in rest)) for images, *rest in columns),
    )


def mean_losses(rows: Together, seed: int, resamples: int) -> dict[str, Estimate]:
    """Log loss, Brier score and calibration error, as far as the table tells enough."""
    one = rows.scored
    columns: dict[str, Floats] = {}
    if one.label_probability is not None and np.isfinite(one.label_probability).all():
        columns["log_loss"] = losses(one.label_probability)[:, None]
    if one.probabilities is not None:
        columns["brier"] = brier(one.probabilities, one.labels)[:, None]
    if np.isfinite(one.confidence).all():
        columns["expected_error"] = gaps_of(one.confidence, one.labels == one.predicted)
    if not columns:
        return {}
    ends = np.cumsum([column.shape[1] for column in columns.values()])[:-1]
    joined = np.hstack(list(columns.values()))
    draws = np.split(resampled_means(joined, one.labels, resamples, seed, rows.copies), ends, axis=1)
    means = np.split(joined.mean(axis=0), ends)
    return {
        name: _reflected(float(expected_error(mean)), expected_error(drawn))
        if name == "expected_error"
        else _percentile(float(mean[0]), drawn[:, 0])
        for name, mean, drawn in zip(columns, means, draws, strict=True)
    }


def _percentile(value: float, draws: Floats) -> Estimate:
    low, high = np.quantile(draws, TAILS)
    return Estimate(value, min(float(low), value), max(float(high), value))


def _reflected(value: float, draws: Floats) -> Estimate:
    """The basic bootstrap's interval: sums of distances are larger in resamples, as they are here than in truth."""
    low, high = 2 * value - np.quantile(draws, TAILS[::-1])
    return Estimate(value, max(min(float(low), value), 0.0), max(float(high), value))
