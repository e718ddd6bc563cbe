"""What fit knows of itself, for about.json: command, machine, versions, net, data, and settings that it changes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jsonargparse import ArgumentParser

from vitcli.about import About, changed_settings
from vitcli.cli.versions import versions
from vitcli.names import absolute
from vitcli.net.counts import parameters
from vitcli.train.output.pace import Pace

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier

# given by what calls the class, not by the config
GIVEN = {"tokens", "dim", "preprocess", "classes", "seed"}


def about(
    words: Sequence[str],
    trainer: pl.Trainer,
    model: Classifier,
    data: ImageData,
    *,
    config: Mapping[str, Any],
    parser: ArgumentParser,
    pace: Pace,
    effort: int | None,
) -> About:
    """What is known of a training at its end.

    Args:
        words: The command, from ``fit`` on, as typed.
        trainer: That has trained.
        model: The classifier.
        data: Its images.
        config: The whole config in plain types, as config.yaml has it.
        parser: That has read it.
        pace: Measured.
        effort: Multiply-accumulates of an image, if they were counted.
    """
    told = dict(line.split(": ", 1) for line in versions().splitlines())
    machine = told.pop("CPU")
    net = model.net
    root = getattr(data, "root", None)
    return About(
        command=tuple(words),
        versions=told,
        machine=machine,
        device=torch.cuda.get_device_name() if trainer.strategy.root_device.type == "cuda" else "CPU",
        precision=str(trainer.precision),
        processes=trainer.world_size,
        net=type(net.backend).__name__,
        tokens=net.tokens,
        dim=net.dim,
        parameters=parameters(net),
        gmac=None if effort is None else effort / 1e9,
        steps=trainer.global_step,
        seconds_a_step=pace.seconds_a_step,
        images_a_second=pace.images_a_second,
        peak_memory_bytes=pace.peak_memory_bytes,
        peak_device_memory_bytes=pace.peak_device_memory_bytes,
        notices=tuple(data.notices),
        counts={split: _counts(data, model.classes, split) for split in ("train", "val")},
        images=absolute(root) if isinstance(root, str) else "",
        changed=changed_settings(config, with_class_defaults(config, plain_defaults(parser))),
    )


def _counts(data: ImageData, classes: Sequence[str], split: Any) -> dict[str, int]:
    labels = np.asarray(data.listing(split).labels)
    counts = np.bincount(labels[labels >= 0], minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))


def with_class_defaults(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults in which each class that a config names has its own.

    A parser knows the settings of a class only once one is named: of ``data: ShapesData``, all would differ.

    Args:
        config: In plain types.
        defaults: Likewise.
    """
    filled = dict(defaults)
    for key, value in config.items():
        if not isinstance(value, Mapping):
            continue
        usual = defaults.get(key)
        usual = usual if isinstance(usual, Mapping) else {}
        if isinstance(name := value.get("class_path"), str):
            # which class is a setting too; its own settings are compared with its own defaults
            of_class = {"class_path": usual.get("class_path"), "init_args": defaults_of(name)}
            inner = {"init_args": value.get("init_args") or {}}
            filled[key] = {**of_class, **with_class_defaults(inner, of_class), "class_path": usual.get("class_path")}
        else:
            filled[key] = with_class_defaults(value, usual)
    return filled


def defaults_of(class_path: str) -> dict[str, Any]:
    """The settings of a class with their defaults, in plain types; none for one that cannot be imported."""
    module, _, name = class_path.rpartition(".")
    with suppress(ImportError, AttributeError, ValueError):
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(getattr(importlib.import_module(module), name), "own", skip=set(GIVEN))
        # a class may have no settings
        own: dict[str, Any] = plain_defaults(parser).get("own", {})
        return own
    return {}


def plain_defaults(parser: ArgumentParser) -> dict[str, Any]:
    """The defaults of a parser, in the plain types of a config file."""
    plain: dict[str, Any] = json.loads(json.dumps(parser.get_defaults().as_dict(), default=str))
    return plain
