"""A mistake in the words or in the space of a search is one line, and nothing is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CPU, REPOSITORY, TINY
from vitcli.__main__ import main
from vitcli.cli.search.asked import space_file

SHAPES = ["--data", "ShapesData", *TINY, *CPU]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["search", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert not Path("runs").exists(), "nothing was begun"
    return told.err.removeprefix("vitcli search: error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--space is missing: what is to be searched? A YAML file, or one of cats_dogs, finetune, folder, shapes"),
        (["--space", "shaeps"], "--space shaeps: no such file; name a YAML file, or one of vitcli configs"),
        (["--space", "shapes", "--trials", "0"], "--trials 0: below 1; say how many there are to be in all"),
        (["--space", "shapes", "--trials", "many"], "--trials: invalid int value: 'many'; see vitcli search -h"),
        (["--space", "shapes", "--minutes", "0"], "--minutes 0: must be above 0; leave it out for no limit"),
        (["--space", "shapes", "--study", ""], "--study '': is empty; name one, or leave it out"),
        (["--space", "shapes", "--to-wandb", ""], "--to-wandb '': is empty; name one, or leave it out"),
        (["--space", "shapes", "--to-wandb", "sweep.txt"], "--to-wandb sweep.txt: is no .yaml; name one"),
        (["--space", "shapes", "--run.name", "x"], "--run.name x: trials are named by their number; name the study"),
        (
            ["--space", "shapes", "--ckpt_path", "last"],
            "--ckpt_path last: each trial is a run of its own; to start all",
        ),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_imported(
    here: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
):
    assert refused(words, capsys).startswith(told)


@pytest.mark.parametrize(
    ("space", "more", "told"),
    [
        (
            "model.optimiser.lr: {low: 1.0e-4, high: 1.0e-2}",
            [],
            "--space space.yaml: model.optimiser.lr: there is no such setting; did you mean model.optimizer.lr?",
        ),
        (
            # only what is built finds this one, and beside it another that is right
            "{data.batch_size: [8, 16], model.optimizer.lr: {low: -1.0e-3, high: 1.0e-2}}",
            [],
            "--space space.yaml: model.optimizer.lr -0.001: a learning rate must be above 0, e.g. 0.001",
        ),
        (
            "data.augment.policy: [none, trivail]",
            [],
            "--space space.yaml: data.augment.policy trivail: did you mean trivial? must be one of none, trivial, rand",
        ),
        (
            "model.optimizer.lr: [a, b]",
            [],
            "--space space.yaml: model.optimizer.lr a: not float or 'auto'; give one",
        ),
        (
            # both ends are whole, but what is proposed between them is not
            "model.net.backend.depth: {low: 1.0, high: 3.0}",
            [],
            "--space space.yaml: model.net.backend.depth 1.7639: not int; give one",
        ),
        (
            "{data.batch_size: [8, 16], data.init_args.batch_size: [8, 12]}",
            [],
            "--space space.yaml: data.batch_size stands there twice, once as init_args; keep one of them",
        ),
        (
            "data.batch_size: [8, 16]",
            ["--study", "runs/.."],
            "--study runs/..: ends in no name for a folder; name one, such as runs/search",
        ),
        (
            "data.batch_size: [8, 16]",
            ["--objective", "val/acuracy"],
            "--objective val/acuracy: there is no such metric; did you mean val/accuracy?",
        ),
    ],
)
def test_a_key_or_value_that_fit_would_refuse_is_told_by_its_own_parser(
    here: Path, space: str, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
):
    (here / "space.yaml").write_text(space)
    assert refused(["--space", "space.yaml", *SHAPES, *more], capsys).startswith(told)


def test_a_space_is_found_by_its_short_name_where_there_is_no_such_file(here: Path):
    assert space_file("shapes") == REPOSITORY / "configs" / "spaces" / "shapes.yaml"
    (here / "shapes").write_text("a: [1, 2]")
    assert space_file("shapes") == Path("shapes")


def test_a_sweep_replaces_a_sweep_and_no_file_of_the_users(here: Path, capsys: pytest.CaptureFixture[str]):
    mine = here / "mine.yaml"
    mine.write_text("data.batch_size: [8, 16]")
    words = ["--space", "mine.yaml", *SHAPES, "--to-wandb"]
    assert refused([*words, "mine.yaml"], capsys) == (
        "--to-wandb mine.yaml: is there, and is none that --to-wandb writes; name another file"
    )
    assert mine.read_text() == "data.batch_size: [8, 16]"
    for _ in range(2):
        assert main(["search", *words, "sweep.yaml"]) == 0
