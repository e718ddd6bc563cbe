"""Lines on screen: an evaluation, or a comparison, as a short table that a person reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from vitcli.evaluate.compare import Comparison
from vitcli.evaluate.evaluation import Calibration, ClassScores, Estimate, Evaluation
from vitcli.names import counted, first_of

# classes, confusions and labels that are told; the JSON holds them all
WORST = 12
CONFUSIONS = 5
LONGEST = 28
WIDTH = 22
WIDER = 26


def lines(evaluation: Evaluation) -> list[str]:
    """An evaluation in lines; names stand in them as they are."""
    told = [*_counts(evaluation), *_headlines(evaluation), *_classes(evaluation)]
    if evaluation.binary is not None:
        told += ["", *_thresholds(evaluation)]
    return [*told, *_doubtful(evaluation)]


def _counts(evaluation: Evaluation) -> Iterator[str]:
    tables = first_of(evaluation.tables, 3)
    yield f"{tables}: {counted(evaluation.scored, 'image')}, {len(evaluation.classes):,} classes"
    if evaluation.kind == "folds":
        yield f"{len(evaluation.tables)} folds as one table: each image once; the areas are means over the folds"
    if evaluation.kind == "seeds":
        count = len(evaluation.tables)
        yield f"{count} nets on the same images: means over them; each interval is that of one net on other such images"
    if evaluation.unreadable:
        yield (
            f"without a prediction: {counted(evaluation.unreadable, 'image')}, which count in nothing below; "
            f"counted as wrong, accuracy is {evaluation.accuracy_of_all}"
        )
    if evaluation.unlabelled:
        yield f"without a label: {counted(evaluation.unlabelled, 'image')}, which count in nothing below"
    if evaluation.trained_on:
        images = counted(evaluation.trained_on, "image")
        yield f"warning: the net was trained on {images} of these; the numbers flatter it"
    yield from _spellings(evaluation)


def _spellings(evaluation: Evaluation) -> Iterator[str]:
    """Classes that are probably one, which another program has written otherwise; their images count as wrong."""
    groups: dict[object, list[str]] = {}
    for name in evaluation.classes:
        groups.setdefault(_spoken(name), []).append(name)
    for alike in groups.values():
        if len(alike) > 1:
            yield f"warning: classes {' and '.join(map(repr, alike))} are told apart; if they are one, spell them alike"
            return


def _spoken(name: str) -> object:
    """A name without what programs write differently: case, spaces at its ends, forms of a letter or of a number."""
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    try:
        return float(plain)
    except ValueError:
        return plain


def _headlines(evaluation: Evaluation) -> Iterator[str]:
    spread = evaluation.spread

    def headline(name: str, estimate: Estimate | None, beside: str = "", of: str = "") -> Iterator[str]:
        if estimate is not None:
            apart = f"  (+- {spread[of]:.3f} over the tables)" if of in spread else ""
            yield f"  {name:<{WIDTH}}{estimate}{apart}{beside}"

    always = f"  (always {_short(evaluation.commonest)}: {evaluation.guessing:.3f})"
    yield from headline("accuracy", evaluation.accuracy, always, "accuracy")
    if evaluation.parts:
        yield f"  {'of each table':<{WIDTH}}{first_of([f'{part.value:.3f}' for part in evaluation.parts], 10)}"
    if 5 in evaluation.top_k:
        yield from headline("top-5 accuracy", evaluation.top_k[5])
    yield from headline("balanced accuracy", evaluation.balanced_accuracy, of="balanced_accuracy")
    yield from headline("F1, mean of classes", evaluation.macro["f1"], of="macro/f1")
    yield from headline("AUROC", evaluation.auroc)
    yield from headline("average precision", evaluation.average_precision)
    yield from headline("Matthews correlation", evaluation.matthews)
    yield from headline("log loss", evaluation.log_loss, of="log_loss")
    yield from headline("calibration error", evaluation.expected_error, _at(evaluation.calibrated))


def _at(calibrated: Calibration | None) -> str:
    if calibrated is None:
        return ""
    return f"  ({calibrated.expected_error:.3f} at temperature {calibrated.temperature:.3g})"


def _classes(evaluation: Evaluation) -> Iterator[str]:
    there = [scores for scores in evaluation.per_class if scores.support or scores.predicted]
    if len(there) < 2:
        return
    worst = sorted(there, key=_f1)[:WORST] if len(there) > WORST else there
    title = f"the worst {WORST} of {len(there):,} classes" if len(worst) < len(there) else "classes"
    width = max(len(title), *(len(_short(scores.name)) for scores in worst)) + 2
    yield ""
    yield f"{title:<{width}}{'images':>8}  {'precision':<22}{'recall':<22}F1"
    for scores in worst:
        precision, recall = (str(estimate or "-") for estimate in (scores.precision, scores.recall))
        f1 = "-" if scores.f1 is None else f"{scores.f1.value:.3f}"
        yield f"{_short(scores.name):<{width}}{scores.support:>8,}  {precision:<22}{recall:<22}{f1}"
    if told := _confusions(evaluation):
        yield f"confused most: {told}"


def _f1(scores: ClassScores) -> float:
    return 1.0 if scores.f1 is None else scores.f1.value


def _confusions(evaluation: Evaluation) -> str:
    cells = [
        (count, label, predicted)
        for label, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if count and label != predicted
    ]
    cells.sort(key=lambda cell: -cell[0])
    names = [_short(name) for name in evaluation.classes]
    return ", ".join(
        f"{names[label]} as {names[predicted]} ({count:,})" for count, label, predicted in cells[:CONFUSIONS]
    )


def _thresholds(evaluation: Evaluation) -> Iterator[str]:
    assert evaluation.binary is not None
    advice = evaluation.binary.advice
    costs = any(threshold.cost is not None for threshold in advice)
    title = f"{_short(evaluation.binary.positive)} if its probability is at least"
    first = max(8, *(len(threshold.told) for threshold in advice)) + 1
    width = max(len(title), *(len(threshold.goal) + first for threshold in advice)) + 2
    yield (
        f"{title:<{width}}{'precision':>9}{'recall':>8}{'F1':>7}{'right':>9}{'false alarms':>14}{'missed':>8}"
        + ("    cost an image" if costs else "")
    )
    for threshold in advice:
        right = threshold.true_positives + threshold.true_negatives
        precision = "-" if threshold.precision is None else f"{threshold.precision:.3f}"
        what = f"{threshold.told:<{first}}{threshold.goal}"
        yield (
            f"{what:<{width}}{precision:>9}{threshold.recall:>8.3f}{threshold.f1:>7.3f}{right:>9,}"
            f"{threshold.false_positives:>14,}{threshold.false_negatives:>8,}"
            + (f"{threshold.cost:>17.4g}" if threshold.cost is not None else "")
        )


def _doubtful(evaluation: Evaluation) -> Iterator[str]:
    first = next((image for image in evaluation.doubtful if image.is_wrong), None)
    if first is not None:
        yield ""
        yield (
            f"labels that look wrong: {evaluation.wrong_labels:,}, such as {first.path}: {first.label}, "
            f"but the net says {first.likelier} ({first.probability:.3f})"
        )


def comparison_lines(comparison: Comparison) -> list[str]:
    """A comparison in lines; names stand in them as they are."""
    first, second = comparison.tables
    told = [f"{first} and {second}: {counted(comparison.images, 'image')}, image by image"]
    if comparison.left_out:
        told.append(f"without a prediction in one of them: {counted(comparison.left_out, 'image')}, left out here")
    differences = comparison.differences
    told += [
        f"  {'accuracy':<{WIDER}}{comparison.accuracy[0]} and {comparison.accuracy[1]}",
        *(f"  {name.replace('_', ' ') + ', apart':<{WIDER}}{_signed(value)}" for name, value in differences.items()),
        f"  {'only the first right':<{WIDER}}{counted(comparison.only_first, 'image')}",
        f"  {'only the second right':<{WIDER}}{counted(comparison.only_second, 'image')}",
        f"  {'by chance':<{WIDER}}{_chance(comparison)}",
        *_examples(comparison),
    ]
    return told


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _chance(comparison: Comparison) -> str:
    p_value = comparison.p_value
    told = f"p = {p_value:.3g}" if p_value >= 1e-4 else "p < 0.0001"
    if p_value >= 0.05:
        return f"{told} (McNemar): these images do not tell which is better"
    better = comparison.tables[0 if comparison.only_first > comparison.only_second else 1]
    return f"{told} (McNemar): {better} is better"


def _examples(comparison: Comparison) -> Sequence[str]:
    if not comparison.changed:
        return []
    some = [f"{image.path} ({image.first} and {image.second})" for image in comparison.changed[:3]]
    return [f"  {'changed sides':<{WIDER}}{first_of(some, 3)}"]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
