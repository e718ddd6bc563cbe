"""The searcher: takes up what others have left, proposes, trains, prunes and tells, until all trials are done."""

from __future__ import annotations

import math
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, final

import optuna
from optuna.trial import FrozenTrial, TrialState

from vitcli.errors import ConfigError
from vitcli.machine.lock import Lock
from vitcli.machine.signals import SIGNALS, Stopped
from vitcli.names import counted
from vitcli.search.folder import Heartbeat, Owners, StudyFolder
from vitcli.search.progress import best_of, reached, scores
from vitcli.search.results import write_results
from vitcli.search.study import BASELINE, Plan, finished, suggest
from vitcli.search.training import Training

POLL_SECONDS = 0.3
WAIT_SECONDS = 1.0
# a training that something kills this often is given up; and so many that fail one after the other end the search
MOST_DEATHS = 3
MOST_FAILURES = 3
# what fit says of a training whose numbers are none
DIVERGED = re.compile(r"\bnan\b|\binf\b|gradients overflow")


class TimeIsUp(Exception):  # noqa: N818 -- it is no error
    """The minutes that the user gave are over."""


class _Taken(NamedTuple):
    """A trial that this process has.

    Args:
        trial: To be reported to.
        lock: Of its folder.
        is_new: Whether nobody has trained it yet.
    """

    trial: optuna.Trial
    lock: Lock
    is_new: bool


@final
class Searcher:
    """One of the processes of a study.

    Args:
        study: Joined already.
        folder: Of the study.
        plan: What is searched.
        tell: Prints a line.
    """

    def __init__(self, study: optuna.Study, folder: StudyFolder, plan: Plan, tell: Callable[[str], None]) -> None:
        self._study = study
        self._folder = folder
        self._plan = plan
        self._tell = tell
        self._owners = Owners(folder)
        self._last = math.inf if plan.minutes is None else time.monotonic() + 60 * plan.minutes

    def search(self) -> None:
        """Do trials until there are as many as planned, and none is unfinished.

        Raises:
            TimeIsUp: The training in progress was stopped with a checkpoint, and so were the others.
            Stopped: A signal has asked for it; likewise.
            ConfigError: The config as it is fails, or one trial after the other.
        """
        with _patiently():
            while (taken := self._next()) is not None:
                try:
                    self._do(taken)
                finally:
                    taken.lock.release()
                write_results(self._study, self._folder, self._plan)

    def _next(self) -> _Taken | None:
        """A trial for this process; waits while all are done or in other hands, and returns None when all are done."""
        is_told = False
        while True:
            self._leave_if_asked()
            with self._folder.alone():
                trials = self._study.get_trials(deepcopy=False)
                running = [trial for trial in trials if trial.state == TrialState.RUNNING]
                for trial in running:
                    if (lock := self._owners.take(trial.number)) is not None:
                        taken = optuna.Trial(self._study, trial._trial_id)
                        suggest(taken, self._plan)
                        return _Taken(taken, lock, is_new=False)
                if any(trial.state == TrialState.WAITING for trial in trials) or len(trials) < self._plan.trials:
                    new = self._study.ask()
                    if (lock := self._owners.take(new.number)) is None:
                        raise ConfigError(
                            f"{self._folder.run(new.number).folder}: is there already, and somebody is at work in it; "
                            "wait for its end, or name another folder with --study"
                        )
                    suggest(new, self._plan)
                    return _Taken(new, lock, is_new=True)
            if not running:
                return None
            if not is_told:
                names = ", ".join(self._folder.run(trial.number).name for trial in running)
                self._tell(f"waiting for other processes, which train {names}")
                is_told = True
            time.sleep(WAIT_SECONDS)

    def _do(self, taken: _Taken) -> None:
        trial, name = taken.trial, self._folder.run(taken.trial.number).name
        if "pruned" in trial.user_attrs:
            # decided by a searcher that then died
            self._told_pruned(trial, int(trial.user_attrs["pruned"]))
            return
        settings = self._plan.settings(trial.params, is_shipped=bool(trial.user_attrs.get(BASELINE)))
        said = " ".join(settings) if not trial.user_attrs.get(BASELINE) else "the config as it is"
        self._tell(f"{name}: {'' if taken.is_new else 'going on: '}{said}")
        while True:
            began = time.monotonic()
            try:
                code, pruned, error = self._train(taken, settings)
            finally:
                seconds = float(trial.user_attrs.get("seconds", 0.0)) + time.monotonic() - began
                trial.set_user_attr("seconds", round(seconds, 1))
            if pruned is not None:
                self._told_pruned(trial, pruned)
                return
            if code == 0:
                self._told_complete(trial)
                return
            if code == 2:
                self._told_failed(trial, error)
                return
            deaths = int(trial.user_attrs.get("deaths", 0)) + 1
            trial.set_user_attr("deaths", deaths)
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            if deaths >= MOST_DEATHS:
                self._told_failed(trial, f"{how}, {deaths} times: {error}")
                return
            self._tell(f"{name}: {how}; going on with it")

    def _train(self, taken: _Taken, settings: Sequence[str]) -> tuple[int, int | None, str]:
        """Train until it ends, is pruned, or this process is asked to stop.

        Returns:
            Its exit code, the validation after which it was pruned, and its error.
        """
        run = self._folder.run(taken.trial.number)
        own = [f"--run.dir={self._folder.path}", f"--run.name={run.name}", "--run.resume=auto"]
        heart = Heartbeat(taken.lock)
        training = Training(run, ["fit", *self._plan.words, *settings, *own])
        at_once = lambda _: training.kill()  # noqa: E731 -- to be removed again
        SIGNALS.at_once.append(at_once)
        reported = max(self._frozen(taken.trial).intermediate_values, default=0)
        try:
            while True:
                has_ended = training.ended(POLL_SECONDS)
                heart.beat()
                # a head that was solved for is scored before the first step, and tells nothing of the trial's settings
                values = scores(run.metrics, self._plan.objective)[1 if self._plan.begins_solved else 0 :]
                for step, value in enumerate(values[reported:], reported + 1):
                    taken.trial.report(value, step)
                    reported = step
                    if self._is_pruned(taken.trial, step):
                        # first this, so that a searcher that dies now has decided
                        taken.trial.set_user_attr("pruned", step)
                        return training.stop(), step, ""
                if has_ended:
                    code = training.code
                    assert code is not None
                    return code, None, training.error() if code else ""
                self._leave_if_asked()
        finally:
            if training.code is None:
                training.stop()
            SIGNALS.at_once.remove(at_once)

    def _is_pruned(self, trial: optuna.Trial, step: int) -> bool:
        """Whether the pruner gives it up; the config as it is comes to its end, and so does what has reached it."""
        behind = trial.should_prune()
        is_last = self._plan.epochs is not None and step >= self._plan.epochs
        return behind and not is_last and not trial.user_attrs.get(BASELINE)

    def _told_complete(self, trial: optuna.Trial) -> None:
        values = list(self._frozen(trial).intermediate_values.values())
        # a head that was solved for stays the best until an epoch is better beyond chance
        best = reached(self._folder.run(trial.number).finished, self._plan.objective)
        if best is None:
            best = best_of(values, lowest=self._plan.lowest)
        if best is None:
            self._told_failed(trial, f"no {self._plan.objective} was logged; is there a val split?")
            return
        self._study.tell(trial, best)
        self._tell(
            f"{self._folder.run(trial.number).name}: {self._plan.objective} {best:.4f}, the best of "
            f"{counted(len(values), 'validation')}{' and its head' if self._plan.begins_solved else ''}"
        )

    def _told_pruned(self, trial: optuna.Trial, step: int) -> None:
        value = self._frozen(trial).intermediate_values.get(step, math.nan)
        self._study.tell(trial, state=TrialState.PRUNED)
        self._tell(
            f"{self._folder.run(trial.number).name}: pruned after {counted(step, 'validation')}, with "
            f"{self._plan.objective} {value:.4f}"
        )

    def _told_failed(self, trial: optuna.Trial, error: str) -> None:
        name = self._folder.run(trial.number).name
        trial.set_user_attr("error", error)
        if DIVERGED.search(error):
            # as good as pruned: what TPE is not told of it would propose again
            self._study.tell(trial, state=TrialState.PRUNED)
            self._tell(f"{name}: diverged: {error}")
            return
        if trial.user_attrs.get(BASELINE):
            # left unfinished, so that the same command tries it again
            raise ConfigError(
                f"{name}, the config as it is, has failed: {error} (see {self._folder.run(trial.number).folder})"
            )
        self._study.tell(trial, state=TrialState.FAIL)
        self._tell(f"{name}: failed: {error}")
        done = finished(self._study, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        latest = sorted(done, key=_ended_at)[-MOST_FAILURES:]
        if len(latest) == MOST_FAILURES and all(one.state == TrialState.FAIL for one in latest):
            raise ConfigError(f"{MOST_FAILURES} trials have failed one after the other, {name} with: {error}")

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return next(one for one in self._study.get_trials(deepcopy=False) if one.number == trial.number)

    def _leave_if_asked(self) -> None:
        if SIGNALS.asked is not None:
            raise Stopped.asked_by(SIGNALS.asked)
        if time.monotonic() > self._last:
            raise TimeIsUp


def _ended_at(trial: FrozenTrial) -> float:
    return trial.datetime_complete.timestamp() if trial.datetime_complete is not None else 0.0


@contextmanager
def _patiently() -> Iterator[None]:
    """While this lasts, a signal is looked for where a training can be stopped; a second one still ends all at once."""
    SIGNALS.on_asked = _say
    SIGNALS.patience = math.inf
    try:
        yield
    finally:
        SIGNALS.patience = 0.0


def _say(number: signal.Signals) -> None:
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    print(f"{name}: the training in progress is being saved; once more ends it at once", file=sys.stderr, flush=True)
