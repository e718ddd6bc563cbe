"""Cli: a LightningCLI for one verb, which knows runs and checkpoints, and ignores no setting."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, final

from jsonargparse import ArgumentParser, Namespace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from vitcli.cli.exit import DONE, FINDINGS
from vitcli.cli.idle import refuse_idle, refuse_unused
from vitcli.cli.parser_errors import one_line
from vitcli.cli.trainer.accepted import WhenAccepted
from vitcli.cli.trainer.afterwards import ReportOptions
from vitcli.cli.trainer.arguments import Arguments, base_configs, read_arguments
from vitcli.cli.trainer.asking import settle
from vitcli.cli.trainer.auto import is_auto, record, take_found
from vitcli.cli.trainer.config_file import load_config
from vitcli.cli.trainer.conflicts import changed, honour, repeated
from vitcli.cli.trainer.dealing import changed_step, deal_out
from vitcli.cli.trainer.ending import after_fit, after_predict, after_scoring
from vitcli.cli.trainer.hold import held
from vitcli.cli.trainer.left_out import left_out_lines, show_images
from vitcli.cli.trainer.quiet import in_our_words
from vitcli.cli.trainer.resume import check_own, find_start
from vitcli.cli.trainer.settings import TRAINER_DEFAULTS, logger_names, take_wandb, trainer_settings
from vitcli.cli.trainer.splitting import split_line, splitting
from vitcli.cli.trainer.summary import describe
from vitcli.cli.trainer.unwritten import unwritten_is_told
from vitcli.cli.trainer.whole_help import HelpAll
from vitcli.cli.trainer.yaml_text import to_yaml
from vitcli.data import ImageData
from vitcli.errors import ConfigError
from vitcli.machine.atomic import keep_previous, replacing
from vitcli.machine.lock import Lock
from vitcli.machine.malloc import return_freed_blocks
from vitcli.names import at_home, printable, quoted
from vitcli.net.counts import macs
from vitcli.net.kernels.undrawn import undrawn
from vitcli.predictions.options import check_table
from vitcli.predictions.unfinished_run import unfinished_run
from vitcli.run import CACHE, Run, RunOptions, check_name, claim
from vitcli.table.work import Work
from vitcli.train import distill
from vitcli.train.classifier import Classifier
from vitcli.train.ema import EmaOptions, WeightAverage, changes, from_checkpoint
from vitcli.train.monitors import Monitors
from vitcli.train.output.console import EpochLines, Unreadable
from vitcli.train.output.csv_log import MetricsCsv
from vitcli.train.output.pace import Pace
from vitcli.train.output.predictions import PredictionWriter
from vitcli.train.output.wandb_log import PatientWandbLogger, wandb_logger
from vitcli.train.probe.options import ProbeOptions
from vitcli.train.probe.probe import Probe
from vitcli.train.safety.alike import Alike
from vitcli.train.safety.best import BestCheckpoint
from vitcli.train.safety.exact import ExactResume
from vitcli.train.safety.finite_scores import FiniteScores
from vitcli.train.safety.last import KeepLast
from vitcli.train.safety.launch import take_over
from vitcli.train.safety.nonfinite import NonFinite
from vitcli.train.safety.ranks import Ranks
from vitcli.train.safety.reseed import Reseed
from vitcli.train.safety.signals import Stops
from vitcli.train.safety.spare import Spare
from vitcli.train.safety.timed import Timed
from vitcli.train.safety.write import CheckpointFiles
from vitcli.train.sharding.even import EvenForwards
from vitcli.train.sizes.advice import explained
from vitcli.train.sizes.finder import FindSizes
from vitcli.train.stop import Stop, StopOptions
from vitcli.train.teacher import open_teacher
from vitcli.weights import load_into
from vitcli.weights.imagenet import IMAGENET, imagenet
from vitcli.weights.open import open_pretrained
from vitcli.weights.pretrained import Pretrained


@final
class Cli(LightningCLI):
    """One verb of vitcli: parse, build, do.

    Only this verb's parser is built. What a checkpoint says is laid under what the user typed, as a config that
    comes first; then the two are compared, and nothing that was typed is ignored.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.
        opened: Packages from which a config may import.
        only_parses: Whether nothing is built, for who only wants to know what the words mean.
    """

    def __init__(
        self, verb: str, words: Sequence[str], opened: Sequence[str] = (), *, only_parses: bool = False
    ) -> None:
        self.verb = verb
        self.only_parses = only_parses
        self.opened = opened
        self.start = find_start(read_arguments(verb, words, opened))
        self.arguments: Arguments = self.start.arguments
        self.checkpoint: Path | None = self.start.checkpoint
        self.continued: Run | None = self.start.run
        self.saved: dict[str, Any] = self.start.saved
        self.lock: Lock | None = None
        self.ranks = Ranks(verb)
        weights = None if self.arguments.only_asks else self.arguments.weights
        self.pretrained: Pretrained | None = open_pretrained(weights, to_train=verb == "fit") if weights else None
        self.told: list[str] = list(self.start.told)
        self.run: Run | None = None
        # multiply-accumulates of an image, which fit counts
        self.macs: int | None = None
        self.curves: MetricsCsv | None = None
        self._plain: dict[str, Any] | None = None
        super().__init__(
            Classifier,
            ImageData,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs={"prog": f"vitcli {verb}", "exit_on_error": False, "allow_abbrev": False},
            args=list(words),
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The sections beside trainer, model and data, and what follows from what."""
        parser.add_argument("--help-all", action=HelpAll, help="Show all options and exit.")
        parser.add_argument("--ckpt_path", type=str | None, help="A .ckpt file, a run folder, 'last' or 'best'.")
        parser.add_argument("--weights", type=str | None, help="Weights to start from: a file, timm:NAME, ...")
        parser.add_class_arguments(RunOptions, "run")
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.add_class_arguments(EmaOptions, "ema")
        parser.add_class_arguments(StopOptions, "stop")
        parser.add_class_arguments(ProbeOptions, "probe")
        parser.add_class_arguments(distill.DistillOptions, "distill")
        parser.add_lightning_class_args(PredictionWriter, "predictions")
        parser.add_class_arguments(ReportOptions, "report")
        source = "UnlabelledData" if self.verb == "predict" else "FolderData"
        parser.set_defaults({"data": {"class_path": f"vitcli.data.{source}"}})
        parser.link_arguments("model.net.image_size", "model.preprocess.size", compute_fn=_both_sides)
        parser.link_arguments("model.classes", "model.net.classes", compute_fn=_count)
        parser.link_arguments("model.preprocess", "data.init_args.preprocess")
        parser.link_arguments("model.classes", "data.init_args.classes")
        parser.link_arguments("seed_everything", "data.init_args.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the words over what the run and its checkpoint say; read the classes of a new run from its folders."""
        settings = self.saved.get("hyper_parameters", {})
        bases = base_configs(self.arguments, self.checkpoint, settings, self.opened)
        if self.verb == "fit":
            bases.insert(0, from_checkpoint(self.saved, self.checkpoint))
            bases.insert(0, distill.from_checkpoint(self.saved, self.checkpoint))
        if self.pretrained is not None:
            bases.append(self.pretrained.base_config(fresh=self.verb == "fit"))
        try:
            words = [f"--config={json.dumps(base)}" for base in bases] + list(args)
            self.config = parser.parse_args(words)
            if self.verb == "fit" and not self.config.model.classes:
                found = {"model": {"classes": list(_build_data(self.config.data).find_classes())}}
                self.config = parser.parse_object(found, self.config)
        except argparse.ArgumentError as error:
            raise ConfigError(one_line(str(error), parser, self.arguments.words)) from error
        refuse_idle(self.verb, self.arguments.words, self.config, weights=self.checkpoint is None)
        take_found(self.verb, self.config, bases)

    def instantiate_classes(self) -> None:
        """Build everything, look for contradictions and at the images, and only then touch the disk."""
        if self.only_parses:
            return
        try:
            self._build()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Remove the folder of a run that was refused before it began; one that holds anything stays."""
        if self.lock is not None:
            self.lock.release()
        if self.run is not None and not self.accepted.is_accepted:
            with suppress(OSError):
                self.run.folder.rmdir()

    def _build(self) -> None:
        config = self.config.clone()
        if self.arguments.run.name is not None:
            check_name(self.arguments.run.name)
        wandb_options = take_wandb(config.trainer)
        with nullcontext() if self.verb == "fit" else undrawn():
            self.config_init = self.parser.instantiate_classes(config)
        self.model, self.datamodule = self.config_init.model, self.config_init.data
        if self.config.data.init_args.cache_dir is None:
            self.datamodule.kept_in = Path(self.arguments.run.dir) / CACHE
        if self.checkpoint is not None:
            self.told += honour(self.model, self.saved, self.checkpoint, self.verb, is_own=self.start.is_own)
        if self.start.is_own:
            check_own(self.start, self.plain_config())
        if self.verb == "fit" and self.continued is not None:
            self.told += changed(load_config(str(self.continued.config("fit"))), self.plain_config())
        self._start_from_weights()
        if self.verb == "fit":
            self._find_teacher(self.config_init.distill)
        self.ranks.timeout_seconds = self.config_init.run.timeout_seconds
        self.keep_last = KeepLast()
        self.stops = Stops(self.keep_last, self.ranks)
        self.keep_last.timed = Timed(self.config_init.run.save_minutes)
        self.accepted = WhenAccepted(self._write)
        batch_size, rate = (is_auto(self.config, key) for key in ("data.batch_size", "model.optimizer.lr"))
        self.sizes = FindSizes(batch_size, rate, self._record)
        self.probe = Probe(self.config_init.probe if self.checkpoint is None else ProbeOptions(), self._record)
        self.probe.check(self.model.net)
        step = f"{self.checkpoint.name}, step {self.saved['global_step']}" if self.checkpoint is not None else ""
        own: list[Callback] = [Alike(step), Monitors(), self.accepted, self.probe, self.sizes]
        own += [Unreadable(), EpochLines()]
        if self.verb == "fit":
            own.insert(0, EvenForwards())
            own += [NonFinite(self.config_init.run.on_nan, self.config_init.run.max_skipped), FiniteScores()]
        self.pace = Pace()
        self.exact = ExactResume()
        own += [Reseed(self.config.seed_everything), self.pace, self.exact, self.keep_last, self.stops]
        # last, so that all that look at the net when a validation begins see the weights themselves
        own += self._averaged() if self.verb == "fit" else []
        settings = trainer_settings(self.config_init.trainer, self.model.net, self.arguments.run.dir, own)
        settings |= splitting(self.verb, self.config_init.trainer)
        if self.verb == "predict" and (names := logger_names(self.config.trainer)):
            self.told.append(f"trainer.logger {', '.join(names)}: predict reaches no score that it could log")
        self.told += in_our_words(self.config.trainer)
        if "precision" in settings:
            self.told.append(
                f"trainer.precision {self.config.trainer.precision}: slower on this CPU, which has no bfloat16 "
                "instructions; computing in 32-true"
            )
        # Lightning adds these behind the named sections; KeepLast has to come after ModelCheckpoint
        self.trainer_defaults = {**TRAINER_DEFAULTS, "callbacks": own}
        self.trainer = self.instantiate_trainer(logger=False, **settings)
        take_over(self.trainer, self.ranks)
        if self.verb == "fit":
            self.told += split_line(self.trainer, self.model)
            self.told += deal_out(self.trainer, self.datamodule)
            self.told += changed_step(self.trainer, self.datamodule, self.saved)
        if self.continued is not None:
            self.datamodule.kept_division = self.continued.division
        if is_first():
            self.datamodule.prepare_data()
            self.datamodule.setup(self.verb)
            refuse_unused(self.arguments.words, self._unused())
            self.told += settle(self.config_init.predictions, self.model, self.verb, self.continued, self.saved)
            self.run = self._run()
            self.lock = held(self.run, self.verb, self.start, self.config_init.predictions.path)
            self._lay_out(self.run)
            self.told += left_out_lines(self.run, self.datamodule) if self.verb == "fit" else []
            self._say_what()
        self.trainer.loggers = self._loggers(wandb_options)
        if type(self.trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            # a logger that uploads checkpoints is told of one as soon as it is saved
            read = any(getattr(logger, "uploads", True) for logger in self.trainer.loggers)
            options = self.config_init.run
            spare = None if self.run is None else Spare(options.spare_dir, self.run)
            files = CheckpointFiles(in_passing=not read, keep=options.keep, spare=spare)
            self.trainer.strategy.checkpoint_io = files

    def _find_teacher(self, options: distill.DistillOptions) -> None:
        """Have the net taught by another one, if that is wanted, and by the same one as before.

        Raises:
            ConfigError: Nothing is trained, or the teacher does not suit.
        """
        if options.weights is not None and self.config.trainer.max_epochs == 0:
            raise ConfigError(
                f"distill.weights {options.weights}: teaches while a net is trained, and trainer.max_epochs is 0; give "
                "some epochs, or leave it out"
            )
        if options.weights is not None and options.tokens and self.model.compiles:
            raise ConfigError(
                f"distill.tokens {options.tokens:g}: looks into the net, which model.compile does not allow; leave out "
                "one of them"
            )
        teacher = self.model.teacher = open_teacher(options, self.model.classes, self.model.net)
        self.told += [] if teacher is None else [teacher.told(self.model.preprocess.size)]
        self.told += distill.changes(self.saved, options, None if teacher is None else teacher.digest)

    def _averaged(self) -> list[Callback]:
        """What averages the weights, if that is wanted, and what stops early."""
        options: EmaOptions = self.config_init.ema
        self.told += changes(self.saved, options)
        if options.decay is not None:
            self.model.average = WeightAverage(options.decay)
        return [Stop(self.config_init.stop), *filter(None, [self.model.average])]

    def _unused(self) -> dict[str, str]:
        """Settings that make no difference to these images, and why, but for those that the run was started with."""
        unused = dict(self.datamodule.unused)
        if unused and self.continued is not None:
            for key in repeated(load_config(str(self.continued.config("fit"))), vars(self.config.data.init_args)):
                unused.pop(key, None)
        return unused

    def execute(self) -> int:
        """Do what the verb says, and tell what was reached and where it lies.

        Returns:
            Exit code: 3 if too many images of the table have no prediction.
        """
        with explained(self.trainer, self.model, self.datamodule, self.verb):
            self._do()
        too_many = self.verb != "fit" and self.config_init.predictions.has_too_many_errors
        return FINDINGS if too_many else DONE

    def _do(self) -> None:
        if self.verb == "fit":
            with unwritten_is_told(self.trainer):
                self.trainer.fit(self.model, self.datamodule, ckpt_path=self.checkpoint)
                self.stops.raise_if_asked()
                # what follows imports large libraries, which need addresses
                return_freed_blocks()
                after_fit(self)
        elif self.verb == "predict":
            self.trainer.predict(self.model, self.datamodule, return_predictions=False)
            after_predict(self)
        else:
            getattr(self.trainer, self.verb)(self.model, self.datamodule, verbose=False)
            after_scoring(self)

    def tell(self, lines: Sequence[str]) -> None:
        """Print lines, in the first process alone."""
        if self.run is not None and lines:
            # names of classes and files may hold anything
            print("\n".join(map(printable, lines)), flush=True)

    def close(self) -> None:
        """Let loggers store what they hold."""
        for logger in getattr(getattr(self, "trainer", None), "loggers", []):
            if isinstance(logger, PatientWandbLogger):
                logger.finish()

    def _start_from_weights(self) -> None:
        """Start the net from weights; a head of other classes stays as it was drawn."""
        if self.pretrained is None:
            return
        same_classes = self.verb != "fit" or self.pretrained.classes == self.model.classes
        report = load_into(
            self.model.net, self.pretrained.net, resampling=self.pretrained.resampling, head=same_classes
        )
        self.told.append(f"weights: {self.pretrained.name}: {report}")
        if self.verb != "fit" and self.pretrained.may_be_imagenets and self.model.classes == imagenet():
            self.told.append(
                f"classes: the weights name none of their {IMAGENET}, so they are taken for ImageNet's; "
                f"others are named by vitcli import {quoted(self.pretrained.name)} --classes names.txt "
                "--out named.safetensors"
            )

    def _run(self) -> Run:
        """The checkpoint's own run, unless the user names another place; else a new one."""
        options, continued = self.arguments.run, self.continued
        if continued is not None:
            parent = continued.folder.parent if options.dir == RunOptions().dir else Path(options.dir)
            wished = parent / (options.name or continued.name)
            return continued if wished.resolve() == continued.folder.resolve() else self._claimed(parent, wished.name)
        # what is scored or predicted without a run of its own goes by its weights
        weights = self.checkpoint or (Path(self.arguments.weights or "") if self.verb != "fit" else None)
        name = options.name or (weights.stem.replace(":", "-") if weights else self.arguments.run_name)
        return self._claimed(Path(options.dir), name)

    def _claimed(self, parent: Path, name: str) -> Run:
        """The run in which the same command has left a table unfinished; else a new one."""
        if self.verb == "fit":
            return claim(parent, name, again=self.arguments.run.resume == "auto")
        predictions = self.config_init.predictions
        table = Path(at_home(predictions.path)) if predictions.path else None
        return unfinished_run(parent, name, self.verb, table, self._begun) or claim(parent, name)

    def _begun(self, table: Path) -> Work | None:
        predictions: PredictionWriter = self.config_init.predictions
        return predictions.begun(table, self.trainer, self.model, self.datamodule, self.verb)

    def _lay_out(self, run: Run) -> None:
        """Tell everything that writes where the run lies; the other processes are told by the first."""
        checkpoint, predictions = self.config_init.checkpoint, self.config_init.predictions
        checkpoint.dirpath = checkpoint.dirpath or str(run.checkpoints)
        predictions.path = at_home(predictions.path) if predictions.path else str(run.predictions(self.verb))
        check_table(predictions.path, escape_formulas=predictions.options.escape_formulas)
        predictions.options.columns(self.model.classes)
        if self.verb == "predict":
            predictions.check_sorting(self.trainer, self.model, self.datamodule)
        predictions.run = str(run.folder.absolute())
        self.keep_last.path = str(run.checkpoints / "last.ckpt")
        self.sizes.folder = run.folder
        self.probe.folder = self.datamodule.kept_in

    def _write(self) -> None:
        """What the run's folder receives of a verb before its first step."""
        assert self.run is not None
        if self.datamodule.batch_size != self.config.data.init_args.batch_size:
            print(f"data.batch_size {self.datamodule.batch_size}: as BatchSizeFinder has found", flush=True)
        if self.verb == "fit":
            show_images(self.run, self.datamodule)
            self.datamodule.keep_division(self.run.division)
            if self.curves is not None and self.continued is not None:
                self.curves.continue_from(self.saved.get("metrics_rows"), int(self.saved["global_step"]))
            # not before: until now, a setting may have been auto
            for logger in self.trainer.loggers if self.config.trainer.enable_autolog_hparams else ():
                logger.log_hyperparams(self.plain_config())
        self._save_config(self.run)

    def _save_config(self, run: Run) -> None:
        path = run.config(self.verb)
        # of the checkpoint that fit goes on from, only this start knows: the config may begin another run
        config = dict(self.plain_config())
        if self.verb == "fit":
            config["ckpt_path"] = None
        header = "".join(f"# {line}\n" for line in self.parser.dump_header or ())
        text = header + to_yaml(config)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
            if self.verb == "fit":
                keep_previous(path, stays=True)

    def plain_config(self) -> dict[str, Any]:
        """The whole config in the types of a config file."""
        if self._plain is None:
            self._plain = json.loads(self.parser.dump(self.config, skip_none=False, format="json"))
        return self._plain

    def _record(self, key: str, value: Any) -> None:
        """Put a value that was found into the config."""
        record(self.config, key, value)
        self._plain = None

    def _loggers(self, wandb_options: list[dict[str, Any]]) -> list[Any]:
        given = self.config_init.trainer.logger
        loggers = given if isinstance(given, list) else [given]
        loggers = [logger for logger in loggers if logger is not None]
        if self.verb == "predict":
            return []
        loggers += [wandb_logger(self.run, options) for options in wandb_options]
        if self.verb != "fit":
            return loggers
        self.curves = self.exact.curves = MetricsCsv(self.run.metrics if self.run else Path(os.devnull))
        return [*loggers, self.curves]

    def _say_what(self) -> None:
        if self.verb == "fit":
            # counting takes a second or so, which is nothing to a training
            self.macs = macs(self.model.net)
        told = describe(self.model, self.datamodule, self.verb, self.macs)
        lines = [*told, *self.datamodule.notices, *self.told]
        if self.checkpoint is not None:
            step = int(self.saved["global_step"])
            where = f"epoch {int(self.saved['epoch']) + 1}, step {step}"
            lines.append(
                f"going on from {self.checkpoint}, step {step}"
                if self.verb == "fit"
                else f"checkpoint: {self.checkpoint}, {where}"
            )
        self.tell(lines)


def is_first() -> bool:
    """Whether this is the process that writes; known from the environment, before there is a trainer."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _build_data(config: Namespace) -> ImageData:
    """The data module alone, to ask it for its classes before a model that needs them can be built."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ImageData, "data")
    data: ImageData = parser.instantiate_classes(parser.parse_object({"data": config})).data
    return data


def _count(classes: Sequence[str]) -> int:
    # jsonargparse would look up the types of the built-in one, in stubs that take it 0.3 s to parse
    return len(classes)


def _both_sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
