"""YAML, JSON and lines from elsewhere are read within limits of time and memory."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bounds import bounded, core_seconds
from vitcli.machine.bounded_json import from_json, read_json
from vitcli.machine.bounded_yaml import MOST_VALUES, AmbiguousError, UnboundedError, check_yaml, from_yaml, read_yaml
from vitcli.machine.short_lines import short_lines

LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
MERGED = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 12)
)
ANCHORS = "".join(f"a{level}: &a{level} [{f'*a{level - 1}' if level else 1}]\n" for level in range(3000))
UNBOUNDED = {
    "a billion laughs": LAUGHS,
    "a billion laughs by merges": MERGED,
    "a list inside of itself": "a: &a [*a]",
    "a mapping inside of itself": "a: &a {b: {c: *a}}",
    "20,000 levels": "[" * 20_000 + "]" * 20_000,
    "20,000 levels of dashes": "- " * 20_000,
    "20,000 mappings": "{a: " * 20_000,
    "a level an anchor": ANCHORS,
    "a word that is repeated": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 3000)}]",
    "a million values": f"[{'a, ' * 1_000_000}]",
    "a number of 100,000 digits": f"a: {'9' * 100_000}",
    "a hexadecimal number of 100,000 digits": f"a: 0x{'9' * 100_000}",
    "a number to the base of 60": f"a: 1{':1' * 100_000}",
    "9 MB": "x" * 9_000_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def longest() -> float:
    """How long the largest text that is read takes: a second of an idle machine."""
    return core_seconds(lambda: from_yaml(f"[{'a, ' * (MOST_VALUES - 10)}]"))


@pytest.mark.parametrize("name", UNBOUNDED)
def test_yaml_that_would_take_too_much_is_refused_as_fast_as_some_is_read_and_in_50_megabytes(
    name: str, longest: float
):
    def refused() -> None:
        with bounded(50), pytest.raises(UnboundedError) as caught:
            from_yaml(UNBOUNDED[name])
        assert len(str(caught.value)) < 200

    assert core_seconds(refused) < 2 * longest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: a stands there twice"),
        ("a: {b: 1, b: 2}", "line 1: b stands there twice"),
        ("? [a]\n: 1", "line 1: a key that is no word"),
        ("a: &a [b]\n*a : 1", "line 2: a key that is no word"),
        ("a: !!python/object/apply:os.system [x]", "line 1: the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !!timestamp 2020-99-99", "line 1: the tag"),
        ("a: !!int x", "line 1: the tag"),
    ],
)
def test_yaml_that_says_two_things_or_more_than_values_is_refused(text: str, told: str):
    with pytest.raises(AmbiguousError) as caught:
        from_yaml(text)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("text", ["[1", "a: b: c", "\0", "a\n---\nb", "*a", "=", "a: %x"])
def test_what_is_no_yaml_is_an_error_of_yaml(text: str):
    with pytest.raises(yaml.YAMLError):
        from_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: 1e3\nb: .5\nc: -1.5e-3\nd: .inf", {"a": 1000.0, "b": 0.5, "c": -0.0015, "d": float("inf")}),
        ("a: 2020-01-01\nb: 2020-99-99", {"a": "2020-01-01", "b": "2020-99-99"}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]", {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}] * 2}),
        ("{0: 2, 4: 1}", {0: 2, 4: 1}),
        (json.dumps({"a": [1, None, True, "x\n"]}), {"a": [1, None, True, "x\n"]}),
    ],
)
def test_plain_yaml_is_read_as_it_was(text: str, value: Any):
    assert from_yaml(text) == value


def test_the_config_of_20000_classes_is_within_the_limits():
    names = [f"a class with a rather long name {number}" for number in range(20_000)]
    check_yaml(json.dumps({"model": {"classes": names, "class_weights": dict.fromkeys(names, 1.0)}}))


def test_of_a_device_without_end_no_more_than_the_limit_is_read():
    with pytest.raises(UnboundedError):
        read_yaml(Path("/dev/zero"))
    with pytest.raises(ValueError, match="at most"):
        read_json(Path("/dev/zero"))


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '{"a": ' * 60, "[" * 51, "{", "9" * 5000, " " * 40_000_000]
)
def test_json_that_is_deep_or_long_or_none_is_a_value_error(text: str):
    with pytest.raises(ValueError):  # noqa: PT011 -- of json, or of ours
        from_json(text)


def test_json_with_brackets_in_its_words_is_not_deep():
    value = ['[{"\\' * 100, {"a": ["]"] * 100}]
    assert from_json(json.dumps(value)) == value


def test_a_line_without_end_is_refused():
    lines = short_lines(io.StringIO("a\nb\n" + "x" * 5_000_000))
    assert [next(lines), next(lines)] == ["a\n", "b\n"]
    with pytest.raises(ValueError, match=r"^line 3 has more than 4,000,000 characters"):
        next(lines)
