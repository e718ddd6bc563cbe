"""answer: a batch and how it is asked -> logits, probabilities and features that belong together."""

from __future__ import annotations

import torch

from vitcli.answers.answer import answer
from vitcli.answers.asked import Asked
from vitcli.net import ViT
from vitcli.preprocess import Preprocess


def test_the_mean_of_both_is_what_logits_and_features_say_too() -> None:
    torch.manual_seed(0)
    net = ViT(image_size=16, patch_size=8, dim=16, classes=3).eval()
    preprocess, images = Preprocess(size=(16, 16)), torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    with torch.inference_mode():
        one = answer(net, preprocess, images, Asked(2.0, features=True))
        other = answer(net, preprocess, images.flip(3), Asked(2.0, features=True))
        both = answer(net, preprocess, images, Asked(2.0, "flip", features=True))
        none = answer(net, preprocess, images[:0], Asked(2.0, "flip", features=True))
    mean = (one["probabilities"] + other["probabilities"]) / 2
    torch.testing.assert_close(both["probabilities"], mean)
    torch.testing.assert_close(both["logits"].softmax(dim=1), mean)
    torch.testing.assert_close(both["features"], (one["features"] + other["features"]) / 2)
    assert [tuple(tensor.shape) for tensor in none.values()] == [(0, 3), (0, 3), (0, 16)]
