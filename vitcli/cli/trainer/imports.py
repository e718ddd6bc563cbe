"""Import of classes that a config names: from known packages, and from those that the user opens."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import jsonargparse

from vitcli.cli.words import pairs, split_off
from vitcli.errors import ConfigError

OPTION = "--allow-import"
KNOWN = ("vitcli", "lightning", "torch", "torchmetrics", "torchvision")
# settings whose value may be the path of a class without the word class_path before it
CLASSES = re.compile(r"trainer\.(callbacks|logger|profiler|plugins|strategy)|model\.net\.backend|data")
CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
OF_CLASS = ("class_path", "init_args", "dict_kwargs")
# as the defaults of such settings
OWN_FUNCTIONS = "lightning.pytorch.callbacks"
# of Lightning's classes, those whose settings may be functions, by their paths
TAKE_FUNCTIONS = (
    "BackboneFinetuning", "EMAWeightAveraging", "LambdaCallback", "ModelPruning", "PyTorchProfiler",
    "StochasticWeightAveraging", "ThroughputMonitor", "WeightAveraging",
)  # fmt: skip


def take_allowed(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words without ``--allow-import PACKAGE``, and the packages; no config can say it.

    What is typed as a class path is opened too: it is the user's own word.

    Raises:
        ConfigError: No package behind the option.
    """
    allowed, rest = split_off(words, (OPTION,))
    opened: list[str] = []
    for _, package, _ in allowed:
        if not re.fullmatch(r"[A-Za-z_][\w.]*", package or ""):
            raise ConfigError(f"{OPTION} {package or ''}: not the name of a package; give one, such as my_backend")
        opened.append(str(package))
    typed = (value for option, value in pairs(rest) if CLASSES.fullmatch(option))
    opened += [path.rpartition(".")[0] for path in typed if CLASS_PATH.fullmatch(path)]
    return rest, opened


def check_imports(path: str, content: Any, opened: Sequence[str]) -> None:
    """Check that a config names classes of known packages only, and no functions, before anything of it is imported.

    Args:
        path: The config file, for the message.
        content: What it holds.
        opened: Packages and modules that the user trusts.

    Raises:
        ConfigError: It names another one.
    """
    for key, value in _class_paths(content, ""):
        package = value.partition(".")[0]
        if package not in KNOWN and not _is_opened(value, opened):
            raise ConfigError(
                f"--config {path}: {key} {value}: {package} is not imported because a config says so; "
                f"if you trust it, add {OPTION} {package}"
            )
    for key, value in _functions(content, "", takes=False):
        if not _is_opened(value, (OWN_FUNCTIONS, *opened)):
            raise ConfigError(
                f"--config {path}: {key} {value}: a function is not called because a config says so; if you trust it, "
                f"add {OPTION} {value.rpartition('.')[0]}"
            )


def allow(opened: Sequence[str]) -> None:
    """Have jsonargparse import nothing else, where its version knows how to."""
    with contextlib.suppress(TypeError):
        jsonargparse.set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*KNOWN, *opened])


def _is_opened(path: str, opened: Sequence[str]) -> bool:
    return any(f"{path}.".startswith(f"{name}.") for name in opened)


def _functions(content: Any, key: str, *, takes: bool) -> Iterator[tuple[str, str]]:
    """Keys and paths of what may be functions, in the settings of a class that takes some."""
    if isinstance(content, dict):
        name = str(content.get("class_path", "")).rpartition(".")[2]
        takes = takes or name in TAKE_FUNCTIONS
        for inner, value in content.items():
            if inner != "class_path" or name not in TAKE_FUNCTIONS:
                yield from _functions(
                    value, key if inner in OF_CLASS else f"{key}.{inner}" if key else str(inner), takes=takes
                )
    elif isinstance(content, list):
        for value in content:
            yield from _functions(value, key, takes=takes)
    elif takes and isinstance(content, str) and CLASS_PATH.fullmatch(content):
        yield key, content


def _class_paths(content: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for name, value in content.items():
            inner = f"{key}.{name}" if key else str(name)
            yield from _class_paths(value, key if name == "class_path" else inner)
            if name == "class_path" and isinstance(value, str) and CLASS_PATH.fullmatch(value):
                yield key, value
    elif isinstance(content, list):
        for value in content:
            yield from _class_paths(value, key)
    elif isinstance(content, str) and CLASSES.fullmatch(key) and CLASS_PATH.fullmatch(content):
        yield key, content
