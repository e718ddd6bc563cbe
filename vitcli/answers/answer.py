"""answer: a net and its preprocessing, applied to images as bytes -> logits, probabilities and pooled features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NotRequired, TypedDict

import torch
from torch import Tensor

from vitcli.answers.asked import Asked
from vitcli.answers.in_parts import in_parts
from vitcli.net import ViT
from vitcli.preprocess import Preprocess

AS_IT_IS = Asked()


class Answers(TypedDict):
    """What the net answers to a batch.

    Args:
        logits: float32 (batch, classes), whose softmax the probabilities are.
        probabilities: float32 (batch, classes).
        features: float32 (batch, dim), the pooled features, where they are asked for.
    """

    logits: Tensor
    probabilities: Tensor
    features: NotRequired[Tensor]


def answer(
    net: ViT,
    preprocess: Preprocess,
    images: Tensor,
    asked: Asked = AS_IT_IS,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Answers:
    """What a net answers to a batch of images, in whatever way it is asked.

    Args:
        net: The net, in eval mode.
        preprocess: How its images are normalised.
        images: uint8 (batch, 3, height, width) in the size of the net; there may be none.
        asked: Temperature, test-time augmentation, features.
        forward: Images as bytes -> logits, where the net is called in another way than here, as a compiled one is;
            not used for features.
    """
    views = [images] if asked.tta == "none" else [images, images.flip(3)]
    said = [_of_view(net, preprocess, view, asked, forward) for view in views]
    if len(said) == 1:
        return said[0]
    logs = torch.stack([one["logits"].log_softmax(dim=1) for one in said])
    answers = Answers(
        # of which the softmax is the mean: what counts logits counts what the table says
        logits=logs.logsumexp(dim=0) - math.log(len(said)),
        probabilities=torch.stack([one["probabilities"] for one in said]).mean(dim=0),
    )
    if asked.features:
        answers["features"] = torch.stack([one["features"] for one in said]).mean(dim=0)
    return answers


def logits_of(
    net: ViT, preprocess: Preprocess, images: Tensor, filled_up: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Logits of images as bytes: uint8 (batch, 3, height, width) -> (batch, classes).

    Args:
        net: The net.
        preprocess: How its images are normalised.
        images: In the size of the net.
        filled_up: What is done to the normalised images, such as padding the batch.
    """
    if filled_up is None:
        return in_parts(lambda part: net(normalised(net, preprocess, part)), net, images)
    logits: Tensor = net(filled_up(normalised(net, preprocess, images)))
    return logits


def normalised(net: ViT, preprocess: Preprocess, images: Tensor) -> Tensor:
    """Images as they enter the net, in its own precision, which may not be float32; mixed precision is autocast's."""
    return preprocess.normalise(images).to(net.head.weight.dtype)


def _of_view(
    net: ViT, preprocess: Preprocess, images: Tensor, asked: Asked, forward: Callable[[Tensor], Tensor] | None
) -> Answers:
    features = None
    if not len(images):
        none = normalised(net, preprocess, images).float()
        logits, features = none.new_zeros(0, net.classes), none.new_zeros(0, net.pooled_width)
    elif asked.features:
        leading = 1 if net.pool == "cls" else None

        def of_part(part: Tensor) -> Tensor:
            return net.pooled(net.features(normalised(net, preprocess, part), leading))

        pooled = in_parts(of_part, net, images)
        logits, features = net.logits(pooled).float(), pooled.float()
    else:
        logits = (forward(images) if forward is not None else logits_of(net, preprocess, images)).float()
    if asked.temperature != 1:
        logits = logits / asked.temperature
    answers = Answers(logits=logits, probabilities=logits.softmax(dim=1))
    if asked.features and features is not None:
        answers["features"] = features
    return answers
