"""Evaluation: all numbers of a table with labels, each with its interval, as metrics.json holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

SCHEMA_VERSION = 1


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval that holds the true one 95 times of 100.

    Args:
        value: As reached on this table.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@final
@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well a class was told from the others.

    Args:
        name: Of the class.
        support: Images with this label and a prediction.
        predicted: Images predicted to be of it.
        precision: Of those predicted, the fraction that are; None where none was predicted.
        recall: Of those that are, the fraction that was found; None where there is none.
        f1: Harmonic mean of both; None where it has no meaning.
        auroc: Area under the ROC curve, this class against the others; None without all probabilities.
        average_precision: Area under the precision-recall curve; None likewise.
    """

    name: str
    support: int
    predicted: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    auroc: float | None
    average_precision: float | None


@final
@dataclass(frozen=True, slots=True)
class Bin:
    """Images of like confidence; bins hold equal numbers of images.

    Args:
        images: How many.
        confidence: Their mean confidence.
        accuracy: The fraction predicted right.
        low: Lower end of the accuracy's interval (Wilson).
        high: Upper end.
    """

    images: int
    confidence: float
    accuracy: float
    low: float
    high: float


@final
@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether 0.9 is 90 %: at a temperature by which the logits are divided (1 leaves them as they are).

    Args:
        temperature: In use.
        log_loss: Mean negative log of the label's probability, in nats.
        brier: Mean squared distance of the probabilities from the label's (sum over classes, in [0, 2]).
        expected_error: Expected calibration error of the confidence, equal-mass bins (Nguyen and O'Connor 2015).
        bins: Of the reliability diagram, by rising confidence.
    """

    temperature: float
    log_loss: float
    brier: float
    expected_error: float
    bins: tuple[Bin, ...]


@final
@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold on the probability of the second class (the positive one), and what it would do on this table.

    Args:
        goal: What it is best for, such as ``best F1`` or ``precision >= 0.95``.
        threshold: In [0, 1]: positive where the probability is at least this; above 1 where none shall be.
        precision: Reached on this table; None where nothing is predicted positive.
        recall: Reached on this table.
        f1: Reached on this table.
        accuracy: Reached on this table.
        true_positives: Images.
        false_positives: Images.
        true_negatives: Images.
        false_negatives: Images.
        cost: Mean cost an image by ``--costs``; None without.
    """

    goal: str
    threshold: float
    precision: float | None
    recall: float
    f1: float
    accuracy: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    cost: float | None

    @property
    def told(self) -> str:
        """The threshold in all its digits, so that whoever types it gets these numbers."""
        return "above 1" if self.threshold > 1 else repr(float(self.threshold))


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """Of two classes: the curves over all thresholds (thinned to a few hundred points), and advice.

    Args:
        positive: Name of the positive class: the second.
        roc: (false positive rate, true positive rate, threshold) by falling threshold.
        precision_recall: (recall, precision, threshold) by falling threshold.
        advice: Thresholds and what each would do.
    """

    positive: str
    roc: tuple[tuple[float, float, float], ...]
    precision_recall: tuple[tuple[float, float, float], ...]
    advice: tuple[Threshold, ...]


@final
@dataclass(frozen=True, slots=True)
class Doubtful:
    """An image whose label looks wrong.

    Args:
        path: As it stands in the table.
        label: What the table says.
        likelier: The class that the net would say.
        label_probability: What the net gives the label.
        probability: What the net gives the likelier class.
        is_wrong: Whether it is sure enough to say that the label looks wrong, by the standard of that class.
    """

    path: str
    label: str
    likelier: str
    label_probability: float
    probability: float
    is_wrong: bool = False


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of a table (or of several, as one).

    Args:
        tables: Names of the tables.
        images: Rows of the table.
        unreadable: Rows without a prediction (status error).
        unlabelled: Rows with a prediction and no label.
        scored: Rows with a label and a prediction: the denominator of everything below.
        classes: Names of the classes.
        commonest: Name of the class that most scored images have as label.
        guessing: Accuracy of always guessing it.
        accuracy: Of the scored images.
        accuracy_of_all: With unreadable labelled images counted as wrong; equals accuracy if there are none.
        top_k: Accuracy among the k likeliest classes, for k of 5 (and others where sensible), by k.
        balanced_accuracy: Mean recall of the classes that occur.
        macro: Means over classes: precision, recall, f1.
        weighted: The same, weighted by support.
        auroc: Mean one-vs-rest area (macro); of two classes that of the positive one.
        average_precision: Likewise.
        kappa: Cohen's kappa; None of a single class, with which everything agrees.
        matthews: Matthews correlation coefficient; None likewise.
        per_class: A row a class, in their order.
        confusion: Images by label (row) and predicted class (column).
        calibration: As the table is; None if it has no probabilities of all classes.
        calibrated: At the fitted temperature; None if none was fitted or given.
        log_loss: With its interval; None where the label's probability is not known.
        brier: With its interval.
        expected_error: With its interval.
        binary: Of two classes.
        doubtful: Images whose label looks wrong, the doubtfullest first, at most a thousand.
        parts: Accuracy of each table, where several were given as one.
        kind: ``folds`` where several tables are of different images, ``seeds`` where of the same; else ``one``.
            Of seeds, every number is of all rows together, and its interval is that of one table.
        spread: Standard deviation over several tables, of accuracy and other headlines by name.
        trained_on: Scored images that the net was trained on, as far as is known; they flatter every number.
        wrong_labels: Images whose label looks wrong, of all, where ``doubtful`` ends after a thousand.
    """

    tables: tuple[str, ...]
    images: int
    unreadable: int
    unlabelled: int
    scored: int
    classes: tuple[str, ...]
    commonest: str
    guessing: float
    accuracy: Estimate
    accuracy_of_all: Estimate
    top_k: dict[int, Estimate]
    balanced_accuracy: Estimate
    macro: dict[str, Estimate]
    weighted: dict[str, Estimate]
    auroc: Estimate | None
    average_precision: Estimate | None
    kappa: Estimate | None
    matthews: Estimate | None
    per_class: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: Calibration | None
    calibrated: Calibration | None
    log_loss: Estimate | None
    brier: Estimate | None
    expected_error: Estimate | None
    binary: Binary | None
    doubtful: tuple[Doubtful, ...]
    parts: tuple[Estimate, ...]
    kind: str = "one"
    spread: dict[str, float] = field(default_factory=dict)
    trained_on: int = 0
    wrong_labels: int = 0
