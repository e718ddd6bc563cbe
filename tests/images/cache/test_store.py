"""Decoded copies are the pictures that they were made from, built whole or not at all, and never out of date."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.warm import Warm
from vitcli.data.augment.augment import Augment
from vitcli.data.batches.samples import Batch
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.shapes import ShapesData
from vitcli.errors import ConfigError
from vitcli.images.cache import copies, store
from vitcli.preprocess import Preprocess

PHOTOS = [f"{split}/{label}/{number}.jpg" for split in ("train", "val") for label in "ab" for number in range(6)]
SMALL = Preprocess(size=(16, 16))


@pytest.fixture
def photos(tmp_path: Path, write_photos: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos, and a place of the test's own for stores in memory."""
    write_photos(*PHOTOS, size=(90, 60))
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(store, "SHARED_MEMORY", tmp_path / "memory")
    return tmp_path


def fit(root: Path, **options: object) -> FolderData:
    options = {"cache": "disk", "cache_dir": str(root / "kept"), "max_errors": 1.0} | options
    data = FolderData(str(root), preprocess=SMALL, augment=Augment(colour=0.2), batch_size=4, **options)
    data.setup("fit")
    return data


def train(data: FolderData) -> list[Batch]:
    return list(data.train_dataloader())


def stores(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "kept").iterdir() if path.is_dir())


def test_validation_from_the_cache_is_bit_for_bit_validation(photos: Path) -> None:
    plain, cached = fit(photos, cache="none"), fit(photos)
    for one, other in zip(plain.val_dataloader(), cached.val_dataloader(), strict=True):
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["size"], other["size"])
        assert torch.equal(one["label"], other["label"])


def test_memory_and_disk_hold_the_same_and_crops_lie_where_they_would(photos: Path) -> None:
    plain, disk, memory = (train(fit(photos, cache=cache)) for cache in ("none", "disk", "ram"))
    for one, other, same in zip(plain, disk, memory, strict=True):
        assert torch.equal(other["image"], same["image"])
        assert one["index"].tolist() == other["index"].tolist()
        assert torch.equal(one["size"], other["size"])
        assert (one["image"].float() - other["image"].float()).abs().mean() < 6
        assert all(torch.equal(a, b) for a, b in zip(one["chances"][:3], other["chances"][:3], strict=True))


def test_workers_and_threads_read_the_same_store(photos: Path) -> None:
    for one, other in zip(train(fit(photos)), train(fit(photos, num_workers=2)), strict=True):
        assert torch.equal(one["image"], other["image"])


def test_no_copy_is_coarser_than_the_smallest_crop_asks_for(photos: Path) -> None:
    fit(photos)
    (folder,) = [name for name in stores(photos) if "Shrunk(side=32, white=None)" in about(photos, name)["copy"]]
    sizes = np.load(photos / "kept" / folder / "sizes.npy")
    assert sizes.tolist() == [[32, 48, 60, 90]] * 12
    fit(photos, cache_size=20)
    (folder,) = [name for name in stores(photos) if "Shrunk(side=20, white=None)" in about(photos, name)["copy"]]
    assert np.load(photos / "kept" / folder / "sizes.npy")[0].tolist() == [20, 30, 60, 90]


def about(root: Path, name: str) -> dict[str, object]:
    return json.loads((root / "kept" / name / "about.json").read_text())


def test_the_next_run_decodes_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(fit(photos))
    monkeypatch.setattr(store, "_build", None)
    for one, other in zip(first, train(fit(photos)), strict=True):
        assert torch.equal(one["image"], other["image"])


def test_a_changed_picture_makes_a_new_store_and_the_old_one_goes(photos: Path) -> None:
    fit(photos)
    before = stores(photos)
    changed = photos / "train" / "a" / "0.jpg"
    changed.write_bytes((photos / "train" / "b" / "5.jpg").read_bytes())
    os.utime(changed, ns=(1, 1))
    data = fit(photos)
    assert len(before) == len(stores(photos)) == 2
    assert len(set(before) & set(stores(photos))) == 1
    position = list(data.listing("train").paths).index("train/a/0.jpg")
    twin = list(data.listing("train").paths).index("train/b/5.jpg")
    opened = [data.listing("train").open(place).whole(8, 8) for place in (position, twin)]
    assert np.array_equal(*opened)


def test_a_store_that_is_written_in_an_older_way_goes(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(store, "LAYOUT", store.LAYOUT - 1)
        fit(photos)
    before = stores(photos)
    fit(photos)
    assert len(stores(photos)) == 2
    assert not set(stores(photos)) & set(before)


def test_an_unreadable_picture_keeps_its_reason(photos: Path) -> None:
    (photos / "val" / "a" / "0.jpg").write_bytes(b"no image")
    listing = fit(photos, cache="none").listing("val")
    assert "val/a/0.jpg" not in listing.paths
    listed = FolderData(str(photos), preprocess=SMALL, cache_dir=str(photos / "kept")).listing("val")
    kept = store.stored(
        listed, copies.Ready(SMALL), "disk", folder=photos / "kept", owner="x", max_pixels=10**6, threads=2
    )
    with pytest.raises(Exception, match=r"^not an image"):
        kept.open(0)
    assert kept.open(1).height == 60


def test_too_little_room_is_one_line_before_anything_is_written(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RESERVE_BYTES", 2**62)
    for cache, more in (("disk", "set a smaller"), ("ram", "set data.cache disk, set a smaller")):
        message = rf"^data.cache {cache}: needs 0.0 GB, but .* free; {more} data.cache_size"
        with pytest.raises(ConfigError, match=message):
            fit(photos, cache=cache)
    assert stores(photos) == []


BUILD = """
import sys, time
from vitcli.images.cache import copies
from vitcli.images.cache import store
from vitcli.data.layouts.folder import FolderData
from vitcli.preprocess import Preprocess
take, calls = copies.Shrunk.take, []
def slow(self, picture):
    calls.append(1)
    if len(calls) == 5:
        print("half", flush=True)
        time.sleep(60)
    return take(self, picture)
copies.Shrunk.take = slow
data = FolderData(sys.argv[1], preprocess=Preprocess(size=(16, 16)), cache="disk", cache_dir=sys.argv[1] + "/kept")
data.setup("fit")
"""


@pytest.mark.slow
def test_a_build_that_was_killed_changes_nothing_and_leaves_nothing(photos: Path, programs: Warm) -> None:
    expected = train(fit(photos, cache_dir=str(photos / "other")))
    building = programs.start(photos, code=BUILD)
    building.until("half\n")
    (unfinished,) = stores(photos)
    assert unfinished.startswith(".building-")
    building.send(signal.SIGKILL)
    assert building.done().returncode == -signal.SIGKILL
    for one, other in zip(expected, train(fit(photos)), strict=True):
        assert torch.equal(one["image"], other["image"])
    assert all(name.startswith("pixels-") for name in stores(photos))


@pytest.mark.parametrize(
    ("name", "keep"), [("pixels", 100), ("pixels", 0), ("sizes.npy", 90), ("about.json", 50), ("about.json", 0)]
)
def test_a_store_that_was_cut_short_is_built_again_and_that_is_said(
    name: str, keep: int, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = train(fit(photos))
    for store_name in stores(photos):
        with (photos / "kept" / store_name / name).open("rb+") as file:
            file.truncate(keep)
    for one, other in zip(expected, train(fit(photos)), strict=True):
        assert torch.equal(one["image"], other["image"])
    told = capsys.readouterr().err
    assert told.count("; decoding the images again\n") == 2
    assert "data.cache disk: " in told
    train(fit(photos))
    assert capsys.readouterr().err == ""


HOLD = """
import sys, time
from pathlib import Path
from vitcli.images.cache import copies
from vitcli.images.cache import store
store.SHARED_MEMORY = Path(sys.argv[1]) / "memory"
from vitcli.data.layouts.folder import FolderData
from vitcli.preprocess import Preprocess
data = FolderData(sys.argv[1], preprocess=Preprocess(size=(16, 16)), cache="ram", cache_dir=sys.argv[1] + "/kept")
data.setup("fit")
print("built", flush=True)
if len(sys.argv) > 2:
    time.sleep(60)
"""


def held(root: Path) -> list[str]:
    return [path.name for path in (root / "memory").rglob("pixels-*")]


@pytest.mark.slow
def test_memory_is_given_back_when_the_run_ends_or_at_the_next_start_if_it_was_killed(
    photos: Path, programs: Warm
) -> None:
    done = programs.run(photos, code=HOLD)
    assert (done.returncode, done.stdout) == (0, "built\n"), done.stderr
    assert held(photos) == []
    run = programs.start(photos, "wait", code=HOLD)
    run.until("built\n")
    assert len(held(photos)) == 2
    run.send(signal.SIGKILL)
    assert run.done().returncode == -signal.SIGKILL
    assert len(held(photos)) == 2
    (photos / "train" / "a" / "0.jpg").unlink()
    assert programs.run(photos, code=HOLD).returncode == 0
    assert held(photos) == []


USE = """
import sys
from pathlib import Path
from vitcli.images.cache import store
store.SHARED_MEMORY = Path(sys.argv[1]) / "memory"
from vitcli.data.layouts.folder import FolderData
from vitcli.preprocess import Preprocess
more = {"folds": 3, "fold": int(sys.argv[3])} if len(sys.argv) > 3 else {}
kept = {"cache": sys.argv[2], "cache_dir": sys.argv[1] + "/kept"}
data = FolderData(sys.argv[1] + "/train", preprocess=Preprocess(size=(16, 16)), **kept, **more)
data.setup("fit")
print("ready", flush=True)
go = Path(sys.argv[1]) / "go"
while not go.exists():
    pass
for split in ("train", "val"):
    data.listing(split).open(0).whole(4, 4)
print("read")
"""


def test_a_run_of_another_fold_leaves_the_store_that_is_in_use(photos: Path, programs: Warm) -> None:
    one = programs.start(photos, "disk", 1, code=USE)
    one.until("ready\n")
    first = set(stores(photos))
    other = programs.start(photos, "disk", 2, code=USE)
    other.until("ready\n")
    assert first < set(stores(photos))
    (photos / "go").touch()
    for run in (one, other):
        assert (ended := run.done()).stdout == "ready\nread\n", ended.stderr
    # nobody uses those of the other folds now
    assert programs.run(photos, "disk", 3, code=USE).returncode == 0
    assert len(stores(photos)) == 2


def test_a_store_that_was_cut_short_is_built_again_though_another_process_uses_it(photos: Path, programs: Warm) -> None:
    one = programs.start(photos, "disk", code=USE)
    one.until("ready\n")
    for name in stores(photos):
        (photos / "kept" / name / "sizes.npy").write_bytes(b"")
    (photos / "go").touch()
    other = programs.run(photos, "disk", code=USE)
    assert (other.returncode, other.stdout) == (0, "ready\nread\n"), other.stderr
    assert other.stderr.count("; decoding the images again\n") == 2
    one.done()


def test_a_store_in_memory_stays_until_its_last_user_has_ended(photos: Path, programs: Warm) -> None:
    builder = programs.start(photos, "ram", code=USE)
    builder.until("ready\n")
    user = programs.start(photos, "ram", code=USE)
    user.until("ready\n")
    assert len(held(photos)) == 2
    builder.send(signal.SIGTERM)
    assert builder.done().returncode == -signal.SIGTERM
    assert len(held(photos)) == 2
    (photos / "go").touch()
    assert (ended := user.done()).stdout == "ready\nread\n", ended.stderr
    assert held(photos) == []


def test_drawn_pictures_are_kept_too(photos: Path) -> None:
    options = {"train": 8, "val": 4, "preprocess": SMALL, "batch_size": 4, "cache_dir": str(photos / "kept")}
    cached = ShapesData(cache="disk", **options)  # type: ignore[arg-type]
    cached.setup("fit")
    for one, other in zip(ShapesData(**options).val_dataloader(), cached.val_dataloader(), strict=True):  # type: ignore[arg-type]
        assert torch.equal(one["image"], other["image"])
    other_seed = ShapesData(cache="disk", drawing_seed=1, **options)  # type: ignore[arg-type]
    other_seed.setup("fit")
    assert not torch.equal(
        next(iter(cached.val_dataloader()))["image"], next(iter(other_seed.val_dataloader()))["image"]
    )
