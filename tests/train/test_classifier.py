"""A classifier is loaded from a file or from a run's folder, and says why it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vitcli.errors import WeightsError
from vitcli.train import Classifier


def bias(classifier: Classifier) -> list[float]:
    return classifier.net.head.bias.tolist()


def mark(file: Path, value: float) -> None:
    content = torch.load(file, weights_only=True)
    content["state_dict"]["net.head.bias"].fill_(value)
    torch.save(content, file)


@pytest.mark.parametrize("inside", ["", "checkpoints"])
def test_a_run_folder_stands_for_its_best_checkpoint_else_for_its_last(copied: Path, inside: str) -> None:
    best, last = (copied / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    mark(best, 1.0)
    mark(last, 2.0)
    assert bias(Classifier.load_from_checkpoint(copied / inside)) == [1.0, 1.0]
    assert bias(Classifier.load_from_checkpoint(f"{copied / inside}/")) == [1.0, 1.0]
    best.unlink()
    assert bias(Classifier.load_from_checkpoint(str(copied / inside))) == [2.0, 2.0]


@pytest.mark.parametrize("name", ["last", "best"])
def test_a_run_may_be_named_like_a_word_of_the_command_line(copied: Path, name: str) -> None:
    copied.rename(name)
    assert Classifier.load_from_checkpoint(name).classes == ("circle", "square")


@pytest.mark.usefixtures("here")
def test_what_holds_no_checkpoint_is_named() -> None:
    Path("empty/checkpoints").mkdir(parents=True)
    with pytest.raises(
        WeightsError, match=r"empty/: there is no empty/checkpoints/best\.ckpt, no checkpoint at all; name"
    ):
        Classifier.load_from_checkpoint("empty")
    with pytest.raises(
        WeightsError, match=r"^checkpoint_path runs/none: no such file or folder; name a \.ckpt file or a"
    ):
        Classifier.load_from_checkpoint("runs/none")
