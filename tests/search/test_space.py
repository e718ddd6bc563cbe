"""A space says of each key a range or choices; what is wrong with it is one line, and numbers are typed short."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.errors import ConfigError
from vitcli.search.space import Choices, Range, Space, read_space


def read(folder: Path, text: str) -> Space:
    (folder / "space.yaml").write_text(text)
    return read_space(folder / "space.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no settings; give a list of choices, or {low: 1.0e-4, high: 1.0e-2, log: true} for each key"),
        ("a: {", "while parsing a flow node"),
        ("a: 3", "a: 3 is one value, and nothing to choose from; give a list of choices, or {low"),
        ("a: [1]", "a: 1 choices; give two or more, or set it by --config or on the command line"),
        ("a: [x, 1, x]", "a: x stands there twice; keep one of them"),
        ("a: {min: 1, high: 2}", "a: min is not of a range; a range has low, high, log, step"),
        ("a: {lo: 1, high: 2}", "a: lo is not of a range; did you mean low? a range has low, high, log, step"),
        ("model: {lr: {low: 1, high: 2}}", "model: lr is not of a range; write the whole key, model.lr"),
        ("a: {low: 1}", "a: a range without high; give a list"),
        ("a: {low: small, high: 2}", "a: low small: is no number; give one, or a list of choices"),
        ("a: {low: true, high: 2}", "a: low true: is no number"),
        ("a: {low: 1, high: .inf}", "a: high Infinity: is no number"),
        ("a: {low: 2, high: 2}", "a: low 2 is not below high 2, so that the range is empty; change one of them"),
        ("a: {low: 3, high: 2}", "a: low 3 is not below high 2, so that the range is empty"),
        ("a: {low: 0, high: 2, log: true}", "a: low 0: a range with log: true begins above 0; raise low"),
        ("a: {low: 1, high: 2, log: 1}", "a: log 1: must be true or false"),
        ("a: {low: 1, high: 9, log: true, step: 2}", "a: step 2: not beside log: true; leave one of them out"),
        ("a: {low: 1, high: 2, step: 3}", "a: step 3: must be above 0 and at most high - low, 1"),
        ("a: {low: 1, high: 2, step: 0}", "a: step 0: must be above 0"),
        ("run.name: [a, b]", "run.name: is not searched, because each trial is a run of its own; leave it out"),
        ("a: [1, 2]\na: [3, 4]", "line 2: a stands there twice; keep one of them"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_key_and_remedy(tmp_path: Path, text: str, told: str):
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    line = str(raised.value)
    assert line.startswith(f"--space {tmp_path / 'space.yaml'}: ")
    assert told in line
    assert line.count("; keep one of them; ") == 0, "one remedy is enough"
    assert "\n" not in line


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"--space .*none[.]yaml: no such file; name a YAML file"):
        read_space(tmp_path / "none.yaml")


def test_ends_are_typed_as_a_command_line_takes_them(tmp_path: Path):
    space = read(tmp_path, "lr: {low: 1.0e-4, high: 1.0e-2, log: true}\ndepth: {low: 2, high: 8, step: 4}\nb: [16, x]")
    assert space.settings["depth"] == Range(2, 6, False, 4), "8 is not reached by steps of 4 from 2"
    assert [one.ends for one in space.settings.values()] == [("0.0001", "0.01"), ("2", "6"), ("16", "x")]
    assert space.words({"depth": 6, "lr": 0.00314159265, "b": "x"}) == ["--lr=0.0031416", "--depth=6", "--b=x"]
    assert list(space.rounds()) == [{"lr": "0.0001", "depth": "2", "b": "16"}, {"lr": "0.01", "depth": "6", "b": "x"}]


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        ("0.7, high: 0.9, step: 0.1", 0.7, 0.9),
        ("0.2, high: 0.3, step: 0.1", 0.2, 0.3),
        ("0, high: 1, step: 0.3", 0, 0.9),
    ],
)
def test_steps_of_decimals_reach_the_number_that_is_typed(tmp_path: Path, spec: str, low: float, high: float):
    one = read(tmp_path, f"a: {{low: {spec}}}").settings["a"]
    assert isinstance(one, Range)
    assert (one.low, one.high) == (low, high)
    assert one.holds(high) == high


@pytest.mark.parametrize(
    ("one", "value", "held"),
    [
        (Range(1e-4, 1e-2, log=True), 1e-3, 1e-3),
        (Range(1e-4, 1e-2, log=True), 1, None),
        (Range(0.0, 0.2, step=0.05), 0.15, 0.15),
        (Range(0.0, 0.2, step=0.05), 0.07, None),
        (Range(2, 8), 4, 4),
        (Range(2, 8), 4.5, None),
        (Range(2, 8), True, None),
        (Range(2, 8), "auto", None),
        (Choices(("16", "32")), 32, "32"),
        (Choices(("16", "32")), 64, None),
        (Choices(("1e-3", "1e-2")), 0.001, "1e-3"),
        (Choices(("true", "false")), True, "true"),
        (Choices(("none", "trivial")), "none", "none"),
        (Choices(("null", "5")), None, "null"),
        (Choices(("1", "0.1", "0.01")), 0.1, "0.1"),
        (Choices(("5", "10")), 0.5, None),
        (Choices(("[0.6, 1.0]", "[0.8, 1.0]")), [0.6, 1.0], "[0.6, 1.0]"),
        (Choices(("VanillaTransformer", "Linformer")), "vitcli.net.Linformer", "Linformer"),
    ],
)
def test_the_value_of_a_config_is_found_in_the_space_or_is_not(one: Range | Choices, value: object, held: object):
    found = one.holds(value)
    assert found == held
    assert type(found) is type(held)
