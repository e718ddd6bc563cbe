"""What is typed of the checkpoint acts: which files there are, what they are called, and what they hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.test_cli import FIT
from vitcli.__main__ import main
from vitcli.train.classifier import Classifier

# of one epoch of three steps; last.ckpt is always there
FILES: dict[tuple[str, ...], set[str]] = {
    ("every_n_train_steps=2", "save_top_k=-1", "monitor=null", "filename={step}"): {"step=2.ckpt"},
    ("train_time_interval=00:00:00:00", "save_top_k=-1", "monitor=null", "filename={epoch}-{step}"): {
        f"epoch=0-step={step}.ckpt" for step in (1, 2, 3)
    },
    ("save_on_train_epoch_end=true", "save_top_k=-1", "filename={step}"): {"step=3.ckpt"},
    ("save_on_train_epoch_end=false", "save_top_k=-1", "filename={step}"): {f"step={step}.ckpt" for step in (1, 2, 3)},
}


def files() -> set[str]:
    return {path.name for path in Path("runs/photos/checkpoints").iterdir()}


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("options", FILES, ids=lambda options: options[0])
def test_checkpoints_are_written_when_it_is_said(options: tuple[str, ...]) -> None:
    words = ["--trainer.val_check_interval", "1"] if options[0].startswith("save_on") else []
    assert main([*FIT, *words, *(f"--checkpoint.{option}" for option in options)]) == 0
    assert files() == {*FILES[options], "last.ckpt"}


@pytest.mark.usefixtures("photos")
def test_a_checkpoint_is_named_and_placed_and_holds_what_is_said() -> None:
    options = ["dirpath=kept", "filename={epoch}-x", "auto_insert_metric_name=false"]
    options += ["every_n_epochs=2", "save_weights_only=true", "monitor=val/loss", "mode=max"]
    words = ["--trainer.max_epochs", "3", *(f"--checkpoint.{option}" for option in options)]
    assert main([*FIT, *words]) == 0
    assert [path.name for path in Path("kept").iterdir()] == ["1-x.ckpt"]
    assert files() == {"last.ckpt"}
    content = torch.load("kept/1-x.ckpt", weights_only=True)
    assert "state_dict" in content
    assert "optimizer_states" not in content


@pytest.mark.usefixtures("photos")
def test_enable_version_counter_keeps_a_file_of_the_same_name() -> None:
    Path("kept").mkdir()
    Path("kept/best.ckpt").write_text("another's")
    assert main([*FIT, "--checkpoint.dirpath", "kept", "--checkpoint.enable_version_counter", "true"]) == 0
    assert Path("kept/best.ckpt").read_text() == "another's"
    assert Path("kept/best-v1.ckpt").exists()


@pytest.mark.usefixtures("photos")
def test_save_on_exception_keeps_what_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Classifier.training_step

    def fail(self: Classifier, batch: object, batch_idx: int) -> torch.Tensor:
        if batch_idx == 2:
            raise LookupError("a fault")
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(Classifier, "training_step", fail)
    with pytest.raises(LookupError):
        main([*FIT, "--checkpoint.save_on_exception", "true"])
    (kept,) = Path("runs/photos/checkpoints").iterdir()
    assert torch.load(kept, weights_only=True)["global_step"] == 2


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("save_last=true", "save_last true: last.ckpt is always kept"),
        ("save_top_k=2", "save_top_k 2: all would be called best.ckpt"),
    ],
)
def test_what_would_not_be_kept_is_refused(option: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, f"--checkpoint.{option}"]) == 2
    assert capsys.readouterr().err.startswith(f"vitcli fit: error: checkpoint.{why}")
