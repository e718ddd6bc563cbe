"""``vitcli import``: other people's weights as a file of ours, with names for its classes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from vitcli.cli.exit import DONE, ended
from vitcli.cli.place import place
from vitcli.cli.plain_parser import PlainParser
from vitcli.errors import ConfigError, WeightsError
from vitcli.machine.atomic import folders_for
from vitcli.machine.short_lines import lines_of
from vitcli.names import at_home, printable, quoted
from vitcli.weights import save_tensors
from vitcli.weights.files import read_metadata
from vitcli.weights.open import open_pretrained

WORDNET = re.compile(r"^n\d{8}\s+(?=\S)")


def run(verb: str, words: Sequence[str]) -> int:
    """Do the import.

    Args:
        verb: import.
        words: The words after it.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _import(words))


def _import(words: Sequence[str]) -> int:
    try:
        said = vars(_parser().parse_args(list(words)))
    except argparse.ArgumentError as error:
        raise ConfigError(str(error)) from error
    file, out, names = at_home(said.pop("file")), _place(said.pop("out")), said.pop("classes")
    for key in ("image_size", "patch_size"):
        said[key] = _side_or_sides(key, said[key])
    pretrained = open_pretrained(file, **{key: value for key, value in said.items() if value is not None})
    classes = _names(names, pretrained.net.classes) if names else pretrained.classes
    extra = {"classes": list(classes)} if classes else {}
    with folders_for(out):
        save_tensors(pretrained.net, out, preprocess=pretrained.preprocess, source=pretrained.resampling, **extra)
    net = pretrained.net
    count = sum(parameter.numel() for parameter in net.parameters())
    print(f"net: {type(net.backend).__name__}, {net.tokens} tokens x {net.dim}, {count:,} parameters")
    print(f"weights: {printable(str(out))} ({net.classes} classes{'' if classes else ', without names'})")
    print(f"next: vitcli fit --weights {quoted(out)} --data.root photos")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli import", exit_on_error=False, add_help=False, allow_abbrev=False)
    parser.add_argument("file")
    parser.add_argument("--out", required=True)
    parser.add_argument("--source", choices=["auto", "timm", "torchvision", "vit_pytorch"])
    parser.add_argument("--heads", type=int)
    parser.add_argument("--image_size", type=int, nargs="+")
    parser.add_argument("--patch_size", type=int, nargs="+")
    parser.add_argument("--pool", choices=["cls", "mean", "mean_patches"])
    parser.add_argument("--norm_eps", type=float)
    parser.add_argument("--activation", choices=["gelu", "gelu_tanh", "quick_gelu"])
    parser.add_argument("--classes", help="a text file with a class name on each line")
    return parser


def _place(typed: str) -> Path:
    """Where the file goes, which may replace an earlier import.

    Raises:
        ConfigError: Its name has another ending, or other weights are there.
    """
    if Path(typed).suffix != ".safetensors":
        raise ConfigError(
            f"--out {typed or repr(typed)}: tensors are written as safetensors; let the name end in .safetensors"
        )
    out = place("--out", typed, _is_import)
    assert out is not None
    return out


def _is_import(file: Path) -> bool:
    try:
        return "preprocess" in read_metadata(file)
    except WeightsError:
        return False


def _side_or_sides(key: str, given: list[int] | None) -> int | list[int] | None:
    """One number for a square, or height and width.

    Raises:
        ConfigError: More numbers.
    """
    if given is not None and len(given) > 2:
        raise ConfigError(
            f"--{key} {' '.join(map(str, given))}: more than two numbers; give a side, or height and width"
        )
    return given[0] if given is not None and len(given) == 1 else given


def _names(path: str, count: int) -> tuple[str, ...]:
    """The names of a text file, a line each; a leading WordNet id such as n02123045 is left out if a name follows."""
    try:
        lines = lines_of(Path(path).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"--classes {path}: cannot be read: {error}") from error
    names = [WORDNET.sub("", line) for line in lines if line]
    if len(names) != count:
        raise WeightsError(f"--classes {path}: has {len(names)} names, but the net has {count} classes")
    distinct = [f"{name} ({number})" if name in names[:number] else name for number, name in enumerate(names)]
    return tuple(distinct)
