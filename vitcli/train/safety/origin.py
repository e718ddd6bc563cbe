"""Where a loss that is no number began: a batch is computed once more under forward hooks, and the layer is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from vitcli.data.batches.order import BatchKey, Spot
from vitcli.names import first_of, printable
from vitcli.train.safety.reseed import Reseed
from vitcli.train.safety.write import CheckpointFiles
from vitcli.train.sharding.local import local
from vitcli.train.sharding.strategy import FSDP2

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import Batch
    from vitcli.data.batches.datamodule import Batches
    from vitcli.train.classifier import Classifier

# files that a message names
MOST_FILES = 3


class Origin(NamedTuple):
    """What was found in a batch.

    Args:
        what: Such as ``the loss is nan``.
        where: Such as ``first in net.backend.blocks.0.mlp``; empty where it was not found.
        files: Paths of the images concerned.
        of: How many images the batch has.
    """

    what: str
    where: str
    files: tuple[str, ...]
    of: int

    @property
    def line(self) -> str:
        """All of it in some words."""
        files = first_of([printable(path) for path in self.files], MOST_FILES)
        concerned = f"{len(self.files)} of {self.of}" if len(self.files) < self.of else f"all {self.of}"
        return f"{self.what}{f', {self.where}' if self.where else ''}; images ({concerned} of the batch): {files}"


def of_training(trainer: pl.Trainer, model: Classifier, epoch: int, numbers: range) -> Origin | None:
    """What is no number in the batches of a training step; None where all is finite with the present weights.

    Batches, augmentation and dropout are functions of seed, epoch and number, so that nothing has to be kept for this.
    Gradients, metrics and what is logged stay as they are.

    Args:
        trainer: The trainer, in its training epoch.
        model: The classifier, with the weights that the step had.
        epoch: From 0.
        numbers: The batches of this process which the step has summed up.
    """
    data: Batches = trainer.datamodule  # type: ignore[attr-defined]
    plan = data.training_plan(epoch)
    listing = data.listing("train")
    samples = data.samples(listing, data.augment, threads=1)
    for number in numbers:
        batch = trainer.strategy.batch_to_device(samples[plan[number]], dataloader_idx=0)
        if not len(batch["label"]):
            continue
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Reseed):
                callback.on_train_batch_start(trainer, model, batch, number)
        if (origin := _look(trainer, model, batch, listing.paths, trains=True)) is not None:
            return origin
    return None


def of_validation(trainer: pl.Trainer, model: Classifier, positions: list[int]) -> Origin | None:
    """What is no number in the net's answers to some images of val; None where all is finite."""
    data: Batches = trainer.datamodule  # type: ignore[attr-defined]
    listing = data.listing("val")
    key = BatchKey(0, 0, [Spot(position) for position in positions])
    batch = trainer.strategy.batch_to_device(data.samples(listing, None, threads=1)[key], dataloader_idx=0)
    return _look(trainer, model, batch, listing.paths, trains=False) if len(batch["label"]) else None


def broken_weights(tensors: dict[str, Tensor]) -> list[str]:
    """Names of the tensors that hold something which is no finite number."""
    return [name for name, tensor in tensors.items() if _is_broken(local(tensor))]


def agreed(trainer: pl.Trainer, look: Callable[[], Origin | None]) -> str:
    """What the first process that finds something in its share of a batch has found, in some words.

    Args:
        trainer: Of all processes, each of which calls this.
        look: Looks at the share of this process.
    """
    if isinstance(trainer.strategy, FSDP2):
        # a process that looks would gather weights from others that do not
        return "the loss or the gradient is nan or inf (in which layer is found by one process, or with ddp)"
    try:
        origin = look()
        told = [origin.line if origin is not None else ""]
    except Exception as error:
        # what goes wrong here must not hide what it was to explain
        why = " ".join(str(error).split())[:80]
        told = [f"the loss or the gradient is nan or inf (where it began could not be found: {why})"]
    if trainer.world_size > 1:
        own, told = told[0], [""] * trainer.world_size
        dist.all_gather_object(told, own)
    ranks = [f"{line}{f' (process {rank})' if len(told) > 1 else ''}" for rank, line in enumerate(told) if line]
    return ranks[0] if ranks else "the loss or the gradient is nan or inf, and no more when computed again"


def remedy(trainer: pl.Trainer, model: Classifier, other: str = "") -> str:
    """What to do about numbers that are none, and which checkpoint is left.

    Args:
        trainer: Of the run.
        model: Its classifier.
        other: What else could be done.
    """
    if isinstance(trainer.strategy.checkpoint_io, CheckpointFiles):
        # that of the epoch before may still be on its way
        trainer.strategy.checkpoint_io.wait()
    last = Path(str(getattr(trainer.checkpoint_callback, "dirpath", None)), "last.ckpt")
    kept = f"; {last} is of an earlier step, and finite" if last.is_file() else ""
    return f"lower model.optimizer.lr {model.optimizer_settings.rate:g}{other}{kept}"


def _look(trainer: pl.Trainer, model: Classifier, batch: Batch, paths: Any, *, trains: bool) -> Origin | None:
    precision = trainer.precision_plugin
    context = precision.train_step_context() if trains else precision.val_step_context()
    first: list[str] = []
    with torch.set_grad_enabled(trains), _eager(model), _hooks(model.net, first.append), context:
        if trains:
            logits, loss, distill_loss = model.learn(batch)
        else:
            logits, distill_loss = model(batch["image"]).float(), None
            loss = model.loss(logits, batch["label"])
    bad = ~logits.isfinite().all(dim=1)
    rows = bad.nonzero().flatten().tolist() or list(range(len(logits)))
    files = tuple(str(paths[int(batch["index"][row])]) for row in rows)
    if weights := broken_weights(dict(model.net.named_parameters())):
        more = f" and {len(weights) - 1} more" if len(weights) > 1 else ""
        where = f"and so is the weight net.{weights[0]}{more}"
    elif _is_broken(batch["image"]):
        where = "and so are the pixels"
    elif distill_loss is not None and not bad.any() and _is_broken(distill_loss):
        where = "in the part of the teacher, distill.weights"
    else:
        where = f"first in {first[0]}" if first else ""
    if not loss.isfinite() or bad.any():
        what = f"the loss is {float(loss.detach())}" if trains else "the net answers nan or inf"
        return Origin(what, where, files, len(logits))
    if not trains:
        return None
    names = [name for name, parameter in model.net.named_parameters() if parameter.requires_grad]
    scaler = getattr(precision, "scaler", None)
    scaled = loss if scaler is None else loss * scaler.get_scale()
    # not by backward(), which would add to the gradients, and wait for other processes
    gradients = torch.autograd.grad(scaled, [model.net.get_parameter(name) for name in names], allow_unused=True)
    broken = [name for name, gradient in zip(names, gradients, strict=True) if _is_broken(gradient)]
    if not broken:
        return None
    # backward goes from the head to the pixels
    return Origin("the gradient is nan or inf", f"first at net.{broken[-1]}", files, len(logits))


@contextmanager
def _hooks(net: nn.Module, found: Callable[[str], None]) -> Iterator[None]:
    """Within this, tells the module whose output is the first that is no number, in the order of computation.

    What enters a module and is no number already was made by the code of the module around it.
    """
    told = False

    def tell(name: str, values: Any) -> None:
        nonlocal told
        if not told and _is_broken(values):
            told = True
            found(f"net.{name}" if name else "net")

    handles = []
    for name, module in net.named_modules():
        around = name.rpartition(".")[0]
        handles.append(module.register_forward_pre_hook(lambda _, given, around=around: tell(around, given)))
        handles.append(module.register_forward_hook(lambda _, __, output, name=name: tell(name, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_broken(values: Any) -> bool:
    """Whether a nest of tensors holds a floating-point number that is not finite."""
    return any(
        isinstance(value, Tensor) and value.is_floating_point() and not bool(value.isfinite().all())
        for value in tree_leaves(values)
    )


def _eager(model: Classifier) -> AbstractContextManager[Any]:
    """Within this, a compiled net runs as it is written, with its hooks."""
    return torch.compiler.set_stance("force_eager") if model.compiles else nullcontext()
