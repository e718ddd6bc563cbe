"""``vitcli export``: a trained net as a file that runs without vitcli, compared with the net before it is kept."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from vitcli.cli.exit import DONE, ended
from vitcli.cli.plain_parser import PlainParser, number
from vitcli.errors import ConfigError
from vitcli.names import at_home, existing_above, printable, quoted


def run(verb: str, words: Sequence[str]) -> int:
    """Export.

    Args:
        verb: export.
        words: The words after it.

    Returns:
        Exit code: 0, or 2 for a mistake of the user's and for a file that disagrees with the net, told in one line.
    """
    return ended(verb, lambda: _export(words))


def _export(words: Sequence[str]) -> int:
    told = _parser().parse_args(list(words))
    source, key = _source(told)
    option, typed = ("--out", told.out) if told.to_timm is None else ("--to-timm", told.to_timm)
    if (told.out is None) == (told.to_timm is None):
        raise ConfigError("wants --out FILE or --to-timm FILE, one of them; see vitcli export -h")
    out = _place(option, typed)
    # here, because torch takes seconds to import, and a mistake in the words is told at once
    from vitcli.export.card import write_card
    from vitcli.export.known import known_of
    from vitcli.export.pictures import find_pictures
    from vitcli.export.scores import table_of
    from vitcli.export.subject import Subject
    from vitcli.export.to_timm import to_timm
    from vitcli.export.write import check_format, write

    if told.to_timm is None:
        check_format(typed, told.quantize, told.batch)
    elif out.suffix != ".safetensors":
        raise ConfigError(f"--to-timm {typed}: timm's tensors are safetensors; let the name end in .safetensors")
    elif given := _given(told, UNUSED_BY_TIMM):
        raise ConfigError(f"{given}: says nothing of timm's tensors; leave it out with --to-timm")
    if out.suffix == ".safetensors" and (given := _given(told, UNUSED_BY_TENSORS)):
        raise ConfigError(f"{given}: {typed} holds tensors, and whoever asks them says so anew; leave it out")
    subject = Subject.open(_file(source, key), told.temperature, told.threshold)
    pictures = find_pictures(subject, told.images)
    timm = told.to_timm is not None
    if timm:
        checked = [to_timm(subject, out, pictures)]
    else:
        written = write(subject, out, pictures, quantize=told.quantize, batch=told.batch, changed=told.max_changed)
        checked = [f"compared with the net on {pictures.told}: {written.agreement}"]
        checked += table_of(written.scores)
    for line in checked:
        print(printable(line))
    card = write_card(subject, known_of(subject), out, checked, told.quantize, timm)
    print(f"export: {quoted(out)} ({out.stat().st_size / 1e6:.1f} MB)")
    print(f"model card: {quoted(card)}; fill in the licence")
    return DONE


# options of a graph alone, and of --out alone, and their defaults
UNUSED_BY_TENSORS = {"temperature": 1.0, "threshold": None}
UNUSED_BY_TIMM = {"quantize": "none", "batch": None, "max_changed": None} | UNUSED_BY_TENSORS


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli export", add_help=False, allow_abbrev=False)
    parser.add_argument("source", metavar="RUN|FILE", nargs="?")
    parser.add_argument("--ckpt_path")
    parser.add_argument("--weights")
    parser.add_argument("--out")
    parser.add_argument("--to-timm")
    parser.add_argument("--quantize", choices=["none", "int8", "fp16"], default="none")
    parser.add_argument("--batch", type=_batch)
    parser.add_argument("--temperature", type=_temperature, default=1.0)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--images", type=at_home)
    parser.add_argument("--max_changed", type=_share)
    return parser


def _given(told: argparse.Namespace, unused: dict[str, Any]) -> str:
    """Which of some options have been typed."""
    return ", ".join(f"--{name}" for name, usual in unused.items() if getattr(told, name) != usual)


def _source(told: argparse.Namespace) -> tuple[str, str]:
    """What is exported, and by which option it was named; none for the word that comes first."""
    given = [("", told.source), ("--ckpt_path", told.ckpt_path), ("--weights", told.weights)]
    named = [(typed, key) for key, typed in given if typed]
    if len(named) != 1:
        what = "no run" if not named else " and ".join(f"{key} {typed}".strip() for typed, key in named)
        raise ConfigError(f"vitcli export: {what} is named; name one: a run's folder, a checkpoint, or weights")
    return at_home(named[0][0]), named[0][1]


def _file(source: str, key: str) -> str:
    """The checkpoint that a run's folder means; weights as they are."""
    from vitcli.run import resolve_checkpoint

    if key == "--ckpt_path" or (not key and (Path(source).is_dir() or source.endswith(".ckpt"))):
        return str(resolve_checkpoint(source, "predict", None, source))
    if key == "--weights" and Path(source).is_dir():
        return str(resolve_checkpoint(f"{source}/", "predict", None, source))
    return source


def _batch(typed: str) -> int | None:
    if typed == "dynamic":
        return None
    if not typed.isascii() or not typed.isdigit() or not 0 < int(typed) <= 4096:
        raise argparse.ArgumentTypeError(f"{typed} is neither dynamic nor a number from 1 to 4096")
    return int(typed)


def _temperature(typed: str) -> float | Literal["auto"]:
    if typed == "auto":
        return "auto"
    found = number(typed)
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{typed} is neither auto nor a number above 0")
    return found


def _share(typed: str) -> float:
    found = number(typed)
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{typed} is not from 0 to 1")
    return found


def _place(option: str, typed: str) -> Path:
    """A file to be written, which is looked at before the work."""
    if not typed:
        raise ConfigError(f"{option} '': is no name of a file; name one")
    path = Path(at_home(typed))
    if path.exists():
        raise ConfigError(f"{option} {typed}: is there already; name another file, or remove it")
    parent = existing_above(path)
    if not parent.is_dir():
        raise ConfigError(f"{option} {typed}: {parent} is a file, and no folder; name another place")
    return path
