"""A study: what is searched, and Optuna's record of it in a file that several machines may share."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, final

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from vitcli.errors import ConfigError
from vitcli.machine.atomic import write_json
from vitcli.search.folder import StudyFolder
from vitcli.search.proposals import SeededTpe, distributions, pruner
from vitcli.search.space import Space, Value

# settings that say where and how fast a run is made, not what it reaches
ELSEWHERE = ("run", "report", "predictions", "ckpt_path", "config")
FASTER = (
    "data.num_workers",
    "data.cache",
    "data.cache_dir",
    "data.cache_size",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.logger",
)
BASELINE = "baseline"


@final
@dataclass(frozen=True)
class Plan:
    """What is searched, and for how long.

    Args:
        words: Those of ``vitcli fit`` that all trials share.
        space: The settings that differ.
        objective: The metric.
        lowest: Whether its lowest value is the best.
        config: All settings of the config as it is, by key, in plain types.
        shipped: Those of them that lie in the space.
        seed: Of the proposals.
        epochs: Validations of a whole trial; None: not known.
        trials: How many there are to be in all.
        minutes: After how many the searcher stops; None: never.
        monitors: Whether the objective is another than the config's, so that each trial is told.
    """

    words: tuple[str, ...]
    space: Space
    objective: str
    lowest: bool
    config: Mapping[str, Any] = field(repr=False)
    shipped: Mapping[str, Value]
    seed: int
    epochs: int | None
    trials: int
    minutes: float | None = None
    monitors: bool = False

    @property
    def begins_solved(self) -> bool:
        """Whether a trial begins with a head that was solved for, whose score comes before its first validation."""
        return self.config.get("probe.solve") is True

    def settings(self, values: Mapping[str, Value], *, is_shipped: bool) -> list[str]:
        """The words of a trial beside those that all share; the config as it is has none of its own.

        Args:
            values: Of the trial.
            is_shipped: Whether it is the config as it is.
        """
        monitor = [f"--checkpoint.monitor={self.objective}"] if self.monitors else []
        return [*([] if is_shipped else self.space.words(values)), *monitor]


def open_study(folder: StudyFolder, plan: Plan) -> optuna.Study:
    """Join a study, or begin it with the config as it is as its first trial.

    Args:
        folder: Of the study; made where it does not exist.
        plan: What is searched.

    Raises:
        ConfigError: The folder cannot be made, or holds a study of something else.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--study {folder.path}: cannot be made: {error.strerror}; name another") from error
    with folder.alone():
        _check_same(folder, plan)
        study = _load(folder, plan)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(dict(plan.shipped), user_attrs={BASELINE: True})
    return study


def _load(folder: StudyFolder, plan: Plan) -> optuna.Study:
    lock = JournalFileOpenLock(str(folder.journal))
    lock.acquire()
    try:
        _mend(folder)
    finally:
        lock.release()
    storage = JournalStorage(JournalFileBackend(str(folder.journal), lock_obj=lock))
    return optuna.create_study(
        storage=storage,
        # that of the study that is there, whose folder may have been renamed since
        study_name=next(iter(optuna.get_all_study_names(storage)), folder.path.resolve().name),
        direction="minimize" if plan.lowest else "maximize",
        sampler=SeededTpe(plan.seed),
        pruner=pruner(plan.epochs),
        load_if_exists=True,
    )


def _mend(folder: StudyFolder) -> None:
    """Cut off a line that a loss of power or a full disk has left unfinished: what follows would make it unreadable."""
    with suppress(FileNotFoundError), folder.journal.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def _check_same(folder: StudyFolder, plan: Plan) -> None:
    """Check that a study that is there searches the same, and else write down what is searched."""
    said = {
        "objective": plan.objective,
        "lowest": plan.lowest,
        "space": plan.space.as_json(),
        "words": list(plan.words),
        "config": {key: value for key, value in plan.config.items() if not is_elsewhere(key)},
    }
    said = json.loads(json.dumps(said, default=str))
    try:
        before = json.loads(folder.about.read_text(encoding="utf-8"))
    except FileNotFoundError:
        is_run = (folder.path / "checkpoints").exists()
        if is_run or folder.journal.exists() or any(folder.path.glob("*/checkpoints")):
            held = "is a run" if is_run else "holds other runs"
            raise ConfigError(f"--study {folder.path}: is no study, but {held}; name another folder") from None
        if other := next((entry.name for entry in sorted(folder.path.iterdir()) if not entry.name.startswith(".")), ""):
            raise ConfigError(f"--study {folder.path}: holds {other}, and no study; name another folder") from None
        write_json(folder.about, said)
        return
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--study {folder.path}: {folder.about.name} cannot be read ({error}); name another"
        ) from error
    again = f"name another with --study, or say again what it was begun with: {folder.about}"
    for key, name in (("objective", "--objective"), ("space", "--space")):
        if before.get(key) != said[key]:
            raise ConfigError(f"{name}: the study {folder.path} was begun with another; {again}")
    was, now = before.get("config") or {}, said["config"]
    for key in sorted({*was, *now}):
        if was.get(key) != now.get(key):
            raise ConfigError(f"{key} {now.get(key)}: the study {folder.path} was begun with {was.get(key)}; {again}")


def is_elsewhere(key: str) -> bool:
    """Whether a setting says where a run lies or how fast it is, and may differ between machines."""
    return any(key == one or key.startswith(f"{one}.") for one in (*ELSEWHERE, *FASTER))


def is_baseline(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial is the config as it is."""
    return bool(trial.user_attrs.get(BASELINE))


def suggest(trial: optuna.Trial, plan: Plan) -> None:
    """Have the values of a trial proposed, or those that are still missing.

    Args:
        trial: One that runs.
        plan: What is searched.
    """
    shipped = trial.user_attrs.get(BASELINE)
    for key, one in distributions(plan.space).items():
        if shipped and key not in plan.shipped:
            continue
        if isinstance(one, optuna.distributions.CategoricalDistribution):
            trial.suggest_categorical(key, one.choices)
        elif isinstance(one, optuna.distributions.IntDistribution):
            trial.suggest_int(key, one.low, one.high, step=one.step, log=one.log)
        elif isinstance(one, optuna.distributions.FloatDistribution):
            trial.suggest_float(key, one.low, one.high, step=one.step, log=one.log)


def finished(study: optuna.Study, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
    """The trials of a study that are in one of these states, in their order."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state in states]
