"""Shipped spaces: fit's parser takes each end of each, and the sweep files beside them say the same to wandb."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from tests.conftest import REPOSITORY
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.search.space import Choices, Range, read_space
from vitcli.search.sweep import sweep_yaml

CONFIGS = REPOSITORY / "configs"
SPACES = sorted((CONFIGS / "spaces").glob("*.yaml"))


@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_each_space_says_how_it_is_used_and_has_its_sweep(space: Path):
    text = space.read_text()
    assert f"# Use: vitcli search --config {space.stem} --space {space.stem} " in text
    sweep = (CONFIGS / "sweeps" / space.name).read_text()
    assert f"--space {space.stem} " in sweep
    held = yaml.safe_load(sweep)
    settings = read_space(space).settings
    assert list(held["parameters"]) == list(settings)
    for key, one in settings.items():
        said = held["parameters"][key]
        values = [str(value) for value in said["values"]] if "values" in said else [said["min"], said["max"]]
        ends = one.words if isinstance(one, Choices) else (one.low, one.high)
        assert len(values) >= len(ends)
        if isinstance(one, Choices):
            assert [yaml.safe_load(word) for word in values] == [yaml.safe_load(word) for word in ends]
        else:
            assert (float(values[0]), float(values[-1])) == pytest.approx(ends)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_a_sweep_is_what_search_writes_of_its_space(space: Path, photos: Path, capsys: pytest.CaptureFixture[str]):
    """Which also has fit's parser look at each end of the space."""
    words = ["--config", space.stem, *([] if space.stem == "shapes" else ["--data.root", "photos"])]
    assert main(["search", *words, "--space", space.stem, "--to-wandb", "sweep.yaml"]) == 0
    assert capsys.readouterr().out == "sweep: sweep.yaml; next: wandb sweep sweep.yaml\n"
    shipped = yaml.safe_load((CONFIGS / "sweeps" / space.name).read_text())
    written = yaml.safe_load(Path("sweep.yaml").read_text())
    for one in (shipped, written):
        one["command"] = [word for word in one["command"] if word not in ("DIR", "FILE", "photos", "--weights")]
    assert written == shipped


def drawn(setting: dict[str, Any], draw: random.Random) -> Any:
    """A value of a setting of a sweep, as wandb's server draws it."""
    if "values" in setting:
        return draw.choice(setting["values"])
    low, high = setting["min"], setting["max"]
    if setting["distribution"] == "int_uniform":
        return draw.randint(low, high)
    return low * (high / low) ** draw.random() if "log" in setting["distribution"] else draw.uniform(low, high)


def found(config: Any, key: str) -> Any:
    """What stands in a config under a dotted key, which leaves out the init_args of classes."""
    for part in key.split("."):
        config = config["init_args"][part] if part not in config else config[part]
    return config


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_a_run_that_wandbs_agent_starts_has_the_values_of_the_sweep(
    space: Path, photos: Path, capsys: pytest.CaptureFixture[str]
):
    """By the agent's own functions; it asks a server for the values, which a test has not."""
    sweep = yaml.safe_load((CONFIGS / "sweeps" / space.name).read_text())
    values = {key: drawn(setting, random.Random(key)) for key, setting in sweep["parameters"].items()}
    arguments = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    command = [word for word in create_sweep_command(sweep["command"]) if word not in ("--weights", "FILE")]
    assert command[0] == sweep["program"] == "vitcli"
    assert command[-1] == "${args}"
    words = ["photos" if word == "DIR" else word for word in command[1:-1]]
    with pytest.raises(SystemExit) as ended:
        main([*words, *arguments["args"], "--print_config"])
    assert ended.value.code == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert {key: found(config, key) for key in values} == values


def test_whole_numbers_stay_whole_in_a_sweep():
    from vitcli.search.space import Space

    space = Space(
        {
            "depth": Range(2, 8, step=2),
            "dim": Range(16, 256, log=True),
            "layers": Range(1, 4),
            "lr": Range(1e-4, 1e-2, log=True),
            "share": Range(0.0, 1.0),
            "stepped": Range(1, 3, step=1.0),
        }
    )
    held = yaml.safe_load(sweep_yaml(space, ["--config", "mine"], "val/loss", lowest=True, epochs=12))
    assert held["metric"] == {"name": "val/loss", "goal": "minimize"}
    assert held["early_terminate"] == {"type": "hyperband", "min_iter": 6, "eta": 3}
    assert held["command"] == ["vitcli", "fit", "--config", "mine", "--config", "logger/wandb", "${args}"]
    parameters = held["parameters"]
    assert parameters["depth"] == {"values": [2, 4, 6, 8]}
    assert parameters["layers"] == {"distribution": "int_uniform", "min": 1, "max": 4}
    assert parameters["lr"] == {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}
    assert parameters["share"] == {"distribution": "uniform", "min": 0.0, "max": 1.0}
    assert parameters["stepped"] == {"values": [1.0, 2.0, 3.0]}
    dims = parameters["dim"]["values"]
    assert (dims[0], dims[-1]) == (16, 256)
    assert all(type(dim) is int for dim in dims)
    ratios = [later / earlier for earlier, later in pairwise(dims)]
    assert max(ratios) < 1.2


def test_a_sweep_of_too_many_steps_is_refused_and_not_cut():
    from vitcli.search.space import Space

    space = Space({"lr": Range(0.0, 0.9999, step=0.0001)})
    with pytest.raises(ConfigError, match=r"--to-wandb: a range from 0 to 0.9999, step 0.0001 has 10,000 values"):
        sweep_yaml(space, ["--config", "mine"], "val/loss", lowest=True, epochs=12)
