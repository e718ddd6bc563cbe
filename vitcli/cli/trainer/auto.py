"""Settings that may be ``auto`` (batch size, learning rate): found once by fit, then numbers of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from vitcli.cli.words import setting_at
from vitcli.errors import ConfigError
from vitcli.train.sizes.finder import AUTO

# as the user types them, and where they stand in a config
PLACES = {
    "data.batch_size": "data.init_args.batch_size",
    "model.optimizer.lr": "model.optimizer.lr",
    "trainer.accumulate_grad_batches": "trainer.accumulate_grad_batches",
}
SUMMED = "trainer.accumulate_grad_batches"


def take_found(verb: str, config: Namespace, bases: Sequence[Mapping[str, Any]]) -> None:
    """Put in the place of ``auto`` what the run that goes on has found, so that it does not search again.

    Args:
        verb: fit, validate, test or predict.
        config: The whole config; changed.
        bases: What the run and its checkpoint say, the latter last.

    Raises:
        ConfigError: Another verb than fit is to search.
    """
    for key, place in PLACES.items():
        if config.get(place) != AUTO:
            continue
        known = [value for base in bases if (value := setting_at(base, place)) not in (None, AUTO)]
        if known:
            config[place] = known[-1]
        elif verb != "fit":
            raise ConfigError(f"{key} auto: is searched for by fit alone; give a number")
    together = config.get("data.init_args.global_batch")
    # what an earlier start has found stands in the run's own config
    usual = {1, *(setting_at(base, SUMMED) for base in bases)}
    if together is not None and config.get(SUMMED) not in usual:
        raise ConfigError(
            f"{SUMMED} {config.get(SUMMED)}: follows from data.global_batch {together}; leave one of them out"
        )


def is_auto(config: Namespace, key: str) -> bool:
    """Whether a setting is to be found."""
    return bool(config.get(PLACES[key]) == AUTO)


def record(config: Namespace, key: str, value: Any) -> None:
    """Put a value that was found into the config."""
    config[PLACES.get(key, key)] = value
