"""Images explained: every pool and both backends, broken files, and no more held in memory than is said."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import photo
from vitcli.explain import METHODS
from vitcli.explain.attention import layer_maps, layers_and_heads
from vitcli.explain.concentration import concentration
from vitcli.explain.explained import explain
from vitcli.explain.images import Subject, explained_images
from vitcli.explain.memory import images_at_once
from vitcli.images.index.handed import handed
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.net.watch import Seen
from vitcli.preprocess import Preprocess

POOLS = ["mean", "mean_patches", "cls", "attention"]
BACKENDS = {"vanilla": VanillaTransformer, "linformer": partial(Linformer, k=5)}


def subject(backend: str, pool: Any, *, registers: int = 0) -> Subject:
    torch.manual_seed(1)
    built = ViT(
        image_size=(24, 32), patch_size=8, dim=16, classes=3, pool=pool, registers=registers,
        backend=partial(BACKENDS[backend], depth=2, heads=2),
    )  # fmt: skip
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return Subject(built.eval(), Preprocess(size=(24, 32)), ("cat", "dog", "$cow$"), 10**7)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore:model.net.backend.k")
def test_each_method_has_a_map_of_each_picture_over_the_grid(here: Path, backend: str, pool: str):
    (here / "in").mkdir()
    photo(1).save(here / "in/1.png")
    photo(2, (9, 200)).save(here / "in/2.png")
    (here / "in/3.png").write_bytes(b"no picture")
    photo(4, (1, 1)).save(here / "in/4.png")
    asked = subject(backend, pool, registers=1)
    found = list(explained_images(asked, handed("in"), list(METHODS), layers=True))
    assert [one.row.path for one in found] == ["1.png", "2.png", "3.png", "4.png"]
    assert [one.row.status for one in found] == ["ok", "ok", "error", "ok"]
    assert (found[2].explained, found[2].label) == (None, "")
    for one in (found[0], found[1], found[3]):
        assert one.label == one.row.predicted
        assert one.explained is not None
        assert list(one.explained.maps) == list(METHODS)
        for each in one.explained.maps.values():
            assert each.shape == (3, 4)
            assert each.dtype == np.float32
            assert np.isfinite(each).all()
        layers = one.explained.layers
        assert layers is not None
        assert layers.shape == (2, 2, 3, 4) == (*layers_and_heads(asked.net), *asked.net.grid)
        np.testing.assert_allclose(layers.mean(axis=(0, 1)), one.explained.maps["attention"], atol=1e-6)
        # the rest of one is what class token and register have
        assert 0 < one.explained.maps["rollout"].sum() < 1
        assert one.explained.maps["rollout"].min() >= 0
        if backend == "vanilla":
            assert layers.min() >= 0
            assert layers.sum(axis=(2, 3)).max() < 1


def test_a_map_is_of_the_class_that_is_asked_for(here: Path):
    photo(1).save(here / "1.png")
    asked = subject("vanilla", "cls")
    maps = {}
    for name in asked.classes:
        (one,) = explained_images(asked, handed("1.png"), ["relevance", "attention"], name)
        assert one.label == name
        assert one.explained is not None
        maps[name] = one.explained.maps
    assert not np.allclose(maps["cat"]["relevance"], maps["dog"]["relevance"])
    assert np.array_equal(maps["cat"]["attention"], maps["dog"]["attention"])


def test_pictures_are_explained_a_few_at_a_time_with_the_same_maps(monkeypatch: pytest.MonkeyPatch):
    asked = subject("vanilla", "attention")
    pixels = torch.randint(0, 256, (5, 3, 24, 32), dtype=torch.uint8)
    labels = [0, 1, 2, 0, 1]
    whole = explain(asked.net, asked.preprocess, pixels, labels, ["relevance"], layers=True)
    monkeypatch.setattr("vitcli.explain.explained.images_at_once", lambda net: 2)
    few = explain(asked.net, asked.preprocess, pixels, labels, ["relevance"], layers=True)
    assert len(few) == 5
    for one, other in zip(whole, few, strict=True):
        np.testing.assert_allclose(one.maps["relevance"], other.maps["relevance"], rtol=1e-5, atol=1e-7)
        assert one.layers is not None
        assert other.layers is not None
        np.testing.assert_allclose(one.layers, other.layers, rtol=1e-5, atol=1e-7)


def test_long_sequences_are_explained_one_at_a_time_and_short_ones_together():
    def of(size: int, patch: int, heads: int, depth: int) -> int:
        with torch.device("meta"):
            backend = partial(VanillaTransformer, depth=depth, heads=heads)
            return images_at_once(ViT(image_size=size, patch_size=patch, dim=192, backend=backend))

    assert of(224, 16, 3, 12) == 13
    assert of(2048, 32, 8, 12) == 1


@pytest.mark.parametrize("pool", ["cls", "attention"])
def test_of_the_layers_one_alone_is_held(monkeypatch: pytest.MonkeyPatch, pool: str):
    asked = subject("vanilla", pool)
    made: list[Seen] = []
    begin = Seen.__init__

    def noted(self: Seen) -> None:
        begin(self)
        made.append(self)

    held = []
    attend = Seen.attend

    def counted(self: Seen, *parts: Any) -> Any:
        held.append(sum(one.weights is not None for one in made))
        return attend(self, *parts)

    monkeypatch.setattr(Seen, "__init__", noted)
    monkeypatch.setattr(Seen, "attend", counted)
    layer_maps(asked.net, torch.zeros(1, 3, 24, 32))
    assert set(held) == {0}
    assert all(one.weights is None and one.scores is None for one in made)


def test_concentration_is_the_share_of_the_picture_with_half_of_the_map():
    found = np.array([[4, 1], [1, -2]], dtype=np.float32)
    assert concentration(found) == (0.25, 0.25)
    assert concentration(np.ones((2, 5), dtype=np.float32)) == (0.5, 0)
    assert concentration(-np.ones((2, 5), dtype=np.float32)) == (None, 1)
    assert concentration(np.zeros((2, 5), dtype=np.float32)) == (None, None)
