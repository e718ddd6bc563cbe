"""Out of memory: one line with batch, precision and peak, and with settings that would need less."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from vitcli.errors import ALLOCATED, MemoryShortError, out_of_memory
from vitcli.machine import memory
from vitcli.net.counts import parameters
from vitcli.net.kernels.dense import has_bfloat16

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier

# bytes of a parameter in float32 beside the weight itself: its gradient and AdamW's two averages
TRAINED_BYTES = 12
# bytes of a feature of a token in a layer that are kept for the backward pass in float32, about, and with
# activation_checkpointing; of a layer at a time, where there is no backward pass
KEPT_BYTES, INPUT_BYTES, LAYER_BYTES = 48, 4, 64
# what mixed precision leaves of them
MIXED = 0.6
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
# all of this is an estimate
SURE = 0.7
# and what goes with the area of a picture is not all of it
AREA = 0.6
LEAST = 1 / 64
MOST = 3


@contextmanager
def explained(trainer: pl.Trainer, model: Classifier, data: ImageData, verb: str) -> Iterator[None]:
    """Within this, memory that runs out is told with what would need less.

    Args:
        trainer: Of the verb.
        model: The classifier.
        data: Its images.
        verb: fit, validate, test or predict.

    Raises:
        MemoryShortError: Memory has run out.
    """
    before = {kind: memory.size(kind) or 0 for kind in memory.KINDS}
    try:
        yield
    except Exception as error:
        if (told := out_of_memory(error)) is None:
            raise
        advice = _advice(trainer, model, data.batch_size, verb, _wanted(error), before)
        raise MemoryShortError(f"{told.partition(';')[0]} {advice}") from error


def _advice(
    trainer: pl.Trainer, model: Classifier, batch: int, verb: str, wanted: int, before: dict[memory.Kind, int]
) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        most, peak, held = (
            torch.cuda.get_device_properties(device).total_memory,
            torch.cuda.max_memory_allocated(device),
            0,
        )
    else:
        # threads that are still to come take addresses
        more = {"resident": 0, "virtual": 2 * memory.THREAD_BYTES}
        limits = [
            (bound.most_bytes, memory.size(bound.kind, highest=True) or 0, before[bound.kind] + more[bound.kind])
            for bound in memory.bounds()
        ]
        # the limit that was nearest; outside Linux, none is known
        resident = memory.highest_resident()
        most, peak, held = min(limits, key=lambda one: one[0] - one[1], default=(resident, resident, 0))
    own = parameters(model.net) * (TRAINED_BYTES if verb == "fit" else 0)
    needed = max(peak + wanted - held - own, batch * _of_image(model, kept=verb == "fit"))
    # where not even the weights fit, far less is the best guess
    left = max(LEAST, SURE * (most - held - own) / needed)
    flags = ", or ".join(_flags(trainer, model, batch, left, verb)[:MOST])
    told = f"at data.batch_size {batch}, precision {trainer.precision}, peak {_gigabytes(peak)} of {_gigabytes(most)}"
    return f"{told}; say {flags}"


def _of_image(model: Classifier, *, kept: bool, again: bool = False) -> int:
    """Bytes that an image takes in float32, about.

    Args:
        model: The classifier.
        kept: Whether a backward pass follows.
        again: Whether it computes each layer again.
    """
    net, depth = model.net, int(getattr(model.net.backend, "depth", 12))
    layers = depth * (INPUT_BYTES if again else KEPT_BYTES) if kept else 0
    return int(net.tokens) * net.dim * (layers + (LAYER_BYTES if again or not kept else 0))


def _flags(trainer: pl.Trainer, model: Classifier, batch: int, left: float, verb: str) -> list[str]:
    """Settings that need less, the one that changes least first.

    Args:
        trainer: Of the verb.
        model: The classifier.
        batch: Images in a batch.
        left: What part of the memory that the images need there is.
        verb: fit, validate, test or predict.
    """
    flags = []
    net, backend = model.net, model.net.backend
    fits = min(int(batch * left), batch // 2)
    if fits >= 1:
        fits = 2 ** int(math.log2(fits))
        summed = math.ceil(batch * trainer.accumulate_grad_batches / fits)
        flags.append(
            f"--data.batch_size {fits}{f' --trainer.accumulate_grad_batches {summed}' if verb == 'fit' else ''}"
        )
    is_fast = torch.cuda.is_bf16_supported() if trainer.strategy.root_device.type == "cuda" else has_bfloat16()
    if trainer.precision == "32-true" and is_fast and left >= MIXED:
        flags.append("--trainer.precision bf16-mixed")
    if verb != "fit":
        return [*flags, "--data.num_workers 0", "--trainer.devices 1", "a machine with more"]
    again = _of_image(model, kept=True, again=True) / _of_image(model, kept=True)
    if getattr(backend, "activation_checkpointing", None) is False and left >= again:
        flags.append("--model.net.backend.activation_checkpointing true")
    # tokens, and with them nearly all of the memory, go with the area
    sides = [_smaller(side, patch, left) for side, patch in zip(net.image_size, net.patch_size, strict=True)]
    if all(sides):
        said = str(sides[0]) if sides[0] == sides[1] else f"'[{sides[0]},{sides[1]}]'"
        flags.append(f"--model.net.image_size {said}")
    if net.image_size[0] == net.image_size[1] and left < 1:
        coarse = math.ceil(net.patch_size[0] / math.sqrt(AREA * left))
        divides = (size for size in range(coarse, net.image_size[0] + 1) if net.image_size[0] % size == 0)
        flags += [f"--model.net.patch_size {size}" for size in list(divides)[:1]]
    return [*flags, f"a smaller net, such as --model.net.dim {max(1, net.dim // 2)}", "fewer --model.net.backend.depth"]


def _smaller(side: int, patch: int, left: float) -> int:
    return int(side * math.sqrt(min(0.8, AREA * max(0.0, left)))) // patch * patch


def _wanted(error: Exception) -> int:
    """Bytes that were wanted when memory ran out, as far as the error says."""
    if not (found := ALLOCATED.search(str(error))):
        return 0
    if found[1]:
        return int(found[1])
    number, unit = re.fullmatch(r"([\d.]+) (\w+)", found[2]).groups()  # type: ignore[union-attr]
    return int(float(number) * UNITS.get(unit, 2**30))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
