"""Alike: ranks of a job begin with the same checkpoint, images, settings and versions, or say where they differ."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Callback

import vitcli
from vitcli.data.batches.position import names_and_labels
from vitcli.errors import ConfigError

if TYPE_CHECKING:
    import lightning.pytorch as pl

TRAINER = ("max_epochs", "max_steps", "accumulate_grad_batches", "gradient_clip_val", "precision", "val_check_interval")
SPLITS = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("predict",)}
# by the first word of a key
REMEDIES = {
    "checkpoint": "the folder of runs has to be one that all machines share, see --run.dir",
    "images": "all machines need the same images; copy them anew, or share their folder",
    "version": "install the same on all machines",
}
LONGEST = 80


@final
class Alike(Callback):
    """Compares what each rank is about to do with what rank 0 is, once, before the first step.

    Each machine reads its own command line, images and checkpoint. Where they differ, ranks would wait for each other
    for ever, or learn from labels that mean something else on each.

    Args:
        start: What the checkpoint is from which this process goes on; empty: none.
    """

    def __init__(self, start: str) -> None:
        self.start = start

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compare, in every process, so that all know of one that differs.

        Raises:
            ConfigError: One is about to do something else than rank 0.
        """
        if trainer.world_size == 1:
            return
        own = self.facts(trainer, pl_module)
        where, first = trainer.strategy.broadcast((socket.gethostname(), own))
        told = ""
        for key in first | own:
            if first.get(key) != own.get(key):
                told = (
                    f"{key}: {_short(own.get(key))} for rank {trainer.global_rank} on {socket.gethostname()}, but "
                    f"{_short(first.get(key))} for rank 0 on {where}; {_remedy(key)}"
                )
                break
        every: list[str] = [""] * trainer.world_size
        torch.distributed.all_gather_object(every, told)
        if any(every):
            raise ConfigError(next(filter(None, every)))

    def facts(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """What decides what a rank does, by its name in messages.

        Args:
            trainer: With its data module.
            pl_module: The classifier.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        found: dict[str, Any] = {"version of vitcli": vitcli.__version__, "version of torch": torch.__version__}
        found["checkpoint to go on from"] = self.start or "none"
        assert trainer.state.fn is not None
        for split in SPLITS[trainer.state.fn.value]:
            listing = data.listing(split)
            found[f"images of {split}"] = len(listing)
            found[f"images of {split}, by names and labels"] = names_and_labels(listing)
        found |= dict(_flat("model", dict(pl_module.hparams)))
        found |= {f"trainer.{key}": getattr(trainer, key) for key in TRAINER}
        found["data.batch_size"] = "auto" if data.is_auto else data.batch_size
        found["seed_everything"] = data.seed
        return found


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    else:
        yield key, value


def _remedy(key: str) -> str:
    return REMEDIES.get(key.partition(" ")[0], "give the same command on all machines")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
