"""Shipped configs: listed, printed, and found by short names, where a file of that path comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CPU, REPOSITORY, TINY
from vitcli.__main__ import main
from vitcli.cli.shipped import configs_first, shipped

CONFIGS = REPOSITORY / "configs"


def test_every_shipped_config_has_a_short_name():
    names = {str(path.relative_to(CONFIGS))[: -len(".yaml")] for path in CONFIGS.rglob("*.yaml")}
    assert set(shipped()) == names


def test_configs_lists_each_with_its_first_line(capsys: pytest.CaptureFixture[str]):
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped())
    for line, path in zip(lines, shipped().values(), strict=True):
        first = path.read_text().splitlines()[0]
        assert line.split(maxsplit=1)[1] == first.removeprefix("# ")
        # a sentence of its own, not the half of one
        assert first.endswith((".", ";"))


def test_configs_prints_one_as_it_is(capsys: pytest.CaptureFixture[str]):
    assert main(["configs", "model/linformer"]) == 0
    assert capsys.readouterr().out == (CONFIGS / "model" / "linformer.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["cats_dgos"],
            "configs cats_dgos: there is no such config; did you mean cats_dogs? vitcli configs lists them",
        ),
        (["folder", "shapes"], "configs folder shapes: one name at a time; vitcli configs lists them"),
    ],
)
def test_a_name_that_is_none_is_told_in_a_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["configs", *words]) == 2
    assert capsys.readouterr().err == f"vitcli configs: error: {told}\n"


def test_a_short_name_is_replaced_wherever_a_config_is_given():
    path = str(CONFIGS / "model" / "linformer.yaml")
    words = ["--config", "model/linformer", "--config=model/linformer", "-c", "model/linformer", "--run.name", "folder"]
    assert configs_first(words) == ["--config", path, f"--config={path}", "-c", path, "--run.name", "folder"]


def test_configs_come_before_what_is_typed_in_their_own_order():
    words = ["--run.name", "x", "--config", "one.yaml", "--trainer.max_epochs=1", "--config=two.yaml", "--config"]
    assert configs_first(words) == [
        "--config", "one.yaml", "--config=two.yaml", "--config", "--run.name", "x", "--trainer.max_epochs=1",
    ]  # fmt: skip


@pytest.mark.parametrize("behind", [True, False])
def test_an_option_wins_over_a_config_on_either_side_of_it(
    behind: bool, here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "short.yaml").write_text("trainer: {max_epochs: 3}\ndata: {class_path: ShapesData}\n")
    option, config = ["--trainer.max_epochs", "1"], ["--config", "short.yaml"]
    with pytest.raises(SystemExit):
        main(["fit", *(config + option if behind else option + config), "--print_config"])
    assert "max_epochs: 1\n" in capsys.readouterr().out


def test_a_file_of_that_path_comes_first(here: Path):
    (here / "folder").write_text("seed_everything: 1\n")
    assert configs_first(["--config", "folder", "-c", "shapes"]) == [
        "--config",
        "folder",
        "-c",
        str(CONFIGS / "shapes.yaml"),
    ]


def test_a_run_and_an_overlay_by_their_short_names_train(here: Path, capsys: pytest.CaptureFixture[str]):
    small = ["--data.train=8", "--data.val=4", "--data.batch_size=4", "--trainer.max_epochs=1"]
    words = ["--config", "shapes", "--config", "model/linformer", "--model.net.backend.k=2", *TINY, *CPU, *small]
    assert main(["fit", *words]) == 0
    told = capsys.readouterr().out
    assert told.startswith("net: Linformer, 5 tokens x 16")
    assert "run: runs/shapes " in told


def test_a_config_that_is_neither_names_the_nearest(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--config", "configs/catsdogs.yaml"]) == 2
    assert capsys.readouterr().err == (
        "vitcli fit: error: --config configs/catsdogs.yaml: no such file; did you mean --config cats_dogs? "
        "vitcli configs lists those that are shipped\n"
    )
