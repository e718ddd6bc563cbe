"""Run's folder of a verb: which one it writes into, what lies where, and what it receives before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitcli.cli.trainer.left_out import show_images
from vitcli.cli.trainer.yaml_text import to_yaml
from vitcli.machine.atomic import keep_previous, replacing
from vitcli.names import at_home
from vitcli.predictions.options import check_table
from vitcli.predictions.unfinished_run import unfinished_run
from vitcli.run import Run, RunOptions, claim
from vitcli.table.join import set_aside
from vitcli.table.work import Work
from vitcli.train.output.predictions import PredictionWriter

if TYPE_CHECKING:
    from vitcli.cli.trainer.cli import Cli


def chosen_run(cli: Cli) -> Run:
    """The checkpoint's own run, unless the user names another place; else a new one.

    Args:
        cli: The verb, what it starts from, and where the user wants it.

    Raises:
        ConfigError: There cannot be such a folder.
    """
    options, continued = cli.arguments.run, cli.continued
    if continued is not None:
        parent = continued.folder.parent if options.dir == RunOptions().dir else Path(options.dir)
        wished = parent / (options.name or continued.name)
        return continued if wished.resolve() == continued.folder.resolve() else _claimed(cli, parent, wished.name)
    # what is scored or predicted without a run of its own goes by its weights
    weights = cli.checkpoint or (Path(cli.arguments.weights or "") if cli.verb != "fit" else None)
    name = options.name or (weights.stem.replace(":", "-") if weights else cli.arguments.run_name)
    return _claimed(cli, Path(options.dir), name)


def lay_out(cli: Cli, run: Run) -> None:
    """Tell everything that writes where the run lies; the other processes are told by the first.

    Args:
        cli: The verb, with what it has built.
        run: Its run.

    Raises:
        ConfigError: The table cannot be written as it is wanted, or its images cannot be sorted.
    """
    checkpoint, predictions = cli.config_init.checkpoint, cli.config_init.predictions
    checkpoint.dirpath = checkpoint.dirpath or str(run.checkpoints)
    predictions.path = at_home(predictions.path) if predictions.path else str(run.predictions(cli.verb))
    check_table(predictions.path, escape_formulas=predictions.options.escape_formulas)
    predictions.options.columns(cli.model.classes)
    if cli.verb == "predict":
        predictions.check_sorting(cli.trainer, cli.model, cli.datamodule)
    predictions.run = str(run.folder.absolute())
    cli.callbacks.keep_last.path = str(run.checkpoints / "last.ckpt")
    cli.callbacks.sizes.folder = run.folder
    cli.callbacks.probe.folder = cli.datamodule.kept_in


def begin_run(cli: Cli) -> None:
    """What the run's folder receives of a verb before its first step.

    Args:
        cli: The verb, whose settings Lightning has accepted.
    """
    assert cli.run is not None
    if cli.datamodule.batch_size != cli.config.data.init_args.batch_size:
        print(f"data.batch_size {cli.datamodule.batch_size}: as BatchSizeFinder has found", flush=True)
    if cli.verb == "fit":
        _set_aside(cli.run)
        show_images(cli.run, cli.datamodule)
        cli.datamodule.keep_division(cli.run.division)
        if cli.curves is not None and cli.continued is not None:
            cli.curves.continue_from(cli.saved.get("metrics_rows"), int(cli.saved["global_step"]))
        # not before: until now, a setting may have been auto
        for logger in cli.trainer.loggers if cli.config.trainer.enable_autolog_hparams else ():
            logger.log_hyperparams(cli.plain_config())
    _save_config(cli, cli.run.config(cli.verb))


def _set_aside(run: Run) -> None:
    """Take from a run that goes on what it says of its best weights; the table stays, as an earlier one.

    A fit that is stopped before it has scored its new best weights so leaves nothing that speaks of others.
    """
    set_aside(run.predictions("validate"))
    run.scores("validate").unlink(missing_ok=True)
    run.finished.unlink(missing_ok=True)


def _claimed(cli: Cli, parent: Path, name: str) -> Run:
    """The run in which the same command has left a table unfinished; else a new one."""
    if cli.verb == "fit":
        return claim(parent, name, again=cli.arguments.run.resume == "auto")
    predictions: PredictionWriter = cli.config_init.predictions

    def begun(table: Path) -> Work | None:
        return predictions.begun(table, cli.trainer, cli.model, cli.datamodule, cli.verb)

    table = Path(at_home(predictions.path)) if predictions.path else None
    return unfinished_run(parent, name, cli.verb, table, begun) or claim(parent, name)


def _save_config(cli: Cli, path: Path) -> None:
    # of the checkpoint that fit goes on from, only this start knows: the config may begin another run
    config = dict(cli.plain_config())
    if cli.verb == "fit":
        config["ckpt_path"] = None
    header = "".join(f"# {line}\n" for line in cli.parser.dump_header or ())
    text = header + to_yaml(config)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
        if cli.verb == "fit":
            keep_previous(path, stays=True)
