"""How fit, validate, test and predict end: what was reached and where it lies, the numbers of the table, the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitcli.cli.trainer.about import about
from vitcli.cli.trainer.afterwards import (
    Split,
    can_score,
    evaluated,
    report,
    score_best,
    scores_of,
    to_wandb,
    write_scores,
)
from vitcli.cli.trainer.finished import note_finished
from vitcli.cli.trainer.summary import best_of, best_score, table_lines, trained, what_next
from vitcli.data.batches.position import position
from vitcli.run import Run
from vitcli.weights.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from vitcli.cli.trainer.cli import Cli


def after_fit(cli: Cli) -> None:
    """Tell what was reached; score the best checkpoint, which takes one more validation, and report."""
    trainer, run = cli.trainer, cli.run
    if run is not None:
        before = int(cli.saved.get("global_step", 0)) if cli.continued is not None else None
        cli.tell(trained(trainer, run, before))
        _write_about(cli, run)
    best = Path(trainer.strategy.broadcast(best_of(trainer).best_model_path))
    # on several machines without a common disk, one alone has it
    is_everywhere = trainer.strategy.reduce_boolean_decision(best.is_file(), all=True)
    if is_everywhere and can_score(trainer, cli.datamodule):
        saved = read_checkpoint(best)
        with cli.callbacks.probe.answering(cli.model):
            scores = score_best(trainer, cli.model, cli.datamodule, saved)
        _evaluate(cli, "val", scores, best, int(saved["global_step"]), told=False)
    if run is not None:
        note_finished(run, cli.plain_config(), trainer.global_step, position(trainer)[0], best_score(trainer))
        cli.tell(what_next(run))


def after_scoring(cli: Cli) -> None:
    """Tell the scores of validate or test with their intervals, and report."""
    split: Split = "test" if cli.verb == "test" else "val"
    _evaluate(cli, split, scores_of(cli.trainer), cli.checkpoint, int(cli.saved.get("global_step", 0)))


def after_predict(cli: Cli) -> None:
    """Tell where the table lies; report where that was asked for."""
    cli.tell(table_lines(cli.trainer))
    if cli.run is not None and cli.config_init.report.is_wanted("predict"):
        outcome = evaluated(cli.run, "predict", cli.config_init.predictions, {})
        cli.tell(report(cli.run, outcome, _explained_by(cli, cli.checkpoint)) if outcome is not None else [])


def _evaluate(
    cli: Cli, split: Split, scores: dict[str, float], checkpoint: Path | None, step: int, *, told: bool = True
) -> None:
    """Numbers with intervals and the report, from the table that was written."""
    if (run := cli.run) is None:
        return
    outcome = evaluated(run, split, cli.config_init.predictions, scores)
    if outcome is None:
        cli.tell([f"{key} {value:.6f}" for key, value in scores.items()])
        return
    if told:
        cli.tell([*outcome.lines, *table_lines(cli.trainer)])
    write_scores(run.scores(split), checkpoint, step, outcome)
    to_wandb(cli.trainer, outcome)
    if told:
        cli.tell([f"scores: {run.scores(split)}"])
    if cli.config_init.report.is_wanted(cli.verb):
        cli.tell(report(run, outcome, _explained_by(cli, checkpoint)))


def _explained_by(cli: Cli, checkpoint: Path | None) -> Path | str | None:
    """The checkpoint or weights by which the report explains pictures; None where it was not asked to."""
    if not cli.config_init.report.explain:
        return None
    return checkpoint or (cli.pretrained.name if cli.pretrained is not None else None)


def _write_about(cli: Cli, run: Run) -> None:
    about(
        ["fit", *cli.arguments.words],
        cli.trainer,
        cli.model,
        cli.datamodule,
        config=cli.plain_config(),
        parser=cli.parser,
        pace=cli.callbacks.pace,
        effort=cli.macs,
    ).write(run.about)
