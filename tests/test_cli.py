from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from PIL import Image

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.table.rows import read_rows
from vitcli.train.classifier import Classifier

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
Straight = tuple[list[str], dict[str, Any]]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_fit_leaves_one_folder_with_everything_in_it(copied: Path):
    files = {str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()}
    listed = {"config.yaml", "metrics.csv", "samples.png", "splits.csv"}
    listed |= {"about.json", "finished.json", "metrics.val.json", "predictions.val.csv"}
    assert files == {*listed, "checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    config = yaml.safe_load((copied / "config.yaml").read_text())
    assert config["model"]["classes"] == ["circle", "square"]
    keys = set(next(csv.reader((copied / "metrics.csv").open())))
    assert {"val/loss", "val/accuracy", "val/auroc", "val/macro_f1", "train/loss", "train/accuracy", "train/lr"} <= keys


def test_fit_says_what_it_reached_and_where_it_lies(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(FIT) == 0
    out = capsys.readouterr().out
    assert "24 train images, 8 val images; 2 classes: circle, square" in out
    assert "best val/accuracy" in out
    assert "runs/photos" in out
    assert last_line(out) == "next: vitcli test --ckpt_path runs/photos"


@pytest.mark.usefixtures("photos")
def test_every_validation_and_every_epoch_has_its_own_numbers():
    words = ["--trainer.max_epochs", "2", "--trainer.val_check_interval", "2", "--data.batch_size", "6"]
    assert main([*FIT, *words, "--run.name", "often"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        press_ctrl_c_at(3, patch)
        assert main([*FIT, *words, "--run.name", "parts"]) == 130
    assert main(["fit", "--ckpt_path", "runs/parts"]) == 0
    for name in ("often", "parts"):
        with Path("runs", name, "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len({row["val/loss"] for row in rows if row["val/loss"]}) == 4
        epochs = [row for row in rows if row["train/loss"]]
        assert len(epochs) == 2
        assert all(row["train/accuracy"] and row["train/macro_f1"] for row in epochs)


def test_a_second_fit_never_overwrites_the_first(copied: Path):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert main([*FIT, "--seed_everything", "1"]) == 0
    assert Path("runs/photos-2/checkpoints/best.ckpt").is_file()
    assert before == {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}


def test_a_checkpoint_holds_the_whole_contract_as_plain_values(copied: Path):
    content = torch.load(copied / "checkpoints" / "last.ckpt", weights_only=True)
    settings = content["hyper_parameters"]
    assert settings["classes"] == ["circle", "square"]
    assert settings["preprocess"]["size"] == [16, 16]
    assert settings["net"]["backend"]["class_path"] == "vitcli.net.VanillaTransformer"
    assert json.loads(json.dumps(settings)) == settings


def test_load_from_checkpoint_needs_nothing_but_the_path(copied: Path):
    classifier = Classifier.load_from_checkpoint(copied / "checkpoints" / "best.ckpt")
    assert classifier.classes == ("circle", "square")
    assert classifier(torch.zeros(2, 3, 16, 16, dtype=torch.uint8)).shape == (2, 2)
    assert not classifier.training
    with pytest.raises(TypeError, match="the path alone"):
        Classifier.load_from_checkpoint(copied / "checkpoints" / "best.ckpt", learning_rate=1)


def test_validate_reproduces_the_score_that_fit_logged(copied: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["validate", "--ckpt_path", "runs/photos", *CPU]) == 0
    scores = json.loads((copied / "metrics.val.json").read_text())
    logged = {}
    for row in csv.DictReader((copied / "metrics.csv").open()):
        logged |= {key: float(value) for key, value in row.items() if key.startswith("val/") and value}
    assert {key: scores.get(key) for key in logged} == pytest.approx(logged, abs=1e-6)
    assert scores["schema_version"] == 1


def test_test_scores_and_lists_every_image(copied: Path):
    assert main(["test", "--ckpt_path", "runs/photos", *CPU]) == 0
    rows = list(read_rows(copied / "predictions.test.csv"))
    scores = json.loads((copied / "metrics.test.json").read_text())
    assert len(rows) == 7
    assert sum(row.label == row.predicted for row in rows) / 7 == pytest.approx(scores["test/accuracy"])
    assert {(row.width, row.height) for row in rows} == {(32, 24)}


def test_predict_has_a_row_for_every_file_and_counts_the_unreadable(copied: Path, capsys: pytest.CaptureFixture[str]):
    holiday = Path("holiday/deep/er")
    holiday.mkdir(parents=True)
    for name in ("img10.png", "img2.png", ".hidden.png", "no_ending"):
        Image.new("RGB", (20, 30), "red").save(holiday / name, format="PNG")
    Path("holiday/notes.txt").write_text("no image")
    Path("holiday/cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert main(["predict", "--ckpt_path", "runs/photos", "--data.root", "holiday", *CPU]) == 0
    rows = list(read_rows(copied / "predictions.csv"))
    assert [row.path for row in rows if row.status == "ok"] == [
        "deep/er/.hidden.png",
        "deep/er/img2.png",
        "deep/er/img10.png",
        "deep/er/no_ending",
    ]
    assert {row.path for row in rows if row.status == "error" and row.error} == {"notes.txt", "cut.jpg"}
    assert all((row.width, row.height) == (20, 30) for row in rows if row.status == "ok")
    assert all(sum(row.probabilities) == pytest.approx(1, abs=1e-5) for row in rows if row.status == "ok")
    told = last_line(capsys.readouterr().out)
    assert told.startswith("6 images, 2 of them without a prediction (status=error), such as cut.jpg: ")


def test_predictions_go_where_the_user_says(copied: Path):
    words = ["--data.root", "photos/test", "--predictions.path", "elsewhere/table.csv", *CPU]
    assert main(["predict", "--ckpt_path", "runs/photos", *words]) == 0
    assert len(list(read_rows(Path("elsewhere/table.csv")))) == 7
    assert not (copied / "predictions.csv").exists()


def test_a_checkpoint_away_from_its_run_predicts_all_the_same(copied: Path, here: Path):
    Path("copied.ckpt").write_bytes((copied / "checkpoints" / "best.ckpt").read_bytes())
    assert main(["predict", "--ckpt_path", "copied.ckpt", "--data.root", "photos/test", *CPU]) == 0
    assert len(list(read_rows(Path("runs/copied/predictions.csv")))) == 7


@pytest.fixture(scope="module", params=["VanillaTransformer", "Linformer"])
def straight(request: pytest.FixtureRequest, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    """A run of three epochs that nothing stops: its words, and its last checkpoint."""
    words = [*FIT, "--model.net.backend", request.param, "--model.net.backend.dropout", "0.2"]
    words += ["--trainer.max_epochs", "3"]
    words += ["--model.net.backend.k", "2"] if request.param == "Linformer" else []
    folder = tmp_path_factory.mktemp("straight")
    shutil.copytree(drawn, folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(words) == 0
    return words, torch.load(folder / "runs/photos/checkpoints/last.ckpt", weights_only=True)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("stop_after", [1, 8, *(pytest.param(step, marks=pytest.mark.slow) for step in (2, 3, 4))])
def test_a_run_stopped_by_ctrl_c_and_resumed_ends_with_the_weights_of_one_that_was_not(
    straight: Straight, stop_after: int
):
    words, whole = straight
    with pytest.MonkeyPatch.context() as patch:
        press_ctrl_c_at(stop_after, patch)
        assert main([*words, "--run.name", "parts"]) == 130
    stopped = torch.load("runs/parts/checkpoints/last.ckpt", weights_only=True)
    assert stopped["global_step"] == stop_after
    assert main(["fit", "--ckpt_path", "runs/parts"]) == 0
    parts = torch.load("runs/parts/checkpoints/last.ckpt", weights_only=True)
    assert whole["global_step"] == parts["global_step"] == 9
    assert same(whole["state_dict"], parts["state_dict"])
    states = [content["optimizer_states"][0]["state"] for content in (whole, parts)]
    assert all(torch.equal(states[0][key]["exp_avg_sq"], states[1][key]["exp_avg_sq"]) for key in states[0])


def test_going_on_mid_epoch_with_other_batches_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.MonkeyPatch.context() as patch:
        press_ctrl_c_at(2, patch)
        assert main([*FIT, "--trainer.max_epochs", "2"]) == 130
    assert main(["fit", "--ckpt_path", "runs/photos", "--data.batch_size", "4"]) == 2
    assert "data.batch_size 4" in capsys.readouterr().err


def press_ctrl_c_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """A real signal to this very process, at the start of a step."""
    from vitcli.train.safety.reseed import Reseed

    start = Reseed.on_train_batch_start

    def press(self: Reseed, trainer: Trainer, *rest: object) -> None:
        if trainer.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        start(self, trainer, *rest)

    patch.setattr(Reseed, "on_train_batch_start", press)


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_the_same_fit_twice_gives_the_same_weights_bit_for_bit(photos: Path, workers: str):
    words = [*FIT, "--data.num_workers", workers, "--trainer.max_epochs", "2", "--model.net.backend.dropout", "0.1"]
    for _ in range(2):
        assert main(words) == 0
    one, two = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("photos", "photos-2"))
    assert same(one, two)
    assert main([*words, "--seed_everything", "1"]) == 0
    assert not same(one, weights(Path("runs/photos-3/checkpoints/last.ckpt")))


def test_the_number_of_workers_changes_nothing(photos: Path):
    for workers in ("0", "2"):
        assert main([*FIT, "--data.num_workers", workers]) == 0
    one, two = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("photos", "photos-2"))
    assert same(one, two)


def test_a_finished_run_is_extended_along_the_curve_of_its_new_total(fitted: Path):
    assert main(["fit", "--ckpt_path", "last", "--run.name", "photos", "--trainer.max_epochs", "3"]) == 0
    rows = list(csv.DictReader((fitted / "metrics.csv").open()))
    assert [row["epoch"] for row in rows if row["val/loss"]] == ["0", "1", "2"]
    content = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 9
    # the last step of nine, not of the three that the run began with
    assert content["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-3 * 0.01, rel=1e-3)


def test_an_optimisation_setting_wins_over_the_checkpoint_and_is_told(fitted: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--trainer.max_epochs", "2", "--model.optimizer.lr", "0.5", "--model.optimizer.weight_decay", "0.25"]
    assert main(["fit", "--ckpt_path", "runs/photos", *words]) == 0
    out = capsys.readouterr().out
    assert "changed: model.optimizer.lr 0.001 -> 0.5" in out
    content = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)
    groups = content["optimizer_states"][0]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.25, 0.0]
    assert groups[0]["lr"] == pytest.approx(0.005)
    assert content["hyper_parameters"]["optimizer"]["lr"] == 0.5


def test_a_run_is_branched_off_where_the_user_names_another(fitted: Path):
    before = (fitted / "checkpoints" / "last.ckpt").read_bytes()
    words = ["fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "2"]
    assert main([*words, "--run.name", "branch"]) == 0
    assert main([*words, "--run.dir", "elsewhere"]) == 0
    assert Path("runs/branch/checkpoints/last.ckpt").is_file()
    assert Path("elsewhere/photos/checkpoints/last.ckpt").is_file()
    assert (fitted / "checkpoints" / "last.ckpt").read_bytes() == before


def test_resuming_from_last_needs_no_more_than_the_runs_name(fitted: Path):
    assert main(["fit", "--run.name", "photos", "--ckpt_path", "last", "--trainer.max_epochs", "2"]) == 0
    assert not Path("runs/photos-2").exists()


def test_one_root_is_split_and_tested_on_the_images_held_out(photos: Path):
    assert main([*FIT, "--data.root", "photos/train"]) == 0
    assert main(["test", "--ckpt_path", "runs/train", *CPU, "--seed_everything", "3"]) == 0
    tested = {row.path for row in read_rows(Path("runs/train/predictions.test.csv"))}
    from vitcli.data import FolderData

    data = FolderData("photos/train", classes=("circle", "square"))
    assert tested == set(data.listing("test").paths)
    assert not tested & (set(data.listing("train").paths) | set(data.listing("val").paths))


def test_an_unreadable_training_image_is_named_and_left_out(photos: Path, capsys: pytest.CaptureFixture[str]):
    bad = next((photos / "train" / "circle").iterdir())
    bad.write_bytes(b"not an image")
    assert main(FIT) == 0
    out = capsys.readouterr().out
    assert "data: 23 train images" in out
    told = f"left out for this run: train image train/circle/{bad.name}: not an image (cannot identify); "
    assert f"{told}runs/photos/left_out.csv" in out
    saved = Path("runs/photos/left_out.csv").read_text()
    assert saved == f"split,path,reason\ntrain,train/circle/{bad.name},not an image (cannot identify)\n"


def test_accumulated_gradients_and_several_steps_an_epoch_fit(photos: Path):
    assert main([*FIT, "--trainer.accumulate_grad_batches", "2", "--trainer.precision", "bf16-mixed"]) == 0


def test_print_config_prints_a_config_that_fit_accepts(photos: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([*FIT, "--print_config"])
    Path("mine.yaml").write_text(capsys.readouterr().out)
    assert main(["fit", "--config", "mine.yaml"]) == 0
    assert Path("runs/mine/checkpoints/last.ckpt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "sampler"), [("auto", "shuffle"), ('{"circle": 2.0}', "balanced")])
def test_class_weights_are_kept_with_the_run_and_may_be_changed(
    photos: Path, capsys: pytest.CaptureFixture[str], weights: str, sampler: str
):
    words = ["--data.sampler", sampler, "--data.augment.mixup", "0.4", "--data.cache", "disk"]
    assert main([*FIT, "--model.class_weights", weights, *words]) == 0
    assert main(["predict", "--ckpt_path", "runs/photos", "--data.root", "photos/test", *CPU]) == 0
    assert main(["fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "2"]) == 0
    capsys.readouterr()
    assert (
        main(["fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "3", "--model.class_weights", "null"]) == 0
    )
    assert "changed: model.class_weights" in capsys.readouterr().out
    assert main([*FIT, "--model.class_weights", '{"triangle": 2.0}', "--run.name", "wrong"]) == 2
    assert "model.class_weights 'triangle': is none of the classes circle, square" in capsys.readouterr().err


def test_the_way_of_resizing_is_kept_with_the_weights_and_cannot_be_contradicted(
    photos: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*FIT, "--model.preprocess.resize", "pad"]) == 0
    assert main(["predict", "--ckpt_path", "runs/photos", "--data.root", "photos/test", *CPU]) == 0
    words = ["predict", "--ckpt_path", "runs/photos", "--data.root", "photos/test", *CPU]
    assert main([*words, "--model.preprocess.resize", "squash"]) == 2
    assert "model.preprocess.resize squash: contradicts the checkpoint" in capsys.readouterr().err
