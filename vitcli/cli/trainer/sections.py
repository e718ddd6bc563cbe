"""Sections of a verb's config beside trainer, model and data, and what in it follows from what (links)."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from vitcli.cli.trainer.afterwards import ReportOptions
from vitcli.cli.trainer.whole_help import HelpAll
from vitcli.net.limits import sides
from vitcli.run import RunOptions
from vitcli.train.distill import DistillOptions
from vitcli.train.ema import EmaOptions
from vitcli.train.output.predictions import PredictionWriter
from vitcli.train.probe.options import ProbeOptions
from vitcli.train.safety.best import BestCheckpoint
from vitcli.train.stop import StopOptions


def add_sections(parser: LightningArgumentParser, verb: str) -> None:
    """Add the options of the sections, and the links.

    Args:
        parser: Has trainer, model and data.
        verb: fit, validate, test or predict.
    """
    parser.add_argument("--help-all", action=HelpAll, help="Show all options and exit.")
    parser.add_argument("--ckpt_path", type=str | None, help="A .ckpt file, a run folder, 'last' or 'best'.")
    parser.add_argument("--weights", type=str | None, help="Weights to start from: a file, timm:NAME, ...")
    parser.add_class_arguments(RunOptions, "run")
    parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
    parser.add_class_arguments(EmaOptions, "ema")
    parser.add_class_arguments(StopOptions, "stop")
    parser.add_class_arguments(ProbeOptions, "probe")
    parser.add_class_arguments(DistillOptions, "distill")
    parser.add_lightning_class_args(PredictionWriter, "predictions")
    parser.add_class_arguments(ReportOptions, "report")
    source = "UnlabelledData" if verb == "predict" else "FolderData"
    parser.set_defaults({"data": {"class_path": f"vitcli.data.{source}"}})
    parser.link_arguments("model.net.image_size", "model.preprocess.size", compute_fn=_both_sides)
    parser.link_arguments("model.classes", "model.net.classes", compute_fn=_count)
    parser.link_arguments("model.preprocess", "data.init_args.preprocess")
    parser.link_arguments("model.classes", "data.init_args.classes")
    parser.link_arguments("seed_everything", "data.init_args.seed")


def fill_classes(config: Namespace, classes: Sequence[str]) -> None:
    """Put classes that were found into a parsed config, and what follows from them (the links above).

    Parsing it all once more would do the same, in a tenth of a second.

    Args:
        config: Parsed, without classes.
        classes: Their names.
    """
    config["model.classes"] = tuple(classes)
    config["model.net.classes"] = len(classes)
    config["data.init_args.classes"] = tuple(classes)


def _count(classes: Sequence[str]) -> int:
    # jsonargparse would look up the types of the built-in one, in stubs that take it 0.3 s to parse
    return len(classes)


def _both_sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return sides("model.net.image_size", size)
