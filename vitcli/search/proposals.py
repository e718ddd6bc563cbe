"""Proposals: Optuna's TPE, seeded anew for each trial, so that restarts and other machines change no draw.

A sampler that is seeded once would propose its first trials again after each restart, and the same ones on each
machine. Here what is proposed is a function of seed, number of the trial and the trials before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from vitcli.search.rungs import REDUCTION, first_rung
from vitcli.search.space import Choices, Range, Space

# trials at random before their results are looked at, the config as it is among them
STARTUP_TRIALS = 8


@final
class SeededTpe(BaseSampler):
    """TPE (Bergstra et al. 2011; of all settings together, Falkner et al. 2018), a pure function of what is known.

    Running trials count as bad ones (a constant liar), so that searchers do not propose the same.

    Args:
        seed: Of the study.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._relative: tuple[int, TPESampler] = (-1, self._sampler(0))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The settings that are drawn together."""
        return self._together(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Their values."""
        return self._together(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of one that is drawn alone: at first, or because some trials lack it; whatever was drawn before."""
        alone = self._sampler(trial.number, zlib.crc32(param_name.encode()))
        return alone.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Nothing: there are no constraints."""

    def _together(self, trial: FrozenTrial) -> TPESampler:
        """One for all the settings of a trial."""
        if self._relative[0] != trial.number:
            self._relative = (trial.number, self._sampler(trial.number))
        return self._relative[1]

    def _sampler(self, *of: int) -> TPESampler:
        seed = int(np.random.SeedSequence([self._seed, *of]).generate_state(1)[0])
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True)


def pruner(validations: int | None) -> SuccessiveHalvingPruner:
    """Asynchronous successive halving (Li et al. 2018): of three trials that reach a rung, the best goes on.

    Args:
        validations: That a whole trial has; None: not known.
    """
    return SuccessiveHalvingPruner(min_resource=first_rung(validations), reduction_factor=REDUCTION)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space as Optuna has it."""
    return {key: _distribution(one) for key, one in space.settings.items()}


def _distribution(one: Range | Choices) -> BaseDistribution:
    if isinstance(one, Choices):
        return CategoricalDistribution(one.words)
    if one.is_whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=int(one.step or 1))
    return FloatDistribution(float(one.low), float(one.high), log=one.log, step=one.step)
