"""The model card beside an export: valid metadata of a model repository, scores of this very checkpoint, no loss."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from vitcli.__main__ import main
from vitcli.export.card import card_of
from vitcli.export.known import Known, known_of
from vitcli.export.subject import Subject


def head_of(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---\n")[1])


def test_its_first_lines_are_metadata_that_the_hub_reads(exported: Path) -> None:
    text = exported.with_name("README.md").read_text(encoding="utf-8")
    head = head_of(text)
    assert (head["pipeline_tag"], head["library_name"], head["license"]) == ("image-classification", "onnx", "unknown")
    card = ModelCard(text, ignore_metadata_errors=False)
    (accuracy, f1) = card.data.eval_results
    assert (accuracy.metric_type, f1.metric_type) == ("accuracy", "f1")
    assert accuracy.dataset_split == "val"


def test_it_says_what_the_run_has_reached_with_intervals(trained: Path, exported: Path) -> None:
    text = exported.with_name("README.md").read_text(encoding="utf-8")
    reached = json.loads((trained / "metrics.val.json").read_text(encoding="utf-8"))["evaluation"]["accuracy"]
    assert f"| accuracy | {reached['value']:.3f} | {reached['low']:.3f} to {reached['high']:.3f} |" in text
    assert "| circle | 12 | 4 |\n| square | 12 | 4 |\n| all 2 | 24 | 8 |" in text
    assert "circle, square" in text
    assert text.count("FILL IN") == 4
    assert str(trained.parent) not in text


def test_the_scores_of_another_checkpoint_are_not_its_own(trained: Path) -> None:
    subject = Subject.open(str(trained / "checkpoints" / "best.ckpt"))
    assert known_of(subject).split == "val"
    other = known_of(replace(subject, step=(subject.step or 0) + 1))
    assert other.evaluation is None
    text = card_of(subject, other, Path("m.onnx"), [], "none", False)
    assert "Not scored" in text
    assert "model-index" not in head_of(text)


def test_scores_that_a_threshold_or_a_temperature_changes_are_not_told(trained: Path) -> None:
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    with_threshold, warmer = Subject.open(checkpoint, 1.0, 0.999), Subject.open(checkpoint, 2.0)
    text = card_of(with_threshold, known_of(with_threshold), Path("m.onnx"), ["a line"], "none", False)
    assert "Not scored with its threshold" in text
    for word in ("model-index", "accuracy", "recall", "confidence is off"):
        assert word not in text
    text = card_of(warmer, known_of(warmer), Path("m.onnx"), ["a line"], "none", False)
    assert "| accuracy |" in text
    for word in ("calibration error", "confidence is off"):
        assert word not in text


def test_names_of_classes_cannot_break_it(trained: Path) -> None:
    subject = Subject.open(str(trained / "checkpoints" / "best.ckpt"))
    hostile = replace(subject, classes=("<script>| a\n# b", "--- 'x': [`"), run=None)
    text = card_of(hostile, Known(), Path("m'.onnx"), ["a line"], "int8", False)
    assert "<script>" not in text
    assert r"\<script\>\| a\\n\# b" in text
    assert head_of(text)["tags"] == ["image-classification", "vision-transformer", "vitcli"]


@pytest.mark.parametrize("name", ["README.md", "m.README.md"])
def test_a_readme_that_is_there_is_kept(name: str, trained: Path, here: Path) -> None:
    Path("README.md").write_text("mine", encoding="utf-8")
    Path(name).write_text("mine", encoding="utf-8")
    assert main(["export", str(trained), "--out", "m.safetensors"]) == 0
    assert Path("README.md").read_text(encoding="utf-8") == "mine"
    assert "safetensors" in Path("m.README.md").read_text(encoding="utf-8")
    if name != "README.md":
        assert Path("m.README-1.md").read_text(encoding="utf-8") == "mine"


def test_a_damaged_run_still_gives_a_card(trained: Path, here: Path) -> None:
    shutil.copytree(trained, "run")
    for file in ("metrics.val.json", "about.json", "splits.csv"):
        (here / "run" / file).write_text("{", encoding="utf-8")
    assert main(["export", "run", "--out", "m.safetensors"]) == 0
    assert "Nothing is known of the training images" in Path("README.md").read_text(encoding="utf-8")
