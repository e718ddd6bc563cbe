"""Labels that look wrong: images whose label the net finds least likely, by confident learning, a class at a time.

Only predictions that never saw their image in training tell anything: of val, of test, of folds. What is likely is
measured by each class's own standard: its mean probability over the images that have it as label (Northcutt, Jiang and
Chuang 2021, Confident Learning, section 3.1). Images are ranked by the margin of the likelier class over the label,
both by their standards; ranks by the plain margin, or by the label's probability alone, found as much of what was
planted.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Doubtful
from vitcli.evaluate.scored import Scored

# images that are listed
MOST = 1000
# By how much of its standard a class has to lead, for a label to look wrong. Of 5 % of labels that were swapped in real
# photos, this finds 99 % and nothing else (a net right in 99 %), or 87 % and twice as much else (right in 75 %).
# Confident learning's own rule, that the class has to reach its standard, finds 82 % and 76 %.
SURE = 0.5
# share of images that a net has to have right for these standards; else the other class has to be so likely
MOSTLY = 0.5


def doubtful(scored: Scored, seen: Collection[str] = (), most: int = MOST) -> tuple[tuple[Doubtful, ...], int]:
    """Images by how doubtful their label is, the doubtfullest first.

    Args:
        scored: Predictions; of an image that stands there several times, the mean doubt counts.
        seen: Paths of images that were trained on, of which nothing is said.
        most: Images that are listed at most.

    Returns:
        The images, and how many of all look wrong.
    """
    unseen = np.array([path not in seen for path in scored.paths], dtype=bool) if seen else True
    chosen = np.flatnonzero(scored.is_scored & unseen)
    if scored.label_probability is None or not len(chosen):
        return (), 0
    labels, own = scored.labels[chosen], scored.label_probability[chosen]
    classes = len(scored.classes)
    counts = np.bincount(labels, minlength=classes)
    # a class without images asks for certainty
    standard = np.divide(np.bincount(labels, own, minlength=classes), counts, out=np.ones(classes), where=counts > 0)
    likelier, probability = _likeliest_other(scored, chosen)
    doubt = (probability - standard[likelier]) - (own - standard[labels])
    is_wrong = (likelier != labels) & (probability > own) & (probability - own >= SURE * standard[likelier])
    # standards of a net that is mostly wrong are next to nothing, and anything leads by half of that
    if (scored.predicted[chosen] == labels).mean() < MOSTLY:
        is_wrong &= probability >= MOSTLY
    return _listed(scored, chosen, likelier, probability, doubt, is_wrong, most)


def _likeliest_other(scored: Scored, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The likeliest class that is not the label, and its probability; of a table of the best five the predicted one."""
    labels = scored.labels[chosen]
    if scored.probabilities is None or scored.probabilities.shape[1] < 2:
        is_right = scored.predicted[chosen] == labels
        return scored.predicted[chosen], np.where(is_right, 0.0, scored.confidence[chosen])
    others = scored.probabilities[chosen]
    np.put_along_axis(others, labels[:, None], -1.0, axis=1)
    likelier = others.argmax(axis=1)
    return likelier, np.take_along_axis(others, likelier[:, None], axis=1)[:, 0]


def _listed(
    scored: Scored,
    chosen: NDArray[np.int64],
    likelier: NDArray[np.int64],
    probability: NDArray[np.float64],
    doubt: NDArray[np.float64],
    is_wrong: NDArray[np.bool_],
    most: int,
) -> tuple[tuple[Doubtful, ...], int]:
    position: dict[str, int] = {}
    image = np.array([position.setdefault(scored.paths[row], len(position)) for row in chosen], dtype=np.int64)
    times = np.bincount(image)
    mean = np.bincount(image, doubt) / times
    mostly_wrong = np.bincount(image, is_wrong) / times > 0.5
    # of an image, its doubtfullest row
    order = np.lexsort((np.arange(len(doubt)), -doubt, -mean[image]))
    rows: list[int] = []
    listed: set[int] = set()
    for row in order.tolist():
        if image[row] not in listed and len(rows) < most:
            listed.add(int(image[row]))
            rows.append(row)
    images = tuple(
        Doubtful(
            path=scored.paths[chosen[row]],
            label=scored.classes[scored.labels[chosen[row]]],
            likelier=scored.classes[likelier[row]],
            label_probability=float(scored.label_probability[chosen[row]]),  # type: ignore[index]
            probability=float(probability[row]),
            is_wrong=bool(mostly_wrong[image[row]]),
        )
        for row in rows
    )
    return images, int(mostly_wrong.sum())
