from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.errors import ConfigError, WeightsError
from vitcli.run import Run, claim, default_name, find, resolve_checkpoint, run_of


def checkpoint(folder: Path, *names: str) -> Run:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    for name in names:
        (folder / "checkpoints" / name).touch()
    return Run(folder)


def test_a_second_run_of_a_name_never_touches_the_first(tmp_path: Path):
    assert [claim(tmp_path / "runs", "cats").folder.name for _ in range(3)] == ["cats", "cats-2", "cats-3"]


def test_a_run_that_resumes_by_itself_takes_its_own_folder_and_none_of_anything_else(tmp_path: Path):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"--run\.resume auto: \S+photos is there, and is no run; name another"):
        claim(tmp_path, "photos", again=True)
    # made by whoever starts the job, for its output
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "out.txt").touch()
    assert claim(tmp_path, "job", again=True).folder == tmp_path / "job"
    checkpoint(tmp_path / "begun")
    assert claim(tmp_path, "begun", again=True).folder == tmp_path / "begun"


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match=r"--run\.name"):
        claim(tmp_path, name)


def test_a_file_where_the_runs_should_lie_is_named(tmp_path: Path):
    (tmp_path / "runs").touch()
    with pytest.raises(ConfigError, match=r"--run\.dir .*runs"):
        claim(tmp_path / "runs", "cats")


@pytest.mark.parametrize(
    ("configs", "root", "name"),
    [
        (["configs/cats_dogs.yaml", "configs/logger/wandb.yaml"], "photos", "cats_dogs"),
        ([], "some/photos/", "photos"),
        ([], None, "run"),
        (["runs/cats/config.yaml"], None, "cats"),
    ],
)
def test_a_run_goes_by_its_first_config_else_by_its_images(configs: list[str], root: str | None, name: str):
    assert default_name(configs, root) == name


def test_the_latest_of_several_runs_is_meant_unless_one_is_typed(tmp_path: Path):
    for name in ("cats", "cats-2", "cats-10", "cats-dogs"):
        checkpoint(tmp_path / name)
    assert find(tmp_path, "cats", exact=False) == Run(tmp_path / "cats-10")
    assert find(tmp_path, "cats", exact=True) == Run(tmp_path / "cats")
    assert find(tmp_path, "birds", exact=False) is None


def test_a_run_folder_means_last_for_fit_and_best_for_the_others(tmp_path: Path):
    run = checkpoint(tmp_path / "cats", "last.ckpt", "best.ckpt")
    for verb, name in {"fit": "last", "validate": "best", "test": "best", "predict": "best"}.items():
        assert resolve_checkpoint(str(run.folder), verb, None, "") == run.checkpoints / f"{name}.ckpt"


def test_last_and_best_are_of_the_run_that_is_meant(tmp_path: Path):
    run = checkpoint(tmp_path / "cats", "last.ckpt", "best.ckpt")
    assert resolve_checkpoint("last", "test", run, "") == run.checkpoints / "last.ckpt"


@pytest.mark.parametrize("ckpt_path", ["last", "best", "nowhere.ckpt"])
def test_a_checkpoint_that_is_not_there_is_named(ckpt_path: str):
    with pytest.raises(WeightsError, match=f"--ckpt_path {ckpt_path}"):
        resolve_checkpoint(ckpt_path, "test", None, "runs/cats")


def test_a_run_without_the_checkpoint_says_which_it_has(tmp_path: Path):
    run = checkpoint(tmp_path / "cats", "last.ckpt")
    with pytest.raises(WeightsError, match=r"only last\.ckpt"):
        resolve_checkpoint("best", "test", run, "")


def test_a_checkpoint_knows_its_run_only_inside_one(tmp_path: Path):
    run = checkpoint(tmp_path / "cats", "last.ckpt")
    assert run_of(run.checkpoints / "last.ckpt") == run
    assert run_of(tmp_path / "elsewhere.ckpt") is None
