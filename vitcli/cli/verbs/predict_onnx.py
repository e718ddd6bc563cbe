"""``vitcli predict --model FILE.onnx``: the table of predict through onnxruntime, in a process without torch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from vitcli.cli.exit import DONE, FINDINGS, ended
from vitcli.cli.plain_parser import PlainParser, truth
from vitcli.cli.words import in_front, pairs
from vitcli.errors import ConfigError
from vitcli.machine.blas import one_thread
from vitcli.names import at_home, extension, printable
from vitcli.run import RunOptions, check_name

ONNX = ".onnx"
KINDS = ("UnlabelledData", "FolderData")
# what means something to predict from a checkpoint and nothing here: an option, or the group above it, and why
REFUSED = {
    "ckpt_path": "not together with --model, which holds the net; give one of them",
    "weights": "not together with --model, which holds the net; give one of them",
    "config": "a config is read beside a checkpoint; give options, or --ckpt_path instead of --model",
    "c": "a config is read beside a checkpoint; give options, or --ckpt_path instead of --model",
    "predictions.temperature": "the temperature is inside of the model; export the run with another one",
    "predictions.features": "the model gives probabilities alone; predict from the checkpoint for features",
    "report": "vitcli report makes a page of any table; leave it out",
    "model": "net and preprocessing are inside of the model; leave it out",
    "trainer": "onnxruntime computes on the CPU, without a Trainer; leave it out",
    "data.preprocess": "the preprocessing is inside of the model; leave it out",
    "data.classes": "the classes are inside of the model; leave it out",
}


def run(verb: str, words: Sequence[str]) -> int:
    """Predict.

    Args:
        verb: predict.
        words: The words after it.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line, 3 a table with too many errors, 128 + n stopped
        by signal n.
    """
    one_thread()
    return ended(verb, lambda: _predict(words))


def _predict(words: Sequence[str]) -> int:
    _refuse(words)
    told = _parser().parse_args(_with_model(words))
    if told.model is None or extension(told.model) != ONNX:
        raise ConfigError(f"--model {told.model}: is no .onnx; name one that vitcli export has written")
    if told.run_name is not None:
        check_name(told.run_name)
    for name, value in (("sort_by", told.sort_by), ("unsure_below", told.unsure_below)):
        if value is not None and told.sort_into is None:
            raise ConfigError(
                f"predictions.{name} {value}: not beside predictions.sort_into null; name a folder, or leave it out"
            )
    # here, because NumPy and Pillow take their time, and a mistake in the words is told at once
    from vitcli.images.source.roots import roots_of
    from vitcli.light.task import Task
    from vitcli.predictions.options import TableOptions
    from vitcli.predictions.sorting import Sorting

    task = Task(
        model=at_home(told.model),
        roots=roots_of([*told.images, *_listed(told.root)]),
        kind=told.data.rpartition(".")[2],
        options=TableOptions(
            escape_formulas=told.escape_formulas,
            probabilities=told.probabilities,
            top_k=told.top_k,
            threshold=told.threshold,
            tta=told.tta,
        ),
        sorting=Sorting(
            None if told.sort_into is None else Path(at_home(told.sort_into)), told.sort_by or "link", told.unsure_below
        ),
        max_errors=told.max_errors,
        path=None if told.path is None else at_home(told.path),
        run_name=told.run_name,
        run_dir=at_home(told.run_dir),
        batch_size=told.batch_size,
        threads=told.num_workers,
        max_pixels=told.max_pixels,
        follow_links=told.follow_links,
        quarantine=told.quarantine,
    )
    return FINDINGS if task.do(_tell) else DONE


def _tell(lines: Sequence[str]) -> None:
    # names of classes and files may hold anything
    for line in lines:
        print(printable(line), flush=True)


def _refuse(words: Sequence[str]) -> None:
    """Check that nothing was typed that would make no difference, or another one than it says.

    Raises:
        ConfigError: Something was.
    """
    for option, value in pairs(words):
        if option == "model":
            continue
        for group, why in REFUSED.items():
            if option == group or option.startswith(f"{group}."):
                raise ConfigError(f"--{option} {value}: {why}")


def _with_model(words: Sequence[str]) -> list[str]:
    """The words, in which a model at their front has got its option."""
    front = in_front(words)
    if front and extension(front[0]) == ONNX and not any(option == "model" for option, _ in pairs(words)):
        return [*front[1:], "--model", front[0], *words[len(front) :]]
    return list(words)


def _listed(root: Sequence[str]) -> list[str]:
    """The paths behind ``--data.root``, one of which may be a list in YAML, as in a config."""
    if len(root) != 1 or not root[0].startswith("[") or os.path.lexists(root[0]):
        return list(root)
    import yaml

    from vitcli.machine.bounded_yaml import from_yaml

    try:
        told = from_yaml(root[0])
    except yaml.YAMLError:
        # a pattern
        return list(root)
    return told if isinstance(told, list) and all(isinstance(path, str) for path in told) else list(root)


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli predict", add_help=False, allow_abbrev=False)
    parser.add_argument("images", nargs="*", metavar="IMAGES")
    parser.add_argument("--model")
    parser.add_argument("--data", default=KINDS[0], choices=[*KINDS, *(f"vitcli.data.{kind}" for kind in KINDS)])
    data = parser.add_argument_group()
    data.add_argument("--data.root", dest="root", nargs="*", default=[])
    data.add_argument("--data.batch_size", dest="batch_size", type=int, default=64)
    data.add_argument("--data.num_workers", dest="num_workers", type=int, default=0)
    data.add_argument("--data.max_pixels", dest="max_pixels", type=int, default=100_000_000)
    data.add_argument("--data.follow_links", dest="follow_links", type=truth, default=False)
    data.add_argument("--data.quarantine", dest="quarantine", type=_or_null)
    parser.add_argument("--run.name", dest="run_name")
    parser.add_argument("--run.dir", dest="run_dir", default=RunOptions().dir)
    table = parser.add_argument_group()
    table.add_argument("--predictions.path", dest="path", type=_or_null)
    table.add_argument("--predictions.escape_formulas", dest="escape_formulas", type=truth, default=False)
    table.add_argument(
        "--predictions.probabilities", dest="probabilities", choices=["auto", "all", "top"], default="auto"
    )
    table.add_argument("--predictions.top_k", dest="top_k", type=_int_or_null)
    table.add_argument("--predictions.max_errors", dest="max_errors", type=float, default=0.5)
    table.add_argument("--predictions.threshold", dest="threshold", type=_float_or_null)
    table.add_argument("--predictions.tta", dest="tta", choices=["none", "flip"], default="none")
    table.add_argument("--predictions.sort_into", dest="sort_into", type=_or_null)
    table.add_argument("--predictions.sort_by", dest="sort_by", choices=["link", "copy"])
    table.add_argument("--predictions.unsure_below", dest="unsure_below", type=_float_or_null)
    return parser


def _or_null(typed: str) -> str | None:
    return None if typed in ("", "null") else typed


def _int_or_null(typed: str) -> int | None:
    try:
        return None if typed == "null" else int(typed)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{typed} is neither null nor a whole number") from None


def _float_or_null(typed: str) -> float | None:
    try:
        return None if typed == "null" else float(typed)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{typed} is neither null nor a number") from None
