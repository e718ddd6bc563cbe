"""Teacher: a trained net that answers to the very pictures that another one learns from, and the loss between them.

Both see the same view: crop, mirror, colours and mixing are drawn once, and are done to the pixels before both (Beyer
et al. 2022, who show that a teacher of other views, or of fixed ones, teaches less).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F

from vitcli.errors import ConfigError, WeightsError
from vitcli.names import at_home, first_of, quoted
from vitcli.net import ViT
from vitcli.net.counts import parameters
from vitcli.preprocess import Preprocess
from vitcli.train.distill import DISTILL, DistillOptions
from vitcli.train.tokens import behind_blocks, check_alike, distance
from vitcli.weights.open import open_pretrained

# classes that a message names
MOST_CLASSES = 3


@final
class Teacher:
    """Images as bytes -> logits of a net that is not trained: uint8 (batch, 3, height, width) -> (batch, classes).

    No module, so that the classifier that holds it has none of its tensors: not in its checkpoint, its optimizer, its
    average or its export. Each process holds a copy.

    Args:
        options: How it teaches.
        net: Its net, which is put into eval mode, without gradients.
        preprocess: How images are normalised for it.
        classes: Names of its logits.
        wanted: The same names, in the order of the logits that are wanted.
    """

    def __init__(
        self,
        options: DistillOptions,
        net: ViT,
        preprocess: Preprocess,
        classes: tuple[str, ...],
        wanted: tuple[str, ...],
    ) -> None:
        self.options = options
        self.net = net.eval().requires_grad_(False)
        self.preprocess = preprocess
        self.digest = _digest(net, classes)
        self._order = None if classes == wanted else torch.tensor([classes.index(name) for name in wanted])

    def teach(self, net: ViT, images: Tensor, forward: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """A net's logits, float32 (batch, classes), and how far it is from its teacher, for each image: (batch,).

        Args:
            net: The net that learns.
            images: As it sees them.
            forward: Images as bytes -> its logits.
        """
        compares = self.options.tokens > 0
        # the teacher first: the net keeps what its gradients need from then on
        with behind_blocks(self.net, wanted=compares) as theirs:
            answers = self.logits(images, net.head.weight)
        with behind_blocks(net, wanted=compares) as ours:
            logits = forward(images).float()
        each = self.losses(logits, answers)
        return logits, each + self.options.tokens * distance(ours, theirs) if compares else each

    @torch.no_grad()
    def logits(self, images: Tensor, like: Tensor) -> Tensor:
        """Its logits of the pictures that the net sees: float32 (batch, classes).

        Args:
            images: Pixels of 0 to 255, uint8 or float32, augmented, in the size of the net that learns.
            like: A weight of that net, whose device and precision are its own too; mixed precision is autocast's.
        """
        weight = self.net.head.weight
        if weight.device != like.device or weight.dtype != like.dtype:
            self.net.to(like.device, like.dtype)
        values = self.preprocess.normalise(self._resampled(images)).to(like.dtype)
        logits: Tensor = self.net(values).float()
        if self._order is None:
            return logits
        self._order = self._order.to(logits.device)
        return logits[:, self._order]

    def losses(self, logits: Tensor, answers: Tensor) -> Tensor:
        """How far a net is from its teacher, for each image: (batch,).

        ``T^2 KL(softmax(answers / T) || softmax(logits / T))``: by T^2 the gradients stay as large as those of the
        labels at any temperature (Hinton et al. 2015, section 2). With ``hard``, the cross entropy against the
        teacher's likeliest class (Touvron et al. 2021, DeiT, section 4).

        Args:
            logits: The net's, float32 (batch, classes).
            answers: The teacher's, likewise.
        """
        if self.options.hard:
            return F.cross_entropy(logits, answers.argmax(dim=1), reduction="none")
        ours, theirs = ((one / self.options.temperature).log_softmax(dim=1) for one in (logits, answers))
        return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=1) * self.options.temperature**2

    def told(self, size: tuple[int, int]) -> str:
        """What teaches, and how, in a line.

        Args:
            size: Height and width of the pictures of the net that learns.
        """
        net, options = self.net, self.options
        how = "its likeliest class" if options.hard else f"temperature {options.temperature:g}"
        tokens = f", tokens {options.tokens:g}" if options.tokens else ""
        sees = "" if size == self.preprocess.size else "; sees them at {} x {} px".format(*self.preprocess.size)
        return (
            f"teacher: {options.weights}: {type(net.backend).__name__}, {net.tokens} tokens x {net.dim}, "
            f"{parameters(net):,} parameters; {options.share:g} of the loss, {how}{tokens}{sees}"
        )

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Let a checkpoint that a run may go on from say who teaches; the tensors stay where they are."""
        if "optimizer_states" in checkpoint:
            checkpoint[DISTILL] = {**asdict(self.options), "digest": self.digest}

    def _resampled(self, images: Tensor) -> Tensor:
        """Pictures in the size of the teacher's own; squashed, where its shape is another."""
        if tuple(images.shape[2:]) == self.preprocess.size:
            return images
        way = self.preprocess.interpolation
        return F.interpolate(images.float(), self.preprocess.size, mode=way, antialias=True).clamp_(0, 255)


def open_teacher(options: DistillOptions, classes: tuple[str, ...], learns: ViT | None = None) -> Teacher | None:
    """The teacher that the options name; None if they name none.

    Args:
        options: As they are said.
        classes: Those of the net that learns, in the order of its logits.
        learns: That net, where its tokens may be compared with the teacher's.

    Raises:
        WeightsError: There are no such weights, or they make no net of ours, or their preprocessing is not ours.
        ConfigError: It knows other classes, pictures of other than three channels, or tokens that cannot be compared.
    """
    if options.weights is None:
        return None
    key = f"distill.weights {options.weights}"
    try:
        given = open_pretrained(at_home(options.weights))
    except WeightsError as error:
        # as it is typed here
        reason = re.sub(r"^(--weights|--ckpt_path|weights):? ", "", str(error))
        raise WeightsError(f"{key}: {reason.removeprefix(f'{at_home(options.weights)}: ')}") from error
    if given.classes is None or set(given.classes) != set(classes):
        known = "no names" if given.classes is None else first_of(given.classes, MOST_CLASSES)
        raise ConfigError(
            f"{key}: its {given.net.classes} classes ({known}) are not those of the images "
            f"({first_of(classes, MOST_CLASSES)}); fine-tune it on these images first, and name its run: "
            f"vitcli fit --config finetune --weights {quoted(options.weights)} --data.root DIR"
        )
    if given.net.channels != 3:
        raise ConfigError(
            f"{key}: its net has {given.net.channels} channels, and images enter as red, green and blue; name another"
        )
    if options.tokens and learns is not None:
        check_alike(f"distill.tokens {options.tokens:g}", learns, given.net)
    return Teacher(options, given.net, given.contract(key), given.classes, classes)


def _digest(net: ViT, classes: tuple[str, ...]) -> str:
    """SHA-256 of what a net knows: its classes and tensors, wherever it lies and whatever its file is called."""
    found = hashlib.sha256(repr(classes).encode())
    for name, tensor in sorted(net.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
