"""evaluate: all numbers of a prediction table, each with its interval; the same for the verb, for test and for reports.

Nothing here imports scikit-learn, whose import takes longer than all of this; the tests hold every number against it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from vitcli.errors import DataError
from vitcli.evaluate.apart import accuracies, spread
from vitcli.evaluate.as_json import from_json as from_json
from vitcli.evaluate.as_json import to_json as to_json
from vitcli.evaluate.binary import WISHED, Costs, binary
from vitcli.evaluate.calibration import calibration, fit_temperature, mean_losses
from vitcli.evaluate.confusion import Counts, confusion_matrix, counts_of, over_classes, per_class, resampled
from vitcli.evaluate.doubtful import doubtful
from vitcli.evaluate.evaluation import Binary, Calibration, ClassScores, Estimate, Evaluation
from vitcli.evaluate.intervals import from_resamples, proportion
from vitcli.evaluate.ranks import mean_areas
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.together import Together, rows_of, together
from vitcli.names import first_of

RESAMPLES = 2000


def evaluate(
    scored: Scored | Sequence[Scored],
    *,
    tables: Sequence[str],
    temperature: float | None = None,
    fit_temperature: bool = False,
    costs: Costs | None = None,
    precisions: Sequence[float] = WISHED,
    recalls: Sequence[float] = WISHED,
    seen: Collection[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """All numbers of a table, or of several as one.

    Args:
        scored: The table; of several, the images are either all different (folds) or all the same (seeds).
        tables: Their names.
        temperature: Fitted on other images; ``calibrated`` is then at it.
        fit_temperature: Whether to fit it on this table instead, as is right for val and never for test.
        costs: What mistakes cost, if there are two classes.
        precisions: Of two classes, a threshold that reaches each is looked for.
        recalls: Likewise.
        seen: Paths that the net was trained on: counted, and never called doubtful.
        seed: Of the resamples.
        resamples: How many.

    Raises:
        DataError: No image has both a label and a prediction, or the tables do not go together.
    """
    parts = [scored] if isinstance(scored, Scored) else list(scored)
    whole = together(parts, tables)
    if not whole.scored.is_scored.any():
        raise DataError(_nothing(whole.scored, tables))
    if costs is not None and len(whole.scored.classes) != 2:
        raise DataError(f"--costs: {tables[0]} has {len(whole.scored.classes)} classes; costs are for two")
    labelled = whole.scored.labels >= 0
    chosen = np.flatnonzero(whole.scored.is_scored)
    rows = replace(whole, scored=rows_of(whole.scored, chosen), part=whole.part[chosen])
    one = rows.scored
    confusion = confusion_matrix(one.labels, one.predicted, len(one.classes))
    counts = counts_of(confusion)
    drawn = resampled(confusion, resamples, seed, rows.copies)
    hits, count = int(counts.hits.sum()), len(one)
    commonest = int(counts.support.argmax())
    values, draws = over_classes(counts), over_classes(drawn)

    def whole_score(name: str) -> Estimate:
        return from_resamples(float(values[name]), draws[name], count / rows.copies)

    ranks = mean_areas(rows)
    fitted = _fitted(one) if fit_temperature else temperature
    losses = mean_losses(rows, seed, resamples)
    doubts, wrong_labels = doubtful(one, seen)
    return Evaluation(
        tables=tuple(tables),
        images=len(whole.scored),
        unreadable=int((whole.scored.predicted < 0).sum()),
        unlabelled=int(((whole.scored.predicted >= 0) & ~labelled).sum()),
        scored=count,
        classes=one.classes,
        commonest=one.classes[commonest],
        guessing=float(counts.support[commonest] / count),
        accuracy=proportion(hits, count, rows.copies),
        accuracy_of_all=proportion(hits, int(labelled.sum()), rows.copies),
        top_k=_top_k(rows),
        balanced_accuracy=whole_score("balanced_accuracy"),
        macro={name: whole_score(f"macro/{name}") for name in ("precision", "recall", "f1")},
        weighted={name: whole_score(f"weighted/{name}") for name in ("precision", "recall", "f1")},
        auroc=ranks.auroc,
        average_precision=ranks.average_precision,
        kappa=whole_score("kappa") if len(one.classes) > 1 else None,
        matthews=whole_score("matthews") if len(one.classes) > 1 else None,
        per_class=_per_class(one.classes, counts, drawn, ranks.per_class, rows.copies),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        calibration=_calibration(one, 1.0),
        calibrated=None if fitted is None else _calibration(one, fitted),
        log_loss=losses.get("log_loss"),
        brier=losses.get("brier"),
        expected_error=losses.get("expected_error"),
        binary=_binary(one, costs, precisions, recalls),
        doubtful=doubts,
        parts=accuracies(rows),
        kind=whole.kind,
        spread=spread(rows),
        trained_on=sum(path in seen for path in one.paths) if seen else 0,
        wrong_labels=wrong_labels,
    )


def _nothing(scored: Scored, tables: Sequence[str]) -> str:
    has_labels = bool((scored.labels >= 0).any())
    why = "no image with a label has a prediction" if has_labels else "has no labels"
    return f"{first_of(tables)}: {why}; numbers need both: name the column of labels by --columns label=..."


def _top_k(rows: Together) -> dict[int, Estimate]:
    """Accuracy among the best k: 5 if there are more classes, and others up to half of the classes."""
    one = rows.scored
    classes = len(one.classes)
    if one.label_rank is None or not (one.label_rank > 0).all():
        return {}
    wanted = [k for k in (2, 3, 5, 10) if k <= classes // 2 or (k == 5 and classes > 5)]
    return {k: proportion(int((one.label_rank <= k).sum()), len(one), rows.copies) for k in wanted}


def _per_class(
    names: Sequence[str], counts: Counts, drawn: Counts, ranks: Sequence[tuple[float, float]], copies: int
) -> tuple[ClassScores, ...]:
    values, draws = per_class(counts), per_class(drawn)
    scores = []
    for number, name in enumerate(names):
        hits, predicted, support = (int(column[number]) for column in (counts.hits, counts.predicted, counts.support))
        f1 = from_resamples(float(values["f1"][number]), draws["f1"][:, number], max(support, predicted) / copies)
        auroc, average = ranks[number] if ranks else (float("nan"), float("nan"))
        scores.append(
            ClassScores(
                name=name,
                support=support,
                predicted=predicted,
                precision=proportion(hits, predicted, copies) if predicted else None,
                recall=proportion(hits, support, copies) if support else None,
                f1=f1 if support + predicted else None,
                auroc=None if np.isnan(auroc) else auroc,
                average_precision=None if np.isnan(average) else average,
            )
        )
    return tuple(scores)


def _fitted(one: Scored) -> float | None:
    return None if one.probabilities is None else fit_temperature(one.probabilities, one.labels)


def _calibration(one: Scored, temperature: float) -> Calibration | None:
    if one.probabilities is None:
        return None
    return calibration(one.probabilities, one.labels, one.predicted, temperature)


def _binary(one: Scored, costs: Costs | None, precisions: Sequence[float], recalls: Sequence[float]) -> Binary | None:
    if one.probabilities is None or len(one.classes) != 2:
        return None
    scores, is_positive = one.probabilities[:, 1], one.labels == 1
    return binary(scores, is_positive, one.classes[1], costs=costs, precisions=precisions, recalls=recalls)
