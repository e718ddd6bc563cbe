"""What follows validate, test and fit: the numbers of a table with their intervals in metrics.json; the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from vitcli.evaluate.as_json import to_json
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.evaluation import SCHEMA_VERSION, Estimate, Evaluation
from vitcli.evaluate.origin import Origin, kept_temperature, trained_on
from vitcli.evaluate.read import read_scored
from vitcli.evaluate.scored import Scored
from vitcli.machine.atomic import replacing
from vitcli.run import Run
from vitcli.train.output.predictions import PredictionWriter, is_whole
from vitcli.train.output.wandb_log import PatientWandbLogger

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier

Split = Literal["val", "test", "predict"]


@final
@dataclass(frozen=True)
class ReportOptions:
    """The page that a training or a test ends with.

    Args:
        write: Whether report.html is written, with its charts in report/; null: after fit and test. Of predict it goes
            into report.predict/. ``vitcli report`` writes it at any time.
        explain: Whether mistakes and unsure successes have a map beside them, of where in the picture the answer comes
            from.
    """

    write: bool | None = None
    explain: bool = False

    def is_wanted(self, verb: str) -> bool:
        """Whether a verb ends with a report."""
        return verb in ("fit", "test") if self.write is None else self.write


@final
@dataclass(frozen=True)
class Outcome:
    """A table that was written, and its numbers.

    Args:
        origin: The table and its run.
        scored: The table.
        evaluation: Its numbers; None where no image has a label and a prediction.
        scores: What torchmetrics has reached, by key such as ``test/accuracy``.
    """

    origin: Origin
    scored: Scored
    evaluation: Evaluation | None
    scores: Mapping[str, float]

    @property
    def lines(self) -> list[str]:
        """The scores, each with the interval that holds the true one 95 times of 100."""
        return [f"{key} {value:.6f}{self._interval(key, value)}" for key, value in self.scores.items()]

    def _interval(self, key: str, value: float) -> str:
        evaluation = self.evaluation
        if evaluation is None:
            return ""
        known: dict[str, Estimate | None] = {
            "accuracy": evaluation.accuracy,
            "auroc": evaluation.auroc,
            "loss": evaluation.log_loss,
            "macro_f1": evaluation.macro["f1"],
        }
        estimate = known.get(key.partition("/")[2])
        # a score of other images, such as one in which an output that is no number counts as wrong, has another one
        if estimate is None or not math.isclose(estimate.value, value, rel_tol=1e-4, abs_tol=1e-4):
            return ""
        return f" [{estimate.low:.3f}, {estimate.high:.3f}]"


def can_score(trainer: pl.Trainer, data: ImageData) -> bool:
    """Whether a training can end by scoring all images of val."""
    return (
        is_whole(trainer, "validate") and not getattr(trainer, "fast_dev_run", False) and len(data.listing("val")) > 0
    )


def score_best(trainer: pl.Trainer, model: Classifier, data: ImageData, best: Mapping[str, Any]) -> dict[str, float]:
    """Validate with the weights of the best checkpoint, in every process; the table is written on the way.

    Nothing of it is logged: the curves of a training are those of its epochs.

    Args:
        trainer: That has trained.
        model: The classifier, which takes the weights.
        data: Its images.
        best: Content of the checkpoint.
    """
    trainer.strategy.load_model_state_dict(best)
    loggers, trainer.loggers = trainer.loggers, []
    try:
        trainer.validate(model, data, verbose=False)
    finally:
        trainer.loggers = loggers
    return scores_of(trainer)


def scores_of(trainer: pl.Trainer) -> dict[str, float]:
    """What a verb has reached, with seven digits, as many as a float32 has."""
    return {key: float(f"{float(value):.7g}") for key, value in sorted(trainer.callback_metrics.items())}


def evaluated(run: Run, split: Split, writer: PredictionWriter, scores: Mapping[str, float]) -> Outcome | None:
    """The numbers of the table that was written; None if there was no image to write of.

    The temperature is fitted on val, and the test is told what val's does to it.

    Args:
        run: The run.
        split: Of the images.
        writer: Of the table.
        scores: What torchmetrics has reached.
    """
    if writer.joined is None:
        return None
    origin = Origin(writer.table, "" if split == "predict" else split, run)
    scored = read_scored(origin.table)
    if split == "predict" or not scored.is_scored.any():
        return Outcome(origin, scored, None, scores)
    evaluation = evaluate(
        scored,
        tables=[str(origin.table)],
        temperature=kept_temperature(run) if split == "test" else None,
        fit_temperature=split == "val",
        seen=trained_on(origin),
    )
    return Outcome(origin, scored, evaluation, scores)


def write_scores(file: Path, checkpoint: Path | None, step: int, outcome: Outcome) -> None:
    """Write metrics.json: the scores by key, and behind them all numbers with their intervals.

    Args:
        file: Where it goes.
        checkpoint: That was scored.
        step: Of its training.
        outcome: The numbers.
    """
    # JSON has no word for a number that is none, such as the AUROC of a single class
    numbers = {key: None if math.isnan(value) else value for key, value in outcome.scores.items()}
    content = {
        "schema_version": SCHEMA_VERSION,
        "checkpoint": str(checkpoint),
        "step": step,
        **numbers,
        "evaluation": None if outcome.evaluation is None else to_json(outcome.evaluation),
    }
    # a line for each, for the matrix of a thousand classes would be a million lines
    text = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    with replacing(file) as part:
        part.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


def report(run: Run, outcome: Outcome, explained_by: Path | str | None = None) -> list[str]:
    """Write the run's report of a table; that of predict beside it, for it says nothing of the run.

    Args:
        run: The run.
        outcome: Of the table.
        explained_by: The checkpoint or weights by which pictures are explained; None: there are no maps.

    Returns:
        What to tell of it.
    """
    # matplotlib and jinja, which only this needs
    from vitcli.report.write import write_report

    maps = None
    if explained_by is not None:
        from vitcli.cli.report_maps import ReportMaps

        maps = ReportMaps(explained_by)
    page = write_report(
        run,
        outcome.origin.table,
        run.folder if outcome.origin.split else run.folder / "report.predict",
        split=outcome.origin.split or None,
        scored=outcome.scored,
        evaluation=outcome.evaluation,
        explains=maps,
    )
    return [*(maps.lines if maps is not None else ()), f"report: {page}"]


def to_wandb(trainer: pl.Trainer, outcome: Outcome) -> None:
    """Log the confusion matrix, the classes and the gallery to wandb, where it is on."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, PatientWandbLogger)]
    if not loggers or outcome.evaluation is None:
        return
    from vitcli.report.for_wandb import wandb_objects
    from vitcli.report.material import gather

    evaluation = outcome.evaluation
    for logger in loggers:
        logger.log_made(lambda: wandb_objects(gather(outcome.origin, outcome.scored), evaluation))
