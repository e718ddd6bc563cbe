"""vitcli explain --check: which maps are true, on images that are named and on shapes that a net knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitcli.__main__ import main
from vitcli.explain import METHODS


def test_the_check_tells_which_method_is_best_and_writes_it(copied: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", str(copied), "photos/test", "--check", "--most", "3"]) == 0
    said = capsys.readouterr().out
    content = json.loads((copied / "explain" / "check.json").read_text())
    assert said.startswith("deletion and insertion on 3 images, in 4 steps ")
    assert [row["method"] for row in content["faithfulness"]] == [*METHODS, "random"]
    for row in content["faithfulness"]:
        line = next(line for line in said.splitlines() if line.startswith(f"  {row['method']} "))
        assert f"{row['insertion']['value']:.3f}" in line
    assert f"best by insertion - deletion: {content['best']['method']}; above random maps by " in said
    # its classes are shapes that can be drawn, so their places are known
    assert "pointing game on 100 drawn shapes" in said
    assert f"best by relevance inside the box: {content['best_located']['method']}; " in said
    assert (copied / "explain" / "deletion.png").is_file()


def test_methods_and_folder_are_as_named(copied: Path, capsys: pytest.CaptureFixture[str]):
    words = ["explain", str(copied), "photos/test", "--check", "--methods", "relevance", "--out", "checked"]
    assert main([*words, "--most", "2"]) == 0
    content = json.loads(Path("checked/check.json").read_text())
    assert [row["method"] for row in content["faithfulness"]] == ["relevance", "random"]
    assert content["best"]["next"] == ""
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos/test", "--layers"], "--check: has no use for --layers; leave it out"),
        (["photos/test", "--class", "circle"], "--check: has no use for --class; leave it out"),
        (["broken.png"], "--check: none of 1 image can be read; name a folder of images"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    words: list[str], said: str, copied: Path, capsys: pytest.CaptureFixture[str]
):
    Path("broken.png").write_text("no picture")
    assert main(["explain", str(copied), *words, "--check"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (copied / "explain").exists()
