"""Batches are the same whoever reads them, and decided only when they are asked for."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vitcli.data.augment.augment import Augment
from vitcli.data.batches import datamodule as batches
from vitcli.data.batches.loader import Loader
from vitcli.data.batches.order import BatchKey, Plan, Spot, training_batches, training_order
from vitcli.data.batches.samples import Sample, Samples, sample_rng
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.shapes import ShapesData
from vitcli.images.decode.pixels import Way
from vitcli.preprocess import Preprocess

SMALL = Preprocess(size=(8, 8))


def shapes(num_workers: int = 0, batch_size: int = 4) -> ShapesData:
    return ShapesData(
        train=11,
        val=5,
        test=2,
        preprocess=SMALL,
        augment=Augment(colour=0.3),
        batch_size=batch_size,
        num_workers=num_workers,
    )


def test_batches_are_the_same_with_and_without_workers() -> None:
    for alone, helped in zip(shapes(0).train_dataloader(), shapes(2).train_dataloader(), strict=True):
        assert alone["image"].dtype == torch.uint8
        for image in (alone["image"], helped["image"]):
            assert image.is_contiguous(memory_format=torch.channels_last)
        assert alone["index"].tolist() == helped["index"].tolist()
        assert torch.equal(alone["image"], helped["image"])
        assert torch.equal(alone["label"], helped["label"])


@pytest.mark.parametrize(("num_workers", "threads"), [(0, 5), (1, 5), (2, 2), (5, 1), (9, 1)])
def test_workers_share_the_cores_among_their_threads(
    num_workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "cores", lambda: 5)
    assert shapes(num_workers).train_dataloader().samples.threads == threads


def test_the_variation_of_a_sample_depends_on_seed_epoch_position_and_copy_alone() -> None:
    numbers = {
        sample_rng(seed, epoch, index, copy).random()
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in (0, 1)
        for copy in (0, 1)
    }
    assert len(numbers) == 16
    samples = Samples(shapes().listing("train"), SMALL, Augment(), seed=0)

    def pixels(epoch: int, copy: int = 0) -> bytes:
        sample = samples.look_up(epoch, Spot(3, copy))
        assert isinstance(sample, Sample)
        return sample.pixels.tobytes()

    assert pixels(1) == pixels(1)
    assert len({pixels(1), pixels(2), pixels(1, 1)}) == 3


def test_evaluation_has_no_variation_and_uses_the_contract() -> None:
    data = shapes()
    batch = next(iter(data.val_dataloader()))
    picture = data.listing("val").open(1)
    way = Way(SMALL.size, SMALL.interpolation)
    expected = picture.crop(SMALL.region(picture.height, picture.width), way)
    assert torch.equal(batch["image"][1], torch.tensor(expected))
    assert [batch["index"].tolist() for batch in data.val_dataloader()] == [[0, 1, 2, 3], [4]]
    assert (len(data.train_dataloader()), len(data.val_dataloader()), len(data.test_dataloader())) == (3, 2, 1)


def test_the_data_travel_to_spawned_processes() -> None:
    data = shapes()
    loader = data.train_dataloader()
    travelled = pickle.loads(pickle.dumps(data))
    pairs = zip(loader, travelled.train_dataloader(), strict=True)
    assert all(torch.equal(here["image"], there["image"]) for here, there in pairs)


def test_nothing_is_decided_before_the_first_batch_is_asked_for() -> None:
    asked = []
    present: Plan = [BatchKey(0, 0, [Spot(0)])]

    def plan() -> Plan:
        asked.append(True)
        return present

    samples = Samples(shapes().listing("train"), SMALL, None, seed=0)
    loader = Loader(samples, plan=plan, length=lambda: 2, num_workers=0, pin_memory=False)
    batches = iter(loader)
    assert asked == []
    present = [BatchKey(0, 0, [Spot(4)]), BatchKey(0, 1, [Spot(2), Spot(3)])]
    assert [batch["index"].tolist() for batch in batches] == [[4], [2, 3]]
    present = []
    assert list(loader) == []
    assert len(loader) == 2


def test_workers_outlive_an_epoch_that_was_left_early() -> None:
    loader = shapes(num_workers=1).train_dataloader()
    first = next(iter(loader))["index"].tolist()
    assert next(batch["index"].tolist() for batch in loader) == first


def test_what_a_worker_was_forked_with_is_left_out_of_its_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Samples, "__getitem__", lambda *_: torch.tensor(gc.get_freeze_count()))
    loader = shapes(num_workers=1).train_dataloader()
    frozen = int(next(iter(loader)))  # type: ignore[call-overload]
    loader.close()
    assert frozen > len(gc.get_objects()) // 2


def test_loading_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    list(shapes().train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def test_two_processes_read_the_global_batches_of_one() -> None:
    alone = [sorted(batch["index"].tolist()) for batch in shapes(batch_size=4).train_dataloader()]
    order = training_order(np.zeros(11, dtype=np.int64), seed=0, epoch=0)
    pair = [training_batches(order, epoch=0, batch_size=2, rank=rank, world=2) for rank in (0, 1)]
    joined = [sorted(spot.position for spot in first.spots + second.spots) for first, second in zip(*pair, strict=True)]
    assert joined[:-1] == alone[:-1]
    assert set(joined[-1]) >= set(alone[-1])


def test_an_unreadable_image_is_reported_and_nothing_replaces_it(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("train/a/1.png", "train/a/2.png", "train/b/1.png", "val/a/1.png", "val/b/1.png")
    (tmp_path / "train" / "a" / "2.png").write_bytes(b"no image")
    (batch,) = FolderData(str(tmp_path), preprocess=SMALL).train_dataloader()
    assert sorted(batch["index"].tolist()) == [0, 2]
    assert batch["image"].shape == (2, 3, 8, 8)
    assert batch["errors"] == [(1, "not an image (cannot identify)")]
    assert batch["size"].tolist() == [[4, 6], [4, 6]]


def test_a_stage_scans_only_the_splits_that_it_needs(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", "test/a/1.png")
    data = FolderData(str(tmp_path))
    data.setup("fit")
    assert sorted(data._listings) == ["train", "val"]
