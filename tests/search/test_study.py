"""A study is its folder, whatever that is called later on, and nothing but a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vitcli.errors import ConfigError
from vitcli.search.space import Choices, Space

pytest.importorskip("optuna")
from vitcli.search.folder import StudyFolder
from vitcli.search.results import verdict
from vitcli.search.study import Plan, is_baseline, open_study

PLAN = Plan(
    words=(),
    space=Space({"data.batch_size": Choices(("8", "16"))}),
    objective="val/loss",
    lowest=True,
    config={},
    shipped={},
    seed=0,
    epochs=None,
    trials=2,
)


def test_a_study_whose_folder_was_renamed_goes_on_with_its_trials(tmp_path: Path) -> None:
    study = open_study(StudyFolder(tmp_path / "one"), PLAN)
    study.tell(study.ask(), 0.5)
    (tmp_path / "one").rename(tmp_path / "two")
    again = open_study(StudyFolder(tmp_path / "two"), PLAN)
    assert [trial.value for trial in again.get_trials()] == [0.5]


@pytest.mark.parametrize(("held", "told"), [("checkpoints", "is a run"), ("photos/checkpoints", "holds other runs")])
def test_a_run_and_a_folder_of_runs_become_no_study(tmp_path: Path, held: str, told: str) -> None:
    (tmp_path / "base" / held).mkdir(parents=True)
    with pytest.raises(ConfigError, match=rf"^--study {tmp_path / 'base'}: is no study, but {told}; name another"):
        open_study(StudyFolder(tmp_path / "base"), PLAN)
    assert not (tmp_path / "base" / "study.json").exists()


def test_a_folder_of_something_else_becomes_no_study(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=rf"^--study {tmp_path}: holds notes.txt, and no study; name another folder$"):
        open_study(StudyFolder(tmp_path), PLAN)
    assert not (tmp_path / "study.json").exists()


def test_one_trial_is_told_as_the_only_one(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "study")
    plan = replace(PLAN, shipped={"data.batch_size": "8"})
    study = open_study(folder, plan)
    study.tell(study.ask(), 0.5)
    assert is_baseline(study.trials[0])
    told, *others = verdict(study, folder, plan)
    assert told.startswith("Only the config as it is (trial-000) has come to its end: ")
    assert not others
