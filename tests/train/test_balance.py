"""Rare classes count as much as is said."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from vitcli.data import ShapesData
from vitcli.errors import ConfigError
from vitcli.net import ViT
from vitcli.preprocess import Preprocess
from vitcli.train import Classifier
from vitcli.train.balance import auto_weights, check_weights, weights_of


def classifier(class_weights: Any, label_smoothing: float = 0.0) -> Classifier:
    net = ViT(image_size=8, patch_size=8, dim=8, classes=3)
    return Classifier(
        net,
        Preprocess(size=(8, 8)),
        classes=("a", "b", "c"),
        class_weights=class_weights,
        label_smoothing=label_smoothing,
    )


def test_auto_weighs_inversely_to_the_images_and_by_one_on_average() -> None:
    weights = auto_weights(torch.tensor([60, 30, 10]))
    assert weights.tolist() == pytest.approx([100 / 180, 100 / 90, 100 / 30])
    assert (weights * torch.tensor([60, 30, 10])).sum().item() == pytest.approx(100)
    assert auto_weights(torch.tensor([5, 0, 5])).tolist()[::2] == pytest.approx([1, 1])


def test_the_loss_is_the_weighted_mean_over_images() -> None:
    model = classifier({"b": 3.0})
    model.balance = torch.tensor([1.0, 3.0, 1.0])
    logits, labels = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([0, 1])
    assert model.loss(logits, labels).item() == pytest.approx((1 + 3) / 2 * math.log(3))
    shares = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert model.loss(logits, shares).item() == pytest.approx((1 + 3) / 2 * math.log(3))
    assert classifier(None).loss(logits, labels).item() == pytest.approx(math.log(3))


def test_smoothing_is_not_weighed_by_the_classes_it_smooths_to() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    plain = classifier(None, label_smoothing=0.1).loss(logits, labels).item()
    weighed = classifier({"b": 20.0}, label_smoothing=0.1)
    weighed.balance = torch.tensor([0.5, 20.0, 1.0])
    assert weighed.loss(logits, labels).item() == pytest.approx(0.5 * plain)


def test_fit_counts_the_images_it_trains_on() -> None:
    from lightning.pytorch import Trainer

    data = ShapesData(
        kinds=("circle", "square", "star"), train=6, val=3, test=3, preprocess=Preprocess(size=(8, 8)), batch_size=6
    )
    data.listing("train").labels[:] = [0, 0, 0, 0, 1, 2]
    model = classifier("auto")
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(model, data)
    assert model.balance is not None
    assert model.balance.tolist() == pytest.approx([0.5, 2, 2])


def test_weights_are_plain_in_the_checkpoint_and_come_back() -> None:
    for weights in (None, "auto", {"a": 2.0}):
        model = classifier(weights)
        assert model.hparams["class_weights"] == weights
        assert Classifier.from_settings(dict(model.hparams)).class_weights == weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"d": 1.0}, r"^model.class_weights 'd': is none of the classes a, b, c$"),
        ({"a": 0.0}, r"^model.class_weights 'a' 0.0: must be above 0 and below 3.4"),
        ({"a": 1e40}, r"^model.class_weights 'a' 1e\+40: must be above 0 and below 3.40282e\+38; 1 is usual$"),
        ({"a": float("nan")}, r"^model.class_weights 'a' nan: must be above 0 and below 3.4"),
    ],
)
def test_a_weight_that_cannot_be_is_named(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        classifier(weights)


@pytest.mark.parametrize(
    ("weights", "classes", "expected"),
    [
        ({0: 1.0, 1: 3.0}, ("0", "1"), [1.0, 3.0]),
        ({10: 2.0}, ("9", "10"), [1.0, 2.0]),
        ({-1: 2.0, "b": 4.0}, ("-1", "b"), [2.0, 4.0]),
        ({0.5: 2.0}, ("0.5", "1.0"), [2.0, 1.0]),
    ],
)
def test_classes_that_yaml_reads_as_numbers_have_their_weights(
    weights: Any, classes: tuple[str, ...], expected: list[float]
) -> None:
    check_weights(weights, classes)
    found = weights_of(weights, classes, torch.tensor([0, 1]))
    assert found is not None
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({7: 2.0}, "^model.class_weights 7: is none of the classes 007, yes; YAML reads it as no name, so put the"),
        ({True: 2.0}, "^model.class_weights True: is none of the classes 007, yes; YAML reads it as no name"),
        ({"007": 1.0, "yes": 0.0}, "^model.class_weights 'yes' 0.0: must be above 0 and below 3.4"),
    ],
)
def test_what_yaml_reads_as_another_value_is_one_line(weights: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_weights(weights, ("007", "yes"))


def test_a_class_that_is_weighted_twice_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^model.class_weights 1: names the class 1 twice; keep one"):
        check_weights({1: 2.0, "1": 3.0}, ("1", "2"))  # type: ignore[dict-item]
