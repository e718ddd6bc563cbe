"""Real photos, odd ones included, through the real program."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.table.rows import read_rows

pytestmark = pytest.mark.shared_data


def test_predict_says_of_every_odd_image_what_its_manifest_says(shared_data: Path, here: Path):
    words = ["--data", "CatsDogsData", "--data.root", str(shared_data / "pets"), *TINY, *CPU]
    assert main(["fit", *words, "--trainer.max_steps", "1", "--run.name", "pets"]) == 0
    root = str(shared_data / "odd_images")
    assert main(["predict", "--ckpt_path", "runs/pets", "--data.root", root, *CPU]) == 0
    rows = {row.path: row for row in read_rows(Path("runs/pets/predictions.csv"))}
    with (shared_data / "odd_images_manifest.csv").open(newline="", encoding="utf-8") as file:
        manifest = {row["file"]: row for row in csv.DictReader(file)}
    assert rows.keys() == manifest.keys()
    wrong = []
    for path, said in manifest.items():
        row = rows[path]
        if said["accept"] == "decode" and (row.status, row.width, row.height) != (
            "ok",
            int(said["display_w"]),
            int(said["display_h"]),
        ):
            wrong.append((path, row))
        if said["accept"] == "skip" and (row.status != "error" or not row.error):
            wrong.append((path, row))
    assert wrong == []


def test_the_same_picture_in_any_encoding_is_predicted_alike(shared_data: Path, here: Path):
    words = ["--data", "CatsDogsData", "--data.root", str(shared_data / "pets"), *TINY, *CPU]
    assert main(["fit", *words, "--trainer.max_steps", "1", "--run.name", "pets"]) == 0
    root = str(shared_data / "odd_images" / "equivalents")
    assert main(["predict", "--ckpt_path", "runs/pets", "--data.root", root, *CPU]) == 0
    rows = {row.path: row for row in read_rows(Path("runs/pets/predictions.csv"))}
    for path, row in rows.items():
        name, _, variant = path.partition("__")
        reference = rows[f"{name}__{'gray' if variant.startswith('gray') else 'ref'}.png"]
        tolerance = 0.01 if variant.endswith(".jpg") else 1e-6
        assert row.probabilities == pytest.approx(reference.probabilities, abs=tolerance), path


@pytest.mark.slow
def test_a_file_of_deits_names_cats(shared_data: Path, here: Path):
    file = str(shared_data / "weights" / "deit_tiny_patch16_224.safetensors")
    root = str(shared_data / "pets" / "cat")
    assert main(["predict", "--weights", file, "--data.root", root, "--run.name", "cats", *CPU]) == 0
    named = [row.predicted for row in read_rows(Path("runs/cats/predictions.csv"))]
    cats = ["tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"]
    # it is right on about three quarters of ImageNet's own photos
    assert sum(name in cats for name in named) > 0.85 * len(named)


@pytest.mark.slow
def test_linformer_takes_a_training_step_on_2048_pixel_photos(shared_data: Path, here: Path):
    from tests.conftest import REPOSITORY

    config = str(REPOSITORY / "configs" / "high_resolution.yaml")
    words = ["--trainer.max_steps=1", "--trainer.accumulate_grad_batches=1", "--trainer.limit_val_batches=1", *CPU]
    assert main(["fit", "--config", config, "--data.root", str(shared_data / "highres"), *words]) == 0
    content = torch.load("runs/high_resolution/checkpoints/last.ckpt", weights_only=True)
    assert content["global_step"] == 1
    assert content["state_dict"]["net.pos_embed"].shape == (1, 4097, 512)
