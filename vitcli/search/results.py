"""Results of a study: the best run beside the config as it is, told in lines, as trials.csv and as a page."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from vitcli.machine.atomic import replacing
from vitcli.names import counted, quoted
from vitcli.report.study_page import write_study
from vitcli.report.study_view import Axis, StudyView, TrialView
from vitcli.search.folder import StudyFolder
from vitcli.search.space import Choices
from vitcli.search.study import Plan, finished, is_baseline

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
# of fewer trials, importances say nothing
LEAST_TRIALS = 5


def best_trial(study: optuna.Study, plan: Plan) -> FrozenTrial | None:
    """The complete trial with the best value, the first of equal ones; None while there is none."""
    complete = finished(study, TrialState.COMPLETE)
    way = 1 if plan.lowest else -1
    return min(complete, key=lambda trial: (way * (trial.value or 0.0), trial.number), default=None)


def write_results(study: optuna.Study, folder: StudyFolder, plan: Plan) -> None:
    """Write trials.csv and the page, each as a whole or not at all.

    Args:
        study: As it is now.
        folder: Where they go.
        plan: What is searched.
    """
    view = view_of(study, folder, plan)
    with replacing(folder.table) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["trial", "run", "state", plan.objective, "validations", "minutes", *plan.space.settings, "note"]
        )
        for trial in view.trials:
            value = "" if trial.value is None else f"{trial.value:.7g}"
            typed = [trial.typed.get(key, "") for key in plan.space.settings]
            said = [trial.number, folder.run(trial.number).folder, trial.state, value]
            writer.writerow([*said, len(trial.curve), f"{trial.minutes:.2f}", *typed, trial.note])
    write_study(view, folder.page)


def view_of(study: optuna.Study, folder: StudyFolder, plan: Plan) -> StudyView:
    """What the page shows of a study."""
    best = best_trial(study, plan)
    trials = study.get_trials(deepcopy=False)
    count = {state: sum(trial.state == state for trial in trials) for state in TrialState}
    answer, *more = verdict(study, folder, plan)
    return StudyView(
        name=folder.path.resolve().name,
        objective=plan.objective,
        lowest=plan.lowest,
        axes=[
            Axis(key, 0, len(one.words) - 1, words=one.words)
            if isinstance(one, Choices)
            else Axis(key, one.low, one.high, one.log)
            for key, one in plan.space.settings.items()
        ],
        trials=[_trial(trial, folder, plan) for trial in trials if trial.state != TrialState.WAITING],
        best=None if best is None else best.number,
        answer=answer,
        more=more,
        figures=[
            ("complete", str(count[TrialState.COMPLETE])),
            ("pruned", str(count[TrialState.PRUNED])),
            *([("failed", str(count[TrialState.FAIL]))] if count[TrialState.FAIL] else []),
            *([("unfinished", str(count[TrialState.RUNNING]))] if count[TrialState.RUNNING] else []),
            ("minutes of training", f"{sum(map(minutes, trials)):.0f}"),
        ],
        importances=importances(study),
        commands=commands(study, folder, plan),
    )


def verdict(study: optuna.Study, folder: StudyFolder, plan: Plan) -> list[str]:
    """What was found, honestly: whether the best trial beats the config as it is, and what that is worth.

    Returns:
        Sentences, of which the first stands alone.
    """
    best = best_trial(study, plan)
    complete = finished(study, TrialState.COMPLETE)
    shipped = next((trial for trial in complete if is_baseline(trial)), None)
    if best is None or best.value is None:
        return ["No trial has come to its end yet."]
    name = folder.run(best.number).name
    reached = f"{plan.objective} {best.value:.4f}"
    if shipped is None or shipped.value is None:
        return [f"The best is {name}: {reached}; the config as it is has not come to its end."]
    if best.number == shipped.number:
        others = len(complete) - 1
        if not others:
            return [f"Only the config as it is ({name}) has come to its end: {reached}."]
        return [
            f"No trial beats the config as it is ({name}): {reached}.",
            f"{counted(others, 'other trial')} came to the end.",
        ]
    gain = abs(best.value - shipped.value)
    told = f"The best is {name}: {reached}, the config as it is reaches {shipped.value:.4f} ({gain:.4f} worse)."
    caution = (
        f"The best of {counted(len(complete), 'whole trial')} was chosen by these very images, so that some of its "
        "lead is luck; vitcli test on both runs says what is left of it."
    )
    return [told, caution]


def commands(study: optuna.Study, folder: StudyFolder, plan: Plan) -> list[str]:
    """Commands: the best run once more; and its test, beside that of the config as it is."""
    best = best_trial(study, plan)
    if best is None:
        return []
    words = [*plan.words, *plan.settings(best.params, is_shipped=is_baseline(best))]
    runs = [folder.run(best.number).folder]
    runs += [folder.run(trial.number).folder for trial in finished(study, TrialState.COMPLETE) if is_baseline(trial)]
    different = list(dict.fromkeys(map(quoted, runs)))
    compared = f"vitcli evaluate {different[0]} --compare {different[1]}" if len(different) > 1 else ""
    return [
        f"vitcli fit {' '.join(map(quoted, words))}",
        *(f"vitcli test --ckpt_path {run}" for run in different),
        *filter(None, [compared]),
    ]


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each setting in how trials differ, by PED-ANOVA (Watanabe et al. 2023)."""
    complete = finished(study, TrialState.COMPLETE)
    if len(complete) < LEAST_TRIALS or len({trial.value for trial in complete}) < 2:
        return {}
    with suppress(ValueError, RuntimeError, ZeroDivisionError), np.errstate(all="ignore"):
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
        if all(math.isfinite(share) for share in found.values()) and sum(found.values()) > 0:
            return dict(found)
    return {}


def minutes(trial: FrozenTrial) -> float:
    """For how long a trial was trained, as far as its searchers came to write it down."""
    return float(trial.user_attrs.get("seconds", 0.0)) / 60


def curve(trial: FrozenTrial) -> Sequence[float]:
    """The objective after each validation."""
    return [value for _, value in sorted(trial.intermediate_values.items())]


def _trial(trial: FrozenTrial, folder: StudyFolder, plan: Plan) -> TrialView:
    shown: Any = trial.value if trial.value is not None else None
    if shown is not None and not math.isfinite(shown):
        shown = None
    return TrialView(
        number=trial.number,
        name=folder.run(trial.number).name,
        state=STATES[trial.state],
        value=shown,
        curve=[value for value in curve(trial) if math.isfinite(value)],
        values=trial.params,
        typed=_typed(trial, plan),
        minutes=minutes(trial),
        is_baseline=is_baseline(trial),
        note=str(trial.user_attrs.get("error", "")),
    )


def _typed(trial: FrozenTrial, plan: Plan) -> dict[str, str]:
    """Its settings as typed; of the config as it is also those that lie outside of the space."""
    typed = {key: one.typed(trial.params[key]) for key, one in plan.space.settings.items() if key in trial.params}
    if is_baseline(trial):
        typed = {key: typed.get(key, str(plan.config.get(key))) for key in plan.space.settings}
    return typed
