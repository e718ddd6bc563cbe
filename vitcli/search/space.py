"""Search space: settings by their keys as they are typed, each a range of numbers or a list of choices, from YAML."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from vitcli.errors import ConfigError
from vitcli.machine.bounded_yaml import AmbiguousError, UnboundedError, read_yaml

WORDS = ("low", "high", "log", "step")
# what the search itself says to each of its runs, or what would make them no runs of their own
OWN = ("run", "config", "ckpt_path", "checkpoint.monitor", "checkpoint.mode", "checkpoint.dirpath")
# significant digits of a proposal, enough for any setting and short enough to be read
DIGITS = 5
# where between two ends a number is tried: at no whole one, unless they are far apart
BETWEEN = 0.381966
FORMS = "give a list of choices, or {low: 1.0e-4, high: 1.0e-2, log: true}"

Value = float | int | str


@final
@dataclass(frozen=True)
class Range:
    """Numbers between two ends, both included.

    Args:
        low: The lowest.
        high: The highest; with a step, the last that steps from ``low`` reach.
        log: Whether their logarithms are drawn evenly, not they themselves.
        step: Their distance; None: any number between the ends. Of whole numbers 1 if not said.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)

    @property
    def ends(self) -> tuple[str, ...]:
        """Both ends, as typed; and where they are whole numbers by chance, one between them that is none."""
        ends = self.typed(self.low), self.typed(self.high)
        by_chance = not self.is_whole and self.step is None and float(self.low).is_integer()
        return (*ends, self.typed(self.low + (self.high - self.low) * BETWEEN)) if by_chance else ends

    def holds(self, value: object) -> Value | None:
        """The value of a config as one of these; None if it is none."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        if self.is_whole and value != int(value):
            return None
        if self.step is not None and abs((value - self.low) / self.step - round((value - self.low) / self.step)) > 1e-9:
            return None
        return int(value) if self.is_whole else float(value)

    def typed(self, value: Value) -> str:
        """A value as a command line takes it."""
        return str(int(value)) if self.is_whole else f"{float(value):.{DIGITS}g}"

    def __str__(self) -> str:
        log = ", log" if self.log else ""
        step = f", step {self.step:g}" if self.step not in (None, 1) else ""
        return f"{self.low:g} to {self.high:g}{log}{step}"


@final
@dataclass(frozen=True)
class Choices:
    """Values of which one is taken, without an order.

    Args:
        words: As they are typed.
    """

    words: tuple[str, ...]

    @property
    def ends(self) -> tuple[str, ...]:
        """All of them."""
        return self.words

    def holds(self, value: object) -> Value | None:
        """The value of a config as one of these; None if it is none."""
        text = _typed(value)
        if text in self.words:
            return text
        if isinstance(value, str):
            # a class goes by its short name
            short = text.rpartition(".")[2]
            return short if short in self.words else None
        return next((word for word in self.words if _same(word, value)), None)

    def typed(self, value: Value) -> str:
        """A value as a command line takes it."""
        return str(value)

    def __str__(self) -> str:
        return ", ".join(self.words)


@final
@dataclass(frozen=True)
class Space:
    """What is searched.

    Args:
        settings: A range or choices for each key, in the order of the file.
    """

    settings: Mapping[str, Range | Choices]

    def words(self, values: Mapping[str, Value]) -> list[str]:
        """Values as words of a command line, in the order of the file."""
        return [f"--{key}={self.settings[key].typed(values[key])}" for key in self.settings if key in values]

    def rounds(self) -> Iterator[dict[str, str]]:
        """Assignments, as typed, in which each end and each choice of each key occurs at least once."""
        most = max(len(one.ends) for one in self.settings.values())
        for number in range(most):
            yield {key: one.ends[number % len(one.ends)] for key, one in self.settings.items()}

    def within(self, config: Mapping[str, Any]) -> dict[str, Value]:
        """Those settings of a config that lie in the space.

        Args:
            config: Values by key.
        """
        held = {key: one.holds(config.get(key)) for key, one in self.settings.items()}
        return {key: value for key, value in held.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """The space in plain types."""
        return {
            key: list(one.words)
            if isinstance(one, Choices)
            else {"low": one.low, "high": one.high, "log": one.log, "step": one.step}
            for key, one in self.settings.items()
        }


def read_space(file: Path) -> Space:
    """Read and check a space, as far as it can be without knowing the settings.

    Args:
        file: YAML: a mapping from keys to ranges and lists.

    Raises:
        ConfigError: It cannot be read, or a range or list of it is none.
    """
    try:
        content = read_yaml(file)
    except FileNotFoundError:
        raise ConfigError(f"--space {file}: no such file; name a YAML file, or one of vitcli configs") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--space {file}: cannot be read: {error}; name a YAML file") from error
    except (AmbiguousError, UnboundedError) as error:
        raise ConfigError(f"--space {file}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--space {file}: {' '.join(str(error).split())}; give keys with ranges or choices"
        ) from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"--space {file}: holds no settings; {FORMS} for each key, such as model.optimizer.lr")
    plain = [_plain(str(key)) for key in content]
    if twice := _repeated(plain):
        raise ConfigError(f"--space {file}: {twice[0]} stands there twice, once as init_args; keep one of them")
    return Space(
        {str(key).lstrip("-"): _setting(f"--space {file}: {key}", str(key), spec) for key, spec in content.items()}
    )


def _setting(where: str, key: str, spec: Any) -> Range | Choices:
    plain = _plain(key)
    if any(plain == own or plain.startswith(f"{own}.") for own in OWN):
        raise ConfigError(f"{where}: is not searched, because each trial is a run of its own; leave it out")
    if isinstance(spec, list):
        return _choices(where, spec)
    if isinstance(spec, dict):
        return _range(where, key, spec)
    raise ConfigError(f"{where}: {_typed(spec)[:60]} is one value, and nothing to choose from; {FORMS}")


def _plain(key: str) -> str:
    """A key as it is typed, without what a config may write in between."""
    return key.lstrip("-").replace(".init_args", "")


def _repeated(words: Sequence[str]) -> list[str]:
    """Those that stand there twice."""
    return [word for number, word in enumerate(words) if word in words[:number]]


def _choices(where: str, spec: list[Any]) -> Choices:
    words = tuple(map(_typed, spec))
    if len(words) < 2:
        raise ConfigError(
            f"{where}: {len(words)} choices; give two or more, or set it by --config or on the command line"
        )
    if twice := _repeated(words):
        raise ConfigError(f"{where}: {twice[0]} stands there twice; keep one of them")
    return Choices(words)


def _range(where: str, key: str, spec: dict[Any, Any]) -> Range:
    for word in spec:
        if word not in WORDS:
            near = difflib.get_close_matches(str(word), WORDS, n=1, cutoff=0.5)
            nested = isinstance(spec[word], dict | list)
            do = f"write the whole key, {key}.{word}" if nested else f"a range has {', '.join(WORDS)}"
            raise ConfigError(f"{where}: {word} is not of a range; {f'did you mean {near[0]}? ' if near else ''}{do}")
    for word in ("low", "high"):
        if word not in spec:
            raise ConfigError(f"{where}: a range without {word}; {FORMS}")
    for word in ("low", "high", "step"):
        value = spec.get(word)
        if word == "step" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{where}: {word} {_typed(value)[:60]}: is no number; give one, or a list of choices")
    low, high, log, step = spec["low"], spec["high"], spec.get("log", False), spec.get("step")
    if not isinstance(log, bool):
        raise ConfigError(f"{where}: log {_typed(log)[:60]}: must be true or false")
    if not low < high:
        raise ConfigError(
            f"{where}: low {low} is not below high {high}, so that the range is empty; change one of them"
        )
    if log and low <= 0:
        raise ConfigError(f"{where}: low {low}: a range with log: true begins above 0; raise low, or leave log out")
    if step is None:
        return Range(low, high, log)
    if log:
        raise ConfigError(f"{where}: step {step}: not beside log: true; leave one of them out")
    if not 0 < step <= (high - low) * (1 + 1e-9):
        raise ConfigError(f"{where}: step {step}: must be above 0 and at most high - low, {high - low:g}")
    # the last that steps reach
    count = math.floor((high - low) / step + 1e-9)
    # not 0.8999999999999999, below which there is no 0.9
    last = low + count * step if isinstance(low, int) and isinstance(step, int) else float(f"{low + count * step:.12g}")
    return Range(low, last, False, step)


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _same(word: str, value: object) -> bool:
    """Whether a word is the value otherwise written: 1e-3 is 0.001."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return float(word) == value
    except ValueError:
        return False
