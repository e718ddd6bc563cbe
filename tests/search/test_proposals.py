"""Proposals follow from seed, number and what is known: restarts repeat none, and two searchers propose differently."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from vitcli.search.folder import StudyFolder
from vitcli.search.space import Choices, Range, Space, Value
from vitcli.search.study import Plan, open_study, suggest

SPACE = Space({"lr": Range(1e-4, 1e-1, log=True), "depth": Range(1, 8), "batch": Choices(("16", "32", "64"))})
TRIALS = 14


def plan(seed: int = 0, **changed: object) -> Plan:
    shipped: dict[str, Value] = {"lr": 1e-3, "depth": 4, "batch": "32"}
    options = {"words": (), "space": SPACE, "objective": "val/loss", "lowest": True, "config": {}, "shipped": shipped}
    return Plan(**{**options, "seed": seed, "epochs": 9, "trials": TRIALS, **changed})  # type: ignore[arg-type]


def searched(folder: Path, seed: int = 0, restart_each: int = TRIALS) -> list[dict[str, Value]]:
    """The proposals of a study whose searcher is begun anew after so many trials."""
    for number in range(TRIALS):
        if number % restart_each == 0:
            study = open_study(StudyFolder(folder), plan(seed))
        trial = study.ask()
        suggest(trial, plan(seed))
        study.tell(trial, (float(trial.params["lr"]) - 0.01) ** 2 + float(trial.params["depth"]))
    return [dict(trial.params) for trial in study.get_trials()]


def test_the_same_seed_proposes_the_same_however_often_the_searcher_is_begun_anew(tmp_path: Path):
    first = searched(tmp_path / "one")
    assert first[0] == {"lr": 1e-3, "depth": 4, "batch": "32"}, "the config as it is comes first"
    assert searched(tmp_path / "two", restart_each=3) == first
    assert searched(tmp_path / "three", seed=1)[1:] != first[1:]
    assert len({tuple(params.values()) for params in first}) == TRIALS, "none is proposed twice"


def test_two_searchers_of_one_study_propose_differently_and_share_its_numbers(tmp_path: Path):
    one, other = (open_study(StudyFolder(tmp_path / "study"), plan()) for _ in range(2))
    trials = [study.ask() for _ in range(4) for study in (one, other)]
    for trial in trials:
        suggest(trial, plan())
    assert sorted(trial.number for trial in trials) == list(range(8))
    assert len({tuple(trial.params.values()) for trial in trials}) == 8


def test_a_trial_whose_searcher_died_before_all_was_proposed_is_completed_with_the_same_values(tmp_path: Path):
    study = open_study(StudyFolder(tmp_path / "study"), plan())
    study.ask()
    begun = study.ask()
    begun.suggest_float("lr", 1e-4, 1e-1, log=True)
    again = optuna.Trial(open_study(StudyFolder(tmp_path / "study"), plan()), begun._trial_id)
    suggest(again, plan())
    whole = open_study(StudyFolder(tmp_path / "whole"), plan())
    whole.ask()
    undisturbed = whole.ask()
    suggest(undisturbed, plan())
    assert again.params == undisturbed.params


def test_what_the_config_has_outside_of_the_space_is_left_out_of_its_trial(tmp_path: Path):
    changed = plan(shipped={"depth": 4})
    study = open_study(StudyFolder(tmp_path / "study"), changed)
    trial = study.ask()
    suggest(trial, changed)
    assert trial.params == {"depth": 4}
    assert changed.settings(trial.params, is_shipped=True) == []


def test_half_a_line_that_a_loss_of_power_left_in_the_journal_hides_nothing(tmp_path: Path):
    folder = StudyFolder(tmp_path / "study")
    study = open_study(folder, plan())
    study.tell(study.ask(), 0.5)
    with folder.journal.open("a") as journal:
        journal.write('{"op_code":4,"wor')
    again = open_study(folder, plan())
    again.tell(again.ask(), 0.25)
    assert [trial.value for trial in open_study(folder, plan()).get_trials()] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"objective": "val/accuracy"}, "--objective: the study {} was begun with another; name another with --study"),
        ({"space": Space({"lr": Range(1e-3, 1e-1)})}, "--space: the study {} was begun with another; name another"),
        ({"config": {"model.net.dim": 64}}, "model.net.dim 64: the study {} was begun with None; name another"),
    ],
)
def test_a_study_of_something_else_is_not_joined(tmp_path: Path, changed: dict[str, object], told: str):
    folder = StudyFolder(tmp_path / "study")
    open_study(folder, plan(config={"data.num_workers": 1}))
    open_study(folder, plan(config={"data.num_workers": 8, "trainer.accelerator": "gpu"}))
    with pytest.raises(ValueError, match="study") as raised:
        open_study(folder, plan(**changed))
    assert str(raised.value).startswith(told.format(folder.path))


def test_a_folder_of_runs_is_not_taken_for_a_study(tmp_path: Path):
    (tmp_path / "mine" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ValueError, match="is no study, but holds other runs; name another folder"):
        open_study(StudyFolder(tmp_path), plan())
