"""A search space as a sweep file of Weights & Biases, whose agents then do what ``vitcli search`` does."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vitcli.errors import ConfigError
from vitcli.machine.atomic import replacing
from vitcli.names import quoted
from vitcli.search.rungs import REDUCTION, first_rung
from vitcli.search.space import Choices, Range, Space

# in the first line of a sweep
KIND = "as a sweep of Weights & Biases"

# more values than these are not listed, but drawn from a range
MOST_LISTED = 32
# values of a range with a step
MOST_STEPS = 1000


def write_sweep(
    file: Path, space: Space, words: Sequence[str], objective: str, *, lowest: bool, epochs: int | None, header: str
) -> None:
    """Write the file.

    Args:
        file: The YAML file, which is there as a whole or not at all.
        space: What is searched.
        words: Those of ``vitcli fit`` that all runs share.
        objective: The metric, under which wandb knows it too.
        lowest: Whether its lowest value is the best.
        epochs: Validations of a whole run; None: not known.
        header: Its first lines, without their marks.
    """
    text = "".join(f"# {line}\n" for line in header.splitlines()) + sweep_yaml(
        space, words, objective, lowest=lowest, epochs=epochs
    )
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8")


def sweep_yaml(space: Space, words: Sequence[str], objective: str, *, lowest: bool, epochs: int | None) -> str:
    """The sweep as YAML; its keys are those of wandb's documentation, in their order there."""
    content: dict[str, Any] = {
        "program": "vitcli",
        "method": "bayes",
        "metric": {"name": objective, "goal": "minimize" if lowest else "maximize"},
        "early_terminate": {
            "type": "hyperband",
            "min_iter": first_rung(epochs),
            "eta": REDUCTION,
        },
        "command": ["vitcli", "fit", *words, *_logger(words), "${args}"],
        "parameters": {key: _parameter(one) for key, one in space.settings.items()},
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)


def head(words: Sequence[str], space: str, file: Path) -> str:
    """The first lines of the file: what it is, and how it is used."""
    said = " ".join(map(quoted, [*words, "--space", space]))
    return (
        f"The search space {Path(space).stem} {KIND}; each run is an ordinary vitcli fit.\n"
        f"Made by: vitcli search {said} --to-wandb {quoted(file)}\n"
        f"Use:     wandb sweep {quoted(file)}, then, on as many machines as you like, wandb agent with what it prints"
    )


def is_sweep(file: Path) -> bool:
    """Whether a file is such a sweep, by its first line."""
    try:
        with file.open(encoding="utf-8") as lines:
            return KIND in lines.readline()
    except (OSError, UnicodeDecodeError):
        return False


def _logger(words: Sequence[str]) -> list[str]:
    """What sends a run to wandb, unless the user has said so."""
    text = " ".join(words).lower()
    return [] if "wandb" in text else ["--config", "logger/wandb"]


def _parameter(one: Range | Choices) -> dict[str, Any]:
    if isinstance(one, Choices):
        return {"values": list(map(_read, one.words))}
    if listed := _listed(one):
        return {"values": listed}
    if one.is_whole and not one.log:
        return {"distribution": "int_uniform", "min": int(one.low), "max": int(one.high)}
    kind = "log_uniform_values" if one.log else "uniform"
    return {"distribution": kind, "min": float(one.low), "max": float(one.high)}


def _listed(one: Range) -> list[float]:
    """The values of a range that wandb has no distribution for: with a step, or whole numbers by their logarithm.

    wandb rounds such a range to a number with a point, which a whole number of vitcli's is not.
    """
    if one.step is not None and not (one.is_whole and one.step == 1):
        count = round((one.high - one.low) / one.step) + 1
        if count > MOST_STEPS:
            raise ConfigError(
                f"--to-wandb: a range from {one} has {count:,} values, and wandb would be given each of them; take a "
                f"larger step, for at most {MOST_STEPS:,}, or none"
            )
        return [_plain(one, one.low + number * one.step) for number in range(count)]
    if one.is_whole and one.log:
        count = min(MOST_LISTED, int(one.high - one.low) + 1)
        low, high = math.log(one.low), math.log(one.high)
        found = [round(math.exp(low + (high - low) * number / (count - 1))) for number in range(count)]
        return sorted({int(value) for value in found})
    return []


def _plain(one: Range, value: float) -> float:
    return int(value) if one.is_whole else float(one.typed(value))


def _read(word: str) -> Any:
    """A number, true, false or null as such, which is typed in the same letters; else the word."""
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return value if json.dumps(value) == word else word
