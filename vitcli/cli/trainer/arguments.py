"""Arguments that decide the defaults (run, checkpoint, weights), read before the whole parser is built upon them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vitcli.cli.idle import typed
from vitcli.cli.trainer.config_file import check_words, load_config
from vitcli.cli.trainer.imports import check_imports
from vitcli.cli.trainer.secrets import refuse_secrets
from vitcli.cli.trainer.taken_over import taken_over
from vitcli.cli.words import said_by
from vitcli.errors import ConfigError, WeightsError
from vitcli.images.source.roots import END
from vitcli.names import at_home
from vitcli.run import RunOptions, default_name, find, resolve_checkpoint, run_of

# what the model, or the run, hands to the data
LINKED = {"preprocess": "model.preprocess", "classes": "model.classes", "seed": "seed_everything"}
EVALUATING = ("validate", "test", "predict")
LONGEST_NUMBER = 10
# numpy takes no larger one
LARGEST_SEED = 2**32 - 1
BACKEND = "model.net.backend"


@final
@dataclass(frozen=True)
class Arguments:
    """The part of a command line that decides what its defaults are.

    Args:
        verb: fit, validate, test or predict.
        words: All words after the verb, as typed.
        configs: Config files in their order.
        ckpt_path: As typed, if at all.
        weights: As typed, if at all.
        run: Where the run lies.
        root: The image folder, as typed, if at all; None for several.
        fold: Which fold of the images is val, if they are divided so.
        said: Every setting of the words and configs, as (key, value); a key knows no init_args.
    """

    verb: str
    words: tuple[str, ...]
    configs: tuple[str, ...]
    ckpt_path: str | None
    weights: str | None
    run: RunOptions
    root: str | None
    fold: int | None = None
    said: frozenset[tuple[str, str]] = frozenset()

    @property
    def run_name(self) -> str:
        """The run's name: the one typed, else the config's, else the image folder's."""
        return self.run.name or default_name(list(self.configs), self.root, self.fold)

    @property
    def only_asks(self) -> bool:
        """Nothing is to be done but to print a help text or a config."""
        return any(word.startswith("--print_") or ".help" in word or word == "--help-all" for word in self.words)

    def checkpoint(self) -> Path | None:
        """The checkpoint that is meant, if one is.

        Raises:
            WeightsError: It is not there.
            ConfigError: validate, test or predict were given none: random weights have no score.
        """
        parent = Path(self.run.dir)
        if self.ckpt_path is not None and self.weights is not None:
            raise ConfigError(
                f"--weights {self.weights}: not together with --ckpt_path {self.ckpt_path}; a checkpoint continues its "
                "run, weights start a new one"
            )
        if self.ckpt_path is None:
            if self.verb in EVALUATING and self.weights is None and not self.only_asks:
                raise ConfigError(f"--ckpt_path is missing: {self.verb} needs trained weights; {_known_runs(parent)}")
            return None
        run = find(parent, self.run_name, exact=self.run.name is not None)
        return resolve_checkpoint(self.ckpt_path, self.verb, run, str(parent / self.run_name))


def read_arguments(verb: str, words: Sequence[str], opened: Sequence[str] = ()) -> Arguments:
    """Read what a command line, and the configs it names, say about run and checkpoint.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.
        opened: Packages from which a config may import.

    Raises:
        ConfigError: A config file is missing or is not YAML, names a class of another package, or sets what follows
            from another setting.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", "-c", action="append", default=[])
    own = ("--ckpt_path", "--weights", "--run.name", "--run.dir", "--run.resume")
    for name in (*own, *_either_way("root"), *_either_way("fold")):
        parser.add_argument(name)
    try:
        known = vars(parser.parse_known_args(list(words))[0])
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error.argument_name}: {error.message}") from error
    check_words(words)
    _check_linked_words(words)
    said: dict[str, Any] = {}
    contents = {config: load_config(config) for config in known["config"]}
    refuse_secrets(words, contents)
    settings = set(typed(words))
    for config, content in contents.items():
        settings.update((key, str(value)) for key, value in said_by(content))
        check_imports(config, content, opened)
        _check_linked(config, content)
        said |= _told_by(content)
    said |= {key: value for key, value in known.items() if value is not None}
    _check_values(settings, said)
    ckpt_path, weights = said.get("ckpt_path"), said.get("weights")
    root, fold = (said.get(f"data.{name}", said.get(f"data.init_args.{name}")) for name in ("root", "fold"))
    return Arguments(
        verb=verb,
        words=tuple(words),
        configs=tuple(known["config"]),
        ckpt_path=None if ckpt_path in {None, "null"} else at_home(str(ckpt_path)),
        weights=None if weights in {None, "null"} else at_home(str(weights)),
        run=RunOptions(
            said.get("run.name"),
            at_home(str(said.get("run.dir") or RunOptions().dir)),
            "auto" if said.get("run.resume") == "auto" else "never",
        ),
        root=None if root is None or isinstance(root, list) or END in str(root) else str(root),
        # what is no number the parser refuses
        fold=int(str(fold)) if str(fold).isdecimal() and len(str(fold)) < LONGEST_NUMBER else None,
        said=frozenset(settings),
    )


def _check_values(settings: Iterable[tuple[str, str]], said: Mapping[str, Any]) -> None:
    """Check values that the parser would refuse under another name, or would take for none."""
    for seed in (value for key, value in settings if key == "seed_everything"):
        is_number = seed.isascii() and seed.isdigit() and len(seed) <= LONGEST_NUMBER
        if not (is_number and int(seed) <= LARGEST_SEED):
            raise ConfigError(
                f"seed_everything {seed[:100]}: is no whole number from 0 to {LARGEST_SEED}; give one, so that the run "
                "can be repeated"
            )
    for key in ("ckpt_path", "weights"):
        if said.get(key) == "":
            raise ConfigError(f"--{key}: is empty, as of a variable that is not set; name a file, or leave it out")


def _either_way(name: str) -> tuple[str, str]:
    """The options that set a number or a word of the data."""
    return f"--data.{name}", f"--data.init_args.{name}"


def _check_linked(config: str, content: dict[str, Any]) -> None:
    """Check that a config sets nothing that follows from another setting, and so would be ignored.

    Args:
        config: The file, for the message.
        content: What it holds.

    Raises:
        ConfigError: It does.
    """
    data = content.get("data")
    typed = {**data, **(data.get("init_args") or {})} if isinstance(data, dict) else {}
    for name, source in LINKED.items():
        if typed.get(name) is not None:
            raise ConfigError(f"--config {config}: data.{name}: follows from {source}; set that instead")


def _check_linked_words(words: Sequence[str]) -> None:
    for word in words:
        found = re.fullmatch(r"--data(?:\.init_args)?\.(\w+)((?:\.\w+)*)(=.*)?", word)
        if found and (source := LINKED.get(found[1])):
            raise ConfigError(
                f"data.{found[1]}{found[2]}: follows from {source}; set --{source}{found[2]} instead, which holds for "
                "training and prediction alike"
            )


def base_configs(
    arguments: Arguments, checkpoint: Path | None, settings: dict[str, Any], opened: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """What holds where the user types nothing else: the run's own config, then the checkpoint's contract.

    fit goes on with everything its run was started with; validate and test take the images, and the precision
    in which they were trained; predict takes nothing but the contract. None of the three compiles unasked, which may
    take minutes, and a compiler that this machine need not have.

    Args:
        arguments: The command line.
        checkpoint: The checkpoint that is meant.
        settings: The checkpoint's hyper-parameters, plain.
        opened: Packages and modules that the user trusts.

    Raises:
        WeightsError: The backend is a stranger's, and the user has not named it.
        ConfigError: The run's config holds something that has to be typed again.
    """
    if checkpoint is None:
        return []
    _check_trusted(arguments, checkpoint, str(settings["net"]["backend"]["class_path"]))
    contract = {"model": settings if arguments.verb == "fit" else {**settings, "compile": False}}
    run = run_of(checkpoint)
    if run is None or arguments.verb == "predict":
        return [contract]
    return [taken_over(run, arguments.verb, {key for key, _ in arguments.said}, opened), contract]


def _check_trusted(arguments: Arguments, checkpoint: Path, backend: str) -> None:
    """A backend that is not ours is imported because the user names it, never because a checkpoint does."""
    named = {value for key, value in arguments.said if key in (BACKEND, f"{BACKEND}.class_path")}
    if not re.fullmatch(r"vitcli\.net\.\w+", backend) and backend not in named:
        raise WeightsError(
            f"--ckpt_path {checkpoint}: its backend {backend[:100]} is not vitcli's own, and is not imported on a "
            f"checkpoint's word; if you trust it, say --{BACKEND} {backend[:100]}"
        )


def _told_by(content: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key in ("ckpt_path", "weights"):
        if content.get(key) is not None:
            told[key] = content[key]
    for key, value in (content.get("run") or {}).items():
        told[f"run.{key}"] = value
    data = content.get("data")
    if isinstance(data, dict):
        for key in ("root", "fold"):
            value = data.get(key, (data.get("init_args") or {}).get(key))
            if value is not None:
                told[f"data.{key}"] = value
    return told


def _known_runs(parent: Path) -> str:
    checkpoints = sorted(parent.glob("*/checkpoints/*.ckpt"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        return "train some with vitcli fit, or name a .ckpt file"
    return f"give a .ckpt file or a run's folder, e.g. --ckpt_path {checkpoints[-1].parent.parent}"
