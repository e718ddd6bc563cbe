"""Cli: a LightningCLI for one verb, which knows runs and checkpoints, and ignores no setting."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, final

from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from vitcli.cli.built import as_json, built
from vitcli.cli.exit import DONE, FINDINGS
from vitcli.cli.idle import refuse_idle, refuse_unused
from vitcli.cli.parser_errors import one_line
from vitcli.cli.shipped import configs_first
from vitcli.cli.trainer.arguments import Arguments, base_configs, read_arguments
from vitcli.cli.trainer.asking import settle
from vitcli.cli.trainer.auto import record, take_found
from vitcli.cli.trainer.beginning import have_taught, start_from
from vitcli.cli.trainer.callbacks import Callbacks
from vitcli.cli.trainer.config_file import load_config
from vitcli.cli.trainer.conflicts import changed, check_epochs, honour, repeated
from vitcli.cli.trainer.dealing import changed_step, deal_out
from vitcli.cli.trainer.ending import after_fit, after_predict, after_scoring
from vitcli.cli.trainer.hold import held
from vitcli.cli.trainer.images_of_run import check_images, moved
from vitcli.cli.trainer.imports import allow, take_allowed
from vitcli.cli.trainer.left_out import left_out_lines
from vitcli.cli.trainer.loggers import close_loggers, logger_names, loggers_of, take_wandb
from vitcli.cli.trainer.positional import begins_with, with_options
from vitcli.cli.trainer.quiet import in_our_words
from vitcli.cli.trainer.resume import check_own, find_start
from vitcli.cli.trainer.run_folder import chosen_run, lay_out
from vitcli.cli.trainer.sections import add_sections, fill_classes
from vitcli.cli.trainer.settings import TRAINER_DEFAULTS, trainer_settings
from vitcli.cli.trainer.splitting import split_line, splitting
from vitcli.cli.trainer.summary import describe
from vitcli.cli.trainer.unwritten import unwritten_is_told
from vitcli.cli.trainer.yaml_text import to_word
from vitcli.data import ImageData
from vitcli.errors import ConfigError, DataError
from vitcli.machine.lock import Lock
from vitcli.machine.malloc import return_freed_blocks
from vitcli.names import printable
from vitcli.net.counts import macs
from vitcli.net.kernels.undrawn import undrawn
from vitcli.run import CACHE, Run, check_name
from vitcli.train import distill
from vitcli.train.balance import check_once
from vitcli.train.classifier import Classifier
from vitcli.train.ema import from_checkpoint
from vitcli.train.output.csv_log import MetricsCsv
from vitcli.train.safety.best import BestCheckpoint
from vitcli.train.safety.launch import take_over
from vitcli.train.safety.ranks import Ranks
from vitcli.train.safety.spare import Spare
from vitcli.train.safety.write import CheckpointFiles
from vitcli.train.sizes.advice import explained
from vitcli.weights.open import open_pretrained
from vitcli.weights.pretrained import Pretrained


def cli_of(verb: str, words: Sequence[str], *, only_parses: bool = False) -> Cli:
    """A verb, parsed and built, of the words that were typed after it.

    Args:
        verb: fit, validate, test or predict.
        words: The words.
        only_parses: Whether nothing is built, for who only wants to know what the words mean.
    """
    rest, opened = take_allowed(words)
    allow(opened)
    parsed, first = configs_first(with_options(verb, rest)), begins_with(verb, rest)
    return Cli(verb, parsed, opened, begins_with=first, only_parses=only_parses)


@final
class Cli(LightningCLI):
    """One verb of vitcli: parse, build, do.

    Only this verb's parser is built. What a checkpoint says is laid under what the user typed, as a config that
    comes first; then the two are compared, and nothing that was typed is ignored.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.
        opened: Packages from which a config may import.
        begins_with: The config of a new run that names none.
        only_parses: Whether nothing is built, for who only wants to know what the words mean.
    """

    def __init__(
        self,
        verb: str,
        words: Sequence[str],
        opened: Sequence[str] = (),
        *,
        begins_with: Path | None = None,
        only_parses: bool = False,
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
        self.begins_with = begins_with if self.checkpoint is None else None
        if self.begins_with is not None:
            self.told.append(f"config: {self.begins_with.stem}, as no other was given")
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
        add_sections(parser, self.verb)

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
            first = [] if self.begins_with is None else [f"--config={self.begins_with}"]
            words = first + [f"--config={to_word(base)}" for base in bases] + list(args)
            self.config = parser.parse_args(words)
            if self.verb == "fit" and not self.config.model.classes:
                data: ImageData = built(parser, self.config, only="data").data
                fill_classes(self.config, data.find_classes())
        except argparse.ArgumentError as error:
            raise ConfigError(one_line(str(error), parser, self.arguments.words)) from error
        refuse_idle(self.verb, self.arguments.words, self.config, weights=self.checkpoint is None)
        take_found(self.verb, self.config, bases)

    def instantiate_classes(self) -> None:
        """Build everything, look for contradictions and at the images, and only then touch the disk."""
        if self.only_parses:
            return
        try:
            wandb_options = self._build()
            self._make_trainer()
            self._take_folder()
            self._make_writers(wandb_options)
        except BaseException as error:
            self.abandon()
            if isinstance(error, DataError) and (told := moved(self, str(error))):
                raise DataError(told) from error
            raise

    def abandon(self) -> None:
        """Remove the folder of a run that was refused before it began; one that holds anything stays."""
        if self.lock is not None:
            self.lock.release()
        if self.run is not None and not self.callbacks.accepted.is_accepted:
            with suppress(OSError):
                self.run.folder.rmdir()

    def _build(self) -> list[dict[str, Any]]:
        """Model and data, and what the net begins with; options of wandb's loggers, which are built last."""
        config = self.config.clone()
        if self.arguments.run.name is not None:
            check_name(self.arguments.run.name)
        wandb_options = take_wandb(config.trainer)
        with nullcontext() if self.verb == "fit" else undrawn():
            self.config_init = built(self.parser, config)
        self.model, self.datamodule = self.config_init.model, self.config_init.data
        if self.config.data.init_args.cache_dir is None:
            self.datamodule.kept_in = Path(self.arguments.run.dir) / CACHE
        if self.checkpoint is not None:
            self.told += honour(self.model, self.saved, self.checkpoint, self.verb, is_own=self.start.is_own)
        if self.start.is_own:
            check_own(self.start, self.plain_config())
        if self.verb == "fit" and self.checkpoint is None:
            check_once(self.model.class_weights, self.datamodule.sampler)
        if self.verb == "fit" and self.checkpoint is not None:
            check_epochs(self.saved, self.config.trainer.max_epochs)
        if self.verb == "fit" and self.continued is not None:
            self.told += changed(load_config(str(self.continued.config("fit"))), self.plain_config())
        if self.pretrained is not None:
            self.told += start_from(self.pretrained, self.model, self.verb)
        if self.verb == "fit":
            taught = self.config_init.distill
            self.told += have_taught(self.model, taught, self.saved, self.config.trainer.max_epochs)
        return wandb_options

    def _make_trainer(self) -> None:
        self.ranks.timeout_seconds = self.config_init.run.timeout_seconds
        self.callbacks = Callbacks(self)
        own = self.callbacks.listed
        kept: BestCheckpoint = self.config_init.checkpoint
        settings = trainer_settings(self.config_init.trainer, self.model.net, self.arguments.run.dir, own, kept)
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

    def _take_folder(self) -> None:
        """Look at the images, and only then take a run's folder; in the first process alone."""
        if self.continued is not None:
            self.datamodule.kept_division = self.continued.division
        if is_first():
            self.datamodule.prepare_data()
            self.datamodule.setup(self.verb)
            refuse_unused(self.arguments.words, self._unused())
            self.told += check_images(self)
            self.told += settle(self.config_init.predictions, self.model, self.verb, self.continued, self.saved)
            self.run = chosen_run(self)
            self.lock = held(self.run, self.verb, self.start, self.config_init.predictions.path)
            lay_out(self, self.run)
            self.told += left_out_lines(self.run, self.datamodule) if self.verb == "fit" else []
            self._say_what()

    def _make_writers(self, wandb_options: list[dict[str, Any]]) -> None:
        """Loggers, and what writes checkpoints."""
        self.trainer.loggers = loggers_of(self.config_init.trainer.logger, wandb_options, self.verb, self.run)
        if self.verb == "fit":
            self.curves = MetricsCsv(self.run.metrics if self.run else Path(os.devnull))
            self.callbacks.exact.curves = self.curves
            self.trainer.loggers = [*self.trainer.loggers, self.curves]
        if type(self.trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            # a logger that uploads checkpoints is told of one as soon as it is saved
            read = any(getattr(logger, "uploads", True) for logger in self.trainer.loggers)
            options = self.config_init.run
            spare = None if self.run is None else Spare(options.spare_dir, self.run)
            files = CheckpointFiles(in_passing=not read, keep=options.keep, spare=spare)
            self.trainer.strategy.checkpoint_io = files

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
                self.callbacks.stops.raise_if_asked()
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
        close_loggers(getattr(getattr(self, "trainer", None), "loggers", []))

    def plain_config(self) -> dict[str, Any]:
        """The whole config in the types of a config file."""
        if self._plain is None:
            self._plain = json.loads(as_json(self.parser, self.config))
        return self._plain

    def record(self, key: str, value: Any) -> None:
        """Put a value that was found into the config."""
        record(self.config, key, value)
        self._plain = None

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
