"""model.optimizer.lr auto: a learning-rate range test, after Smith 2017 (Cyclical Learning Rates, 3.3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from vitcli.data.batches.order import BatchKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitcli.data import Batch
    from vitcli.train.sizes.trial import Trial

STEPS = 100
LOWEST, HIGHEST = 1e-6, 1.0
# images whose loss is looked at after each step
LOOKED_AT = 128
# a loss of so many times the lowest has diverged
DIVERGED = 4.0
# a loss that has not fallen to so large a part says nothing about rates
FALLEN = 0.9
# the run's highest rate as a part of the one after which the loss was lowest
PART = 0.1
# of AdamW where the test says nothing
USUAL = 1e-3


class Curve(NamedTuple):
    """The loss at each rate.

    Args:
        rates: Rising from step to step.
        losses: Of the same images after each step.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def speaks(self) -> bool:
        """Whether the loss has fallen enough to tell rates apart."""
        return len(self.losses) > 1 and min(self.losses) <= FALLEN * self.losses[0]

    @property
    def chosen(self) -> float:
        """The highest rate of the run, with two digits.

        A tenth of the rate after which the loss was lowest: the rates above that throw the weights about, and a run
        holds its highest rate for a good part of its steps. Where the loss has hardly fallen, the usual one.
        """
        if not self.speaks:
            return USUAL
        return float(f"{self.rates[self.losses.index(min(self.losses))] * PART:.1e}")


def range_test(trial: Trial, batches: int) -> Curve:
    """Train for some steps at a rate that rises from 1e-6 to 1, until the loss has diverged.

    Each step has a batch of the run, or several that are summed up as the run will, over all processes. The loss is not
    that of the step, which differs from batch to batch more than from rate to rate, but that of the same images after
    each.

    Args:
        trial: Makes the steps.
        batches: Which a step of the optimizer sums up.
    """
    keys = _keys(trial)
    looked_at = _looked_at(trial)
    rates: list[float] = []
    losses: list[float] = []
    for step in range(STEPS):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        for group in trial.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        trial.step([trial.batch(next(keys)) for _ in range(batches)], together=True)
        loss = trial.loss(looked_at, together=True)
        if not math.isfinite(loss) or (losses and loss > DIVERGED * min(losses)):
            break
        rates.append(rate)
        losses.append(loss)
    return Curve(tuple(rates), tuple(losses))


def _looked_at(trial: Trial) -> list[Batch]:
    """Some batches at the end of the first epoch."""
    keys: list[BatchKey] = []
    for key in reversed(trial.data.training_plan(0)):
        if keys and sum(len(one.spots) for one in [*keys, key]) > LOOKED_AT:
            break
        keys.append(key)
    return [trial.batch(key) for key in keys]


def _keys(trial: Trial) -> Iterator[BatchKey]:
    epoch = 0
    while True:
        yield from trial.data.training_plan(epoch)
        epoch += 1
