"""What fit's own parser says of a search before it begins: of the config as it is, and of each end of the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from jsonargparse import set_dumper

from vitcli.cli.built import built
from vitcli.cli.exit import users_mistake
from vitcli.cli.parser_errors import known
from vitcli.cli.trainer.cli import Cli, cli_of
from vitcli.cli.trainer.config_file import bound_parser
from vitcli.cli.trainer.loggers import take_wandb
from vitcli.cli.trainer.quiet import quieten
from vitcli.cli.trainer.refusals import refusal
from vitcli.cli.trainer.settings import DEFAULT_EPOCHS
from vitcli.cli.trainer.yaml_text import to_yaml
from vitcli.cli.words import said_by
from vitcli.errors import ConfigError
from vitcli.net.kernels.undrawn import undrawn
from vitcli.search.space import Space
from vitcli.train.monitors import check_monitor, metric_names
from vitcli.train.safety.best import direction


@final
@dataclass(frozen=True)
class Shipped:
    """The config as it is.

    Args:
        settings: Every setting by its key, in plain types; a class goes by its path.
        name: That a run of it would have.
        classes: How many classes there are.
    """

    settings: Mapping[str, Any]
    name: str
    classes: int

    @property
    def monitor(self) -> str | None:
        """The metric by which the best epoch is chosen; None if none is."""
        monitor = self.settings.get("checkpoint.monitor")
        return None if monitor is None else str(monitor)

    @property
    def seed(self) -> int:
        """Of the whole run."""
        return int(self.settings.get("seed_everything") or 0)

    @property
    def validations(self) -> int | None:
        """How many a whole run has; None: not known."""
        epochs, steps, seconds, each, interval = (
            self.settings.get(f"trainer.{name}")
            for name in ("max_epochs", "max_steps", "max_time", "check_val_every_n_epoch", "val_check_interval")
        )
        if interval not in (None, 1.0) or steps not in (None, -1) or seconds is not None:
            return None
        return max(1, int(epochs or DEFAULT_EPOCHS) // int(each or 1)) if epochs != -1 else None

    def lowest(self, objective: str) -> bool:
        """Whether the lowest value of a metric is the best; the config may say so of its own."""
        mode = self.settings.get("checkpoint.mode")
        is_own = objective == self.settings.get("checkpoint.monitor") and mode in ("min", "max")
        return (mode if is_own else direction(objective)) == "min"


def check_shipped(words: Sequence[str]) -> Shipped:
    """Have the config parsed as ``vitcli fit`` does.

    Args:
        words: Those of ``vitcli fit``.

    Raises:
        ConfigError: As fit would; what it says is left as it is.
    """
    quieten()
    set_dumper("yaml", to_yaml)
    bound_parser()
    cli = cli_of("fit", words, only_parses=True)
    settings = {key: _plain(value) for key, value in said_by(cli.plain_config())}
    # what is tried, not only parsed
    _tried(cli)
    leaves = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    return Shipped(leaves, cli.arguments.run_name, len(cli.config.model.classes))


def check_objective(objective: str, shipped: Shipped) -> None:
    """Check that a metric is one that fit logs.

    Raises:
        ConfigError: It is not.
    """
    check_monitor(
        "--objective", objective, [*metric_names(shipped.classes, "val"), *metric_names(shipped.classes, "train")]
    )


def check_space(file: str, space: Space, words: Sequence[str]) -> None:
    """Have each end and each choice of a space parsed, and its net built without numbers, before anything runs.

    Some settings go only with some of the others: of those that fail together, but each alone does not, nothing is
    said. A trial of them fails by itself.

    Args:
        file: Of the space, for messages.
        space: What is searched.
        words: Those of ``vitcli fit``.

    Raises:
        ConfigError: A key that is no setting, or a value that it cannot have.
    """
    done: set[tuple[str, str]] = set()
    for together in space.rounds():
        if _complaint(words, together) is not None:
            for key, value in together.items():
                if (key, value) not in done and (told := _complaint(words, {key: value})) is not None:
                    raise ConfigError(f"--space {file}: {told}")
        done |= set(together.items())


def _complaint(words: Sequence[str], values: Mapping[str, str]) -> str | None:
    """What fit says of a few settings more; None if it takes them."""
    more = [*words, *(f"--{key}={value}" for key, value in values.items())]
    try:
        _tried(cli_of("fit", more, only_parses=True))
    except Exception as error:
        told = users_mistake(error) or known(error) or refusal(error, more)
        if told is None:
            raise
        return told
    return None


def _tried(cli: Cli) -> None:
    """Build what the config says, without drawing the net's numbers and without looking at an image."""
    config = cli.config.clone()
    # it would begin a run there
    take_wandb(config.trainer)
    with undrawn():
        built(cli.parser, config)


def _plain(value: Any) -> Any:
    """A class by its path; any other value as it is."""
    return value["class_path"] if isinstance(value, dict) and "class_path" in value else value
