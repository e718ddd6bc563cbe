"""What a net begins with: the weights it starts from, and the teacher it learns from; each told in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitcli.errors import ConfigError
from vitcli.names import quoted
from vitcli.train import distill
from vitcli.train.classifier import Classifier
from vitcli.train.teacher import open_teacher
from vitcli.weights import load_into
from vitcli.weights.imagenet import IMAGENET, imagenet
from vitcli.weights.load import shortened
from vitcli.weights.pretrained import Pretrained


def start_from(pretrained: Pretrained, model: Classifier, verb: str) -> list[str]:
    """Start the net from weights; a head of other classes stays as it was drawn.

    Args:
        pretrained: The weights.
        model: Whose net takes them.
        verb: fit, validate, test or predict.
    """
    same_classes = verb != "fit" or pretrained.classes == model.classes
    report = load_into(model.net, pretrained.net, resampling=pretrained.resampling, head=same_classes)
    told = [f"weights: {pretrained.name}: {report}"]
    trained = {name: parameter.requires_grad for name, parameter in model.net.named_parameters()}
    if verb == "fit" and (drawn := [name for name in report.fresh if not trained.get(name, True)]):
        told.append(
            f"model.freeze: {', '.join(shortened(drawn))}: frozen as drawn at random, for the weights have none; "
            "freeze less, or choose a net that they fill"
        )
    if verb != "fit" and pretrained.may_be_imagenets and model.classes == imagenet():
        told.append(
            f"classes: the weights name none of their {IMAGENET}, so they are taken for ImageNet's; "
            f"others are named by vitcli import {quoted(pretrained.name)} --classes names.txt "
            "--out named.safetensors"
        )
    return told


def have_taught(
    model: Classifier, options: distill.DistillOptions, saved: Mapping[str, Any], max_epochs: int | None
) -> list[str]:
    """Have the net taught by another one, if that is wanted, and by the same one as before.

    Args:
        model: Whose net learns.
        options: Who teaches, and how.
        saved: The checkpoint that fit goes on from; empty without one.
        max_epochs: ``trainer.max_epochs``.

    Raises:
        ConfigError: Nothing is trained, or the teacher does not suit.
    """
    if options.weights is not None and max_epochs == 0:
        raise ConfigError(
            f"distill.weights {options.weights}: teaches while a net is trained, and trainer.max_epochs is 0; give "
            "some epochs, or leave it out"
        )
    if options.weights is not None and options.tokens and model.compiles:
        raise ConfigError(
            f"distill.tokens {options.tokens:g}: looks into the net, which model.compile does not allow; leave out "
            "one of them"
        )
    teacher = model.teacher = open_teacher(options, model.classes, model.net)
    told = [] if teacher is None else [teacher.told(model.preprocess.size)]
    return told + distill.changes(saved, options, None if teacher is None else teacher.digest)
