"""What the page of a search shows, in plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from vitcli.report.charts.easel import Chart


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """A setting that was searched.

    Args:
        key: As typed.
        low: The lowest of a range; 0 of choices.
        high: The highest of a range; of choices the number of the last.
        log: Whether it is logarithmic.
        words: The choices; empty for a range.
    """

    key: str
    low: float
    high: float
    log: bool = False
    words: tuple[str, ...] = ()

    def place(self, value: float | str) -> float | None:
        """Where a value lies between the ends, from 0 to 1; None where it does not."""
        if self.words:
            return self.words.index(str(value)) / max(1, len(self.words) - 1) if value in self.words else None
        number = float(value)
        if not self.low <= number <= self.high:
            return None
        low, high, at = (math.log(one) if self.log else one for one in (self.low, self.high, number))
        return (at - low) / (high - low) if high > low else 0.5


@final
@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial.

    Args:
        number: In the study.
        name: Of its folder.
        state: complete, pruned, failed, running or stopped.
        value: The objective: the best of a complete trial, the last of a pruned one; None where there is none.
        curve: The objective after each validation.
        values: Each setting, as it was proposed; one that is not in the space is missing.
        typed: The same as typed.
        minutes: Of training.
        is_baseline: Whether it is the config as it is.
        note: Why it failed.
    """

    number: int
    name: str
    state: str
    value: float | None
    curve: Sequence[float]
    values: Mapping[str, float | str]
    typed: Mapping[str, str]
    minutes: float
    is_baseline: bool = False
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class StudyView:
    """A study.

    Args:
        name: Of its folder.
        objective: The metric.
        lowest: Whether its lowest value is the best.
        axes: What was searched.
        trials: In their order.
        best: Number of the best complete trial; None while there is none.
        answer: What was found, in a sentence.
        more: What else a reader has to know, a sentence each.
        figures: Name and value of a few numbers.
        importances: The share of each setting in what the trials differ by; empty where it cannot be said.
        commands: To make the best run again, and to judge it.
        charts: Drawn.
    """

    name: str
    objective: str
    lowest: bool
    axes: Sequence[Axis]
    trials: Sequence[TrialView]
    best: int | None
    answer: str
    more: Sequence[str]
    figures: Sequence[tuple[str, str]]
    importances: Mapping[str, float]
    commands: Sequence[str]
    charts: Sequence[Chart] = ()
