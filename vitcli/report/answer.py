"""Answer: what a table says, in a sentence with its interval, and what that is worth beside guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vitcli.evaluate.evaluation import Estimate, Evaluation
from vitcli.evaluate.scored import Scored
from vitcli.names import counted, printable


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """The top of a page.

    Args:
        sentence: The answer.
        more: What else has to be known to read it rightly, a sentence each.
        figures: Name, value and interval of the main numbers.
    """

    sentence: str
    more: tuple[str, ...]
    figures: tuple[tuple[str, str, str], ...]


def percent(share: float) -> str:
    """A share in percent, which reads 100 % or 0 % only where it is."""
    digits = next((digits for digits in (1, 2, 3) if 0 < round(share * 100, digits) < 100), 4)
    return f"{share * 100:.{digits if 0 < share < 1 else 0}f} %"


def classes(number: int) -> str:
    """A number of classes: ``1 class``, ``2 classes``."""
    return f"{number:,} {'class' if number == 1 else 'classes'}"


def answer(evaluation: Evaluation, split: str) -> Answer:
    """What a table with labels says.

    Args:
        evaluation: Of it.
        split: ``test``, ``val`` or empty.
    """
    reached, commonest = evaluation.accuracy, printable(evaluation.commonest)
    images = counted(evaluation.scored, f"{split} image".strip())
    more = [_worth(reached, evaluation.guessing, len(evaluation.classes), evaluation.scored), *_missing(evaluation)]
    interval = f"{percent(reached.low).removesuffix(' %')} to {percent(reached.high)}"
    verb = "is" if evaluation.scored == 1 else "are"
    sentence = (
        f"{percent(reached.value)} of {images} {verb} predicted right (95 % interval {interval}); always guessing the "
        f"commonest class, {commonest}, would be right on {percent(evaluation.guessing)}."
    )
    return Answer(sentence, tuple(filter(None, more)), tuple(figures(evaluation)))


def answer_without_labels(scored: Scored) -> Answer:
    """What a table without labels says."""
    predicted = scored.predicted[scored.predicted >= 0]
    failed = len(scored) - len(predicted)
    if not len(predicted):
        return Answer(f"None of {counted(len(scored), 'image')} could be predicted.", (), ())
    counts = np.bincount(predicted, minlength=len(scored.classes))
    place = int(counts.argmax())
    sure = scored.confidence[np.isfinite(scored.confidence)]
    middle = f", half of them with a confidence of {np.median(sure):.3f} or more" if len(sure) else ""
    found = int((counts > 0).sum())
    share = percent(counts[place] / len(predicted))
    sentence = (
        f"{counted(len(predicted), 'image')} predicted to be of {classes(found)}"
        f"{middle}; the commonest is {printable(scored.classes[place])}, with {share}."
    )
    more = ["The table has no labels, so nobody can say how many of them are right."]
    if failed:
        more.append(f"{counted(failed, 'more image')} could not be read or predicted; they are listed below.")
    return Answer(sentence, tuple(more), ())


def _worth(reached: Estimate, guessing: float, number: int, images: int) -> str:
    if number < 2:
        return "There is one class only, so being right is worth nothing."
    points = f"{abs(reached.value - guessing) * 100:.1f} percentage points"
    if reached.low > guessing:
        return f"That is {points} above guessing, and more than chance explains."
    if reached.high < guessing:
        return f"That is {points} below guessing: worse than no net at all."
    return f"On {counted(images, 'image')} that cannot be told from guessing."


def _missing(evaluation: Evaluation) -> Sequence[str]:
    told = []
    if evaluation.unreadable:
        of = counted(evaluation.images, "image")
        told.append(
            f"{evaluation.unreadable:,} of {of} have no prediction, such as unreadable files, and are not counted; if "
            f"each of them that has a label were wrong, the accuracy would be {evaluation.accuracy_of_all}."
        )
    if evaluation.unlabelled:
        told.append(f"{counted(evaluation.unlabelled, 'image')} without a label are not counted.")
    absent = [printable(scores.name) for scores in evaluation.per_class if not scores.support]
    if absent and len(evaluation.classes) > 1:
        some = ", ".join(absent[:5]) + (f" and {len(absent) - 5:,} more" if len(absent) > 5 else "")
        told.append(f"No image here has the label {some}: of it, nothing is known." if len(absent) == 1 else
                    f"No image here has the labels {some}: of them, nothing is known.")  # fmt: skip
    return told


def figures(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The main numbers: name, value and interval of each that there is."""
    shown: list[tuple[str, Estimate | None]] = [
        ("accuracy", evaluation.accuracy),
        ("balanced accuracy", evaluation.balanced_accuracy),
        ("macro F1", evaluation.macro.get("f1")),
        *((f"top-{k} accuracy", estimate) for k, estimate in sorted(evaluation.top_k.items()) if k > 1),
        ("AUROC", evaluation.auroc),
        ("average precision", evaluation.average_precision),
        ("Cohen's kappa", evaluation.kappa),
        ("Matthews correlation", evaluation.matthews),
        ("log loss", evaluation.log_loss),
        ("Brier score", evaluation.brier),
        ("calibration error", evaluation.expected_error),
    ]
    found = []
    for name, estimate in shown:
        if estimate is not None and estimate.value == estimate.value:
            value, _, interval = str(estimate).partition(" ")
            ends = interval.strip("[]").split(", ")
            found.append((name, value, (" to " if "-" in interval else "\u2013").join(ends)))
    return found
