"""trainer.strategy fsdp2: what the Trainer is given for a net that is split, and what it cannot be asked for then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from vitcli.errors import ConfigError
from vitcli.train.sharding.memory import told
from vitcli.train.sharding.strategy import FSDP2

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.classifier import Classifier

WORD = "fsdp2"
# Lightning's words of FSDP1, and of its strategy of which FSDP2 derives
OTHERS = ("fsdp", "fsdp_cpu_offload", "FSDPStrategy", "ModelParallelStrategy")
PRECISIONS = ("32", "32-true", "bf16", "bf16-mixed")


def splitting(verb: str, trainer: Namespace) -> dict[str, Any]:
    """What the Trainer is given beside its config, where the net is to be split.

    Args:
        verb: fit, validate, test or predict.
        trainer: The config of the Trainer.

    Raises:
        ConfigError: Nothing is trained, another kind of FSDP, or a precision that it is not trained in.
    """
    name = trainer.strategy if isinstance(trainer.strategy, str) else type(trainer.strategy).__name__
    if name in OTHERS:
        raise ConfigError(
            f"trainer.strategy {name}: writes checkpoints that nothing else reads, and over the old ones; choose {WORD}"
        )
    if name != WORD:
        return {}
    if verb != "fit":
        raise ConfigError(
            f"trainer.strategy {WORD}: splits a net that is trained; whole, without gradients and moments, it takes an "
            "eighth to a quarter of that, so say ddp, or leave it out"
        )
    if str(trainer.precision or "32-true") not in PRECISIONS:
        raise ConfigError(
            f"trainer.precision {trainer.precision}: not with trainer.strategy {WORD}; choose 32-true or bf16-mixed"
        )
    # tensors made in inference mode cannot be gathered weights of the next step
    return {"strategy": FSDP2(), "inference_mode": False}


def split_line(trainer: pl.Trainer, model: Classifier) -> list[str]:
    """What each process will hold of a net that is to be split, in a line; none where it is not.

    Args:
        trainer: That trains.
        model: The classifier, whose net is still whole.
    """
    if not isinstance(trainer.strategy, FSDP2):
        return []
    muon = model.optimizer_settings.matrices == "muon"
    return [told(model.net, trainer.world_size, ema=model.average is not None, muon=muon)]
