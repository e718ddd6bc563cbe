"""Pretrained: what weights say of preprocessing becomes a Preprocess, or one line that says why not."""

from __future__ import annotations

import pytest

from vitcli.errors import WeightsError
from vitcli.net import ViT
from vitcli.preprocess import Preprocess
from vitcli.weights.pretrained import Pretrained


def pretrained(said: dict[str, object]) -> Pretrained:
    return Pretrained("a.safetensors", ViT(image_size=(8, 12), patch_size=4, dim=8), None, said)


def test_preprocessing_is_what_weights_say_and_of_the_size_of_the_net():
    told = {"resize": "squash", "mean": [0.5, 0.5, 0.5]}
    assert pretrained(told).contract("it") == Preprocess(size=(8, 12), resize="squash", mean=(0.5, 0.5, 0.5))


def test_preprocessing_that_is_not_ours_is_named_as_it_was_typed():
    with pytest.raises(WeightsError, match=r"^distill\.weights a: what it says .* is not vitcli's: .*tilt"):
        pretrained({"tilt": 3}).contract("distill.weights a")
